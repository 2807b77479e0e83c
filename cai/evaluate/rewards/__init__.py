"""What a reward model makes of the answers of models, beside how often it is right itself."""

from cai.evaluate.rewards.circular import trained_on
from cai.evaluate.rewards.report import Scored, rewards_result

__all__ = ["Scored", "rewards_result", "trained_on"]
