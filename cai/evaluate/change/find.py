"""All figures of two models side by side, with the interval of each difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cai.evaluate.change.columns import READERS, paired_columns
from cai.evaluate.change.probes import ProbePairs
from cai.evaluate.change.records import Change
from cai.evaluate.change.refusal import RefusalPairs
from cai.evaluate.change.tax import TaxPairs
from cai.evaluate.change.unpaired import unpaired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cai.evaluate.results import Figure, Kind, Result
    from cai.validation.statistics.intervals import Interval

__all__ = ["Sided", "changes"]


@dataclass(frozen=True, slots=True)
class Sided:
    """A result, and the model in it that is meant."""

    result: Result
    subject: str


class _Pairs(Protocol):
    def difference(self, after: Figure, before: Figure) -> Interval | str | None:
        """The paired difference, why it says nothing, or None where nothing can be paired."""


class _ColumnPairs:
    def __init__(
        self, after: Result, subject: str, before: Result, other: str, draws: int = 2000
    ) -> None:
        del subject, other  # Figures name them.
        self._after, self._before, self._draws = after, before, draws
        self._read = READERS.get(after.kind)

    def difference(self, after: Figure, before: Figure) -> Interval | str | None:
        if self._read is None:
            return None
        ours, theirs = self._read(self._after, after), self._read(self._before, before)
        if not (ours.makes(after) and theirs.makes(before)):
            return None
        return paired_columns(ours, theirs, share=after.unit == "share", draws=self._draws)


_PAIRS: Mapping[Kind, Callable[..., _Pairs]] = {
    "refusal": RefusalPairs,
    "tax": TaxPairs,
    "probes": ProbePairs,
}


def changes(after: Sided, before: Sided, *, draws: int = 2000) -> Iterator[Change]:
    """Each figure that both models have, and how much it differs.

    Where the results keep what was found item by item, and these items make the figures, the
    difference is paired over the items of both. Else it is worked out from the two intervals, as if
    other cases had been asked. Figures that compare models themselves are left out, but for the
    share that a model wins against a third one.

    Args:
        after: the later model.
        before: the earlier one, in a result of the same kind.
        draws: of each bootstrap.
    """
    kind = after.result.kind
    ours = (after.result, after.subject, before.result, before.subject, draws)
    pairs: _Pairs = _PAIRS.get(kind, _ColumnPairs)(*ours)
    known = {_key(one): one for one in before.result.figures if one.subject == before.subject}
    for one in after.result.figures:
        other = known.get(_key(one))
        if one.subject == after.subject and other is not None and _stands_alone(one):
            yield _change(after.result, one, before.result, other, pairs)


def _key(one: Figure) -> tuple[str, ...]:
    return one.name, one.group, one.against, one.unit


def _stands_alone(one: Figure) -> bool:
    """Whether it says something of one model, or of it and a third one that may be the same."""
    return not one.against or one.unit == "share"


def _change(
    result: Result, after: Figure, earlier: Result, before: Figure, pairs: _Pairs
) -> Change:
    more: dict[str, Any] = {"unlike": tuple(_unlike(result, after, earlier, before))}
    for side, one in (("later", after), ("earlier", before)):
        if one.value is None:
            why = one.unmeasured or "not measured"
            return Change(result.kind, before, after, unmeasured=f"{why} ({side})", **more)
    if after.unit == "count":
        why = "counts are shown side by side"
        return Change(result.kind, before, after, unmeasured=why, **more)
    found = pairs.difference(after, before)
    if isinstance(found, str):
        return Change(result.kind, before, after, unmeasured=found, **more)
    if found is not None:
        return _with(result.kind, before, after, found, "paired", more)
    found = unpaired(after, before)
    if found is None:
        return Change(result.kind, before, after, unmeasured="it has no interval", **more)
    if result.inputs != earlier.inputs:
        more["unlike"] += ("other questions",)
    return _with(result.kind, before, after, found, "unpaired", more)


def _with(
    kind: Kind, before: Figure, after: Figure, found: Interval, basis: Any, more: dict[str, Any]
) -> Change:
    ends = (found.estimate, found.low, found.high, found.n)
    return Change(kind, before, after, *ends, basis, **more)


def _unlike(result: Result, after: Figure, earlier: Result, before: Figure) -> Iterator[str]:
    if _judges(result, after) != _judges(earlier, before):
        yield "other judge"
    both = result.constitution, earlier.constitution
    if all(both) and both[0] != both[1]:
        yield "other constitution"


def _judges(result: Result, figure: Figure) -> set[str]:
    return {one.fingerprint for one in result.evaluators if one.concerns(figure)}
