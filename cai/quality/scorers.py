"""The user's own opinion of answers, by a function named `module:function`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from cai.errors import UsageError

__all__ = ["Scorer", "load_scorer", "scores_of"]

Scorer = Callable[[Sequence[tuple[str, str]]], Sequence[float]]
"""Takes (prompt, answer) pairs and returns one number for each; higher is better.

A classifier of toxicity returns its score with a minus sign. Prompts are the conversation as text.
"""


def load_scorer(place: str) -> Scorer:
    """Import a scorer, `package.module:function`, also from the working folder.

    Raises:
        UsageError: there is no such function.
    """
    module, colon, name = place.partition(":")
    if not (module and colon and name):
        raise UsageError(f"--scorer {place}: expected module:function, such as my_scores:kind.")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"--scorer {place}: cannot be imported ({error}). It must be in an installed package, "
            "on PYTHONPATH or in the folder where you start."
        ) from error
    if not callable(found):
        raise UsageError(f"--scorer {place}: a {type(found).__name__} and no function.")
    scorer: Scorer = found
    return scorer


def scores_of(scorer: Scorer, items: Sequence[tuple[str, str]]) -> list[float]:
    """Ask a scorer, and hold it to its promise.

    Raises:
        UsageError: it returns another number of scores, or something else than finite numbers.
    """
    scores = [float(score) for score in scorer(items)]
    if len(scores) != len(items) or not all(map(math.isfinite, scores)):
        raise UsageError(
            f"The scorer returned {len(scores)} scores for {len(items)} answers. Allowed: one "
            "finite number for each (prompt, answer); higher is better."
        )
    return scores
