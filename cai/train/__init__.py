"""Training models from principles: supervised, reward model, preferences, and online."""

from cai.train.load import load_training
from cai.train.run import Result, train
from cai.train.settings import TrainConfig

__all__ = ["Result", "TrainConfig", "load_training", "train"]
