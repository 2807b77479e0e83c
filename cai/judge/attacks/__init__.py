"""Attacks by what is judged on its judge: the texts, how they are added, and what they do."""

from cai.judge.attacks.encode import Encoding, encode
from cai.judge.attacks.place import Target, add, attacked
from cai.judge.attacks.suite import Attack, Suite, load_suite
from cai.judge.attacks.trial import Case, Trial, run_trials

__all__ = [
    "Attack",
    "Case",
    "Encoding",
    "Suite",
    "Target",
    "Trial",
    "add",
    "attacked",
    "encode",
    "load_suite",
    "run_trials",
]
