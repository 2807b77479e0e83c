"""Rewards of answers: composable, and usable in TRL's trainers as they are."""

from cai.train.rewards.base import Combined, Filler, FunctionReward, Partial, Reward, for_trl
from cai.train.rewards.constitution import ConstitutionReward, PropositionReward
from cai.train.rewards.judging import Judging
from cai.train.rewards.learned import LearnedReward
from cai.train.rewards.opening import open_rewards
from cai.train.rewards.text import LengthPenalty, PythonReward, RepetitionPenalty, repetition

__all__ = [
    "Combined",
    "ConstitutionReward",
    "Filler",
    "FunctionReward",
    "Judging",
    "LearnedReward",
    "LengthPenalty",
    "Partial",
    "PropositionReward",
    "PythonReward",
    "RepetitionPenalty",
    "Reward",
    "for_trl",
    "open_rewards",
    "repetition",
]
