"""One interface for verdicts: a probability with a pedigree, or an honest non-answer."""

from cai.judge.aggregate import combine_orders, combine_principles, hard_label
from cai.judge.alone import PropositionJudge, ScoreJudge
from cai.judge.ensemble import pool, pool_judges, worst_case
from cai.judge.jury import Jury, Seat
from cai.judge.labels import LabelMass, label_mass, spells
from cai.judge.modes import PairJudge, open_judge
from cai.judge.pairwise import PairwiseJudge, read_order
from cai.judge.pointwise import PointwiseJudge, PointwiseVerdict, combine_scores
from cai.judge.reasoning import ReasoningJudge
from cai.judge.scales import Scale, Score, count_scores, longer_share, read_score
from cai.judge.votes import count_votes, read_vote

__all__ = [
    "Jury",
    "LabelMass",
    "PairJudge",
    "PairwiseJudge",
    "PointwiseJudge",
    "PointwiseVerdict",
    "PropositionJudge",
    "ReasoningJudge",
    "Scale",
    "Score",
    "ScoreJudge",
    "Seat",
    "combine_orders",
    "combine_principles",
    "combine_scores",
    "count_scores",
    "count_votes",
    "hard_label",
    "label_mass",
    "longer_share",
    "open_judge",
    "pool",
    "pool_judges",
    "read_order",
    "read_score",
    "read_vote",
    "spells",
    "worst_case",
]
