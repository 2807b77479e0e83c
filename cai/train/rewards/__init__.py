"""Rewards of answers: composable, and usable in TRL's trainers as they are."""
