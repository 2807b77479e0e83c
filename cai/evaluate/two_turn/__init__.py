"""How helpful models are in two turns, on questions in the form of MT-bench."""

from cai.evaluate.helpful import check_helpful, labelled_pairs
from cai.evaluate.two_turn.measure import converse, judge_turns
from cai.evaluate.two_turn.questions import Question, read_questions
from cai.evaluate.two_turn.records import Talk, TurnScore
from cai.evaluate.two_turn.report import two_turn_result

__all__ = [
    "Question",
    "Talk",
    "TurnScore",
    "check_helpful",
    "converse",
    "judge_turns",
    "labelled_pairs",
    "read_questions",
    "two_turn_result",
]
