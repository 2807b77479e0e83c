"""How good a judge is, and what sways it: order, length, its own answers, principles."""

from cai.validation.bias.pairs import ballots_of, read_judged
from cai.validation.bias.records import Judged, JudgedPair, Under
from cai.validation.bias.report import JudgeReport, judge_report

__all__ = [
    "JudgeReport",
    "Judged",
    "JudgedPair",
    "Under",
    "ballots_of",
    "judge_report",
    "read_judged",
]
