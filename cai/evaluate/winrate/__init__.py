"""How often one model's answers are better than another's, by a judge that is checked itself."""

from cai.evaluate.winrate.axes import find_axes
from cai.evaluate.winrate.checks import known_pairs
from cai.evaluate.winrate.contest import ask_subjects, revisions_of, who_meets
from cai.evaluate.winrate.judging import judge_duels
from cai.evaluate.winrate.needed import comparisons_needed
from cai.evaluate.winrate.records import Axis, Contest, Duel, Under
from cai.evaluate.winrate.result import Judgement, winrate_result
from cai.evaluate.winrate.run import Check, judge_contest
from cai.evaluate.winrate.strength import strength_intervals

__all__ = [
    "Axis",
    "Check",
    "Contest",
    "Duel",
    "Judgement",
    "Under",
    "ask_subjects",
    "comparisons_needed",
    "find_axes",
    "judge_contest",
    "judge_duels",
    "known_pairs",
    "revisions_of",
    "strength_intervals",
    "who_meets",
    "winrate_result",
]
