"""Red-teaming and over-refusal: what is refused that should be, and what that should not be."""

from cai.evaluate.refusal.human import read_human, sheet_to_label
from cai.evaluate.refusal.read import chosen, read_cases
from cai.evaluate.refusal.records import FoundCase, Judged, Reading
from cai.evaluate.refusal.report import refusal_result
from cai.evaluate.refusal.run import Given, Measured, answer_cases, judge_answers
from cai.evaluate.refusal.worst import worst

__all__ = [
    "FoundCase",
    "Given",
    "Judged",
    "Measured",
    "Reading",
    "answer_cases",
    "chosen",
    "judge_answers",
    "read_cases",
    "read_human",
    "refusal_result",
    "sheet_to_label",
    "worst",
]
