"""From the log-probabilities of one token to the probability of a label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.records import TokenAlternative

__all__ = ["LabelMass", "label_mass", "spells", "word"]

_BEFORE = "([{<\"'*_`\u201c\u2018 \t\n\u0120\u2581"
_AFTER = ")]}>\"'*_`\u201d\u2019.:,; \t\n"


@dataclass(frozen=True, slots=True)
class LabelMass:
    """How probable each of two labels is as the next token.

    `first` and `second` are probabilities among all tokens. `bounded` names the label that was not
    among the returned alternatives; its probability is then an upper bound.
    """

    first: float
    second: float
    bounded: str = ""

    @property
    def total(self) -> float:
        """Probability that the next token is one of the labels; bounds do not count."""
        return sum(
            p
            for p, name in ((self.first, "first"), (self.second, "second"))
            if name != self.bounded
        )

    @property
    def p_first(self) -> float:
        """P(first label), normalised over both labels."""
        return self.first / (self.first + self.second)


def word(token: str) -> str:
    """A token without the spaces, brackets and marks around it."""
    return token.lstrip(_BEFORE).rstrip(_AFTER)


def spells(token: str, label: str) -> bool:
    """Whether a token is a variant that spells the label.

    For the label A these are `A`, ` A`, `(A`, `A)`, `**A` and the like. Letter case counts: the
    article "a" is no vote for A.
    """
    return word(token) == label


def label_mass(
    alternatives: Sequence[TokenAlternative], labels: tuple[str, str]
) -> LabelMass | None:
    """Sum the probability of each label over the token variants that spell it.

    A label with no variant among the alternatives is less probable than the last of them, the
    k-th; that probability is taken as its bound. The bound errs towards 0.5, never away from it.

    Args:
        alternatives: the k likeliest first tokens, best first, with natural-log probabilities.
        labels: the two labels, in the order in which the answers were shown.

    Returns:
        None when neither label is among the alternatives.
    """
    masses = [
        math.fsum(math.exp(a.logprob) for a in alternatives if spells(a.token, label))
        for label in labels
    ]
    if not any(masses):
        return None
    kth = math.exp(min(a.logprob for a in alternatives))
    if not masses[0]:
        return LabelMass(min(kth, masses[1]), masses[1], bounded="first")
    if not masses[1]:
        return LabelMass(masses[0], min(kth, masses[0]), bounded="second")
    return LabelMass(masses[0], masses[1])
