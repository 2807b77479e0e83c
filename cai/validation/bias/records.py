"""The judged pairs of a run as numbers; no texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.records import PairKind, PrincipleVerdict
    from cai.validation.bias.authors import Authors
    from cai.validation.records import AnnotatorKind

__all__ = ["Judged", "JudgedPair", "Under"]


class Under(NamedTuple):
    """The verdict under one principle, or under several that were shown together."""

    principle: str
    p: float | None
    flipped: bool | None


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """One pair with a verdict. Probabilities are those of the first answer.

    Args:
        id: of the pair.
        group: of its prompt.
        kind: of the pair.
        lengths: characters of the first and second answer.
        outcome: of the verdict.
        p: of the verdict; None where it is none.
        ab: where the first answer was shown first, the mean over principles; None where a principle
            has no such answer.
        ba: where the second answer was shown first.
        slots: probability of whichever answer was shown first, for every order of every principle.
        masses: probability of all labels together, likewise, and of each score.
        under: by principle.
        gold: 1 where the gold label is the first answer, 0 the second, ½ a tie.
        own: the answer that the judge's own model wrote; `both`, or `` for neither.
        ballots: verdicts by principle and judge that count, without their calls.
    """

    id: str
    group: str
    kind: PairKind
    lengths: tuple[int, int]
    outcome: str
    p: float | None = None
    ab: float | None = None
    ba: float | None = None
    slots: tuple[float, ...] = ()
    masses: tuple[float, ...] = ()
    under: tuple[Under, ...] = ()
    gold: float | None = None
    own: Literal["", "first", "second", "both"] = ""
    ballots: tuple[PrincipleVerdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run has judged.

    Args:
        pairs: with a verdict, each once.
        not_judged: pairs without one, by the reason.
        orders: single answers of the judge, in one order or about one answer, by outcome.
        gold_kind: who gave the gold labels; None where nobody did.
        disputed: pairs on which annotators are divided.
        authors: who wrote the answers.
    """

    pairs: tuple[JudgedPair, ...]
    not_judged: Mapping[str, int]
    orders: Mapping[str, int]
    gold_kind: AnnotatorKind | None
    disputed: int
    authors: Authors
