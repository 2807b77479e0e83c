"""Proximal policy optimisation for language models."""

from cai.train.ppo.trainer import PPOTrainer

__all__ = ["PPOTrainer"]
