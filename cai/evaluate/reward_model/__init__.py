"""How good a reward model is: on labelled pairs, and as what chooses the best of n answers."""

from cai.evaluate.reward_model.best_of_n import expected_best
from cai.evaluate.reward_model.candidates import CandidateSet, read_candidates
from cai.evaluate.reward_model.pairs import LabelledPair, read_labelled_pairs
from cai.evaluate.reward_model.report import ScoredPair, reward_model_result

__all__ = [
    "CandidateSet",
    "LabelledPair",
    "ScoredPair",
    "expected_best",
    "read_candidates",
    "read_labelled_pairs",
    "reward_model_result",
]
