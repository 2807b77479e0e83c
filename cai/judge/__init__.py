"""One interface for verdicts: a probability with a pedigree, or an honest non-answer."""

from cai.judge.aggregate import combine_orders, combine_principles, hard_label
from cai.judge.labels import LabelMass, label_mass, spells
from cai.judge.pairwise import PairwiseJudge, read_order
from cai.judge.pointwise import PointwiseJudge, PointwiseVerdict, combine_scores
from cai.judge.scales import Scale, Score, count_scores, longer_share, read_score
from cai.judge.votes import count_votes, read_vote

__all__ = [
    "LabelMass",
    "PairwiseJudge",
    "PointwiseJudge",
    "PointwiseVerdict",
    "Scale",
    "Score",
    "combine_orders",
    "combine_principles",
    "combine_scores",
    "count_scores",
    "count_votes",
    "hard_label",
    "label_mass",
    "longer_share",
    "read_order",
    "read_score",
    "read_vote",
    "spells",
]
