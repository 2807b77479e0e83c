"""Two data sets beside each other, and what both say about the pairs that they share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cai.compare.made import read_made
from cai.compare.pairs import seen_rows
from cai.compare.tally import FIGURES, DataSet
from cai.config import changed_keys
from cai.constitution.diff import diff, facts
from cai.evaluate.change import unpaired
from cai.evaluate.floor import TooFew
from cai.evaluate.means import Means
from cai.evaluate.results import Figure, figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cai.compare.made import Made
    from cai.compare.things import Thing
    from cai.validation.statistics.intervals import Interval

__all__ = ["Agreement", "DataComparison", "DataFigure", "Share", "compare_data"]


@dataclass(frozen=True, slots=True)
class DataFigure:
    """A figure of both, and the difference as if they had nothing in common."""

    name: str
    unit: str
    before: Interval | None
    after: Interval | None
    difference: Interval | None


@dataclass(frozen=True, slots=True)
class Share:
    """How many have a tag or principle, in both."""

    name: str
    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both say of the pairs that they share.

    Args:
        same: share of pairs with the same label (first, second or tie), of those that have one in
            both; None where too few prompts have such a pair for an interval.
        winners: the same among pairs that are decided in both.
        opposite: pairs in which they name different winners.
        gap: mean distance of the two p, where both are known.
    """

    same: Interval | None
    winners: Interval | None
    opposite: int
    labelled: int
    gap: Interval | None


@dataclass(frozen=True)
class DataComparison:
    """Two data sets. `overlap` has name, only in the first, in both, only in the second."""

    before: str
    after: str
    made: tuple[tuple[str, str, str], ...]
    settings: tuple[tuple[str, Any, Any], ...]
    constitution: tuple[str, ...]
    counts: tuple[tuple[str, int, int], ...]
    figures: tuple[DataFigure, ...]
    overlap: tuple[tuple[str, int, int, int], ...]
    agreement: Agreement
    tags: tuple[Share, ...]
    principles: tuple[Share, ...]
    findings: tuple[Share, ...]

    @property
    def plain(self) -> dict[str, Any]:
        """For programs."""
        named = ("what", "before", "after")
        data = asdict(self)
        for key in ("made", "settings", "counts"):
            data[key] = [dict(zip(named, one, strict=True)) for one in data[key]]
        names = ("what", "only_before", "both", "only_after")
        data["overlap"] = [dict(zip(names, one, strict=True)) for one in data["overlap"]]
        return data


def compare_data(before: Thing, after: Thing, *, draws: int = 2000) -> DataComparison:
    """Compare two runs, exported folders or files; both are read once.

    Args:
        before: the first one.
        after: the second one.
        draws: of each bootstrap.

    Raises:
        CaiError: one of them cannot be read.
    """
    one, other = DataSet.of(seen_rows(before)), DataSet.of(seen_rows(after))
    made, then = read_made(before), read_made(after)
    return DataComparison(
        before=before.ref,
        after=after.ref,
        made=tuple(_beside(made.facts, then.facts)),
        settings=tuple(_settings(made, then)),
        constitution=tuple(_constitution(made, then)),
        counts=tuple(_counts(one, other)),
        figures=tuple(_figures(one, other, draws)),
        overlap=tuple(_overlap(one, other)),
        agreement=_agreement(one, other, draws),
        tags=tuple(_shares(one.tags, other.tags, one.rows, other.rows)),
        principles=tuple(_shares(one.principles, other.principles, one.pairs, other.pairs)),
        findings=tuple(
            Share(name, made.findings.get(name, (0, 0)), then.findings.get(name, (0, 0)))
            for name in dict.fromkeys((*made.findings, *then.findings))
        ),
    )


def _beside(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys((*one, *other)):
        yield name, one.get(name, "not known"), other.get(name, "not known")


def _settings(one: Made, other: Made) -> Iterator[tuple[str, Any, Any]]:
    """Keys that differ, where both are known; models, templates and hashes stand elsewhere."""
    if not (one.asked and other.asked):
        return
    elsewhere = ("constitution", "prompts", "templates.")
    for key in changed_keys(one.asked, other.asked):
        if not key.startswith(elsewhere) and not key.endswith(".fingerprint"):
            yield key, one.asked.get(key), other.asked.get(key)


def _constitution(one: Made, other: Made) -> Iterator[str]:
    """What changed between the two constitutions, where both are known."""
    if one.constitution is None or other.constitution is None:
        return
    change = diff(one.constitution, other.constitution)
    if not change.same_meaning:
        for fact in facts(change):
            yield fact.sentence


def _counts(one: DataSet, other: DataSet) -> Iterator[tuple[str, int, int]]:
    yield "Rows", one.rows, other.rows
    for kind in dict.fromkeys((*one.kinds, *other.kinds)):
        yield f"Rows: {kind}", one.kinds[kind], other.kinds[kind]
    yield "Prompts", len(one.prompts), len(other.prompts)
    yield "Pairs", one.pairs, other.pairs
    yield "Pairs that come again", one.again, other.again
    yield "Decided", one.decided, other.decided
    yield "Ties", one.outcomes["tie"], other.outcomes["tie"]
    yield "Without a label", one.outcomes["none"], other.outcomes["none"]


def _figures(one: DataSet, other: DataSet, draws: int) -> Iterator[DataFigure]:
    before, after = one.intervals(draws=draws), other.intervals(draws=draws)
    for name, unit in FIGURES.items():
        gap = unpaired(_as_figure(after[name], unit), _as_figure(before[name], unit))
        yield DataFigure(name, unit, before[name], after[name], gap)


def _as_figure(found: Interval | None, unit: str) -> Figure:
    return figure("", "", found, unit="share" if unit == "share" else "score")


def _overlap(one: DataSet, other: DataSet) -> Iterator[tuple[str, int, int, int]]:
    for name, ours, theirs in (
        ("Prompts", one.prompts, other.prompts),
        ("Pairs", one.labels.keys(), other.labels.keys()),
    ):
        both = len(ours & theirs)
        yield name, len(ours) - both, both, len(theirs) - both


def _agreement(one: DataSet, other: DataSet, draws: int) -> Agreement:
    shared = [(one.labels[key], other.labels[key]) for key in one.labels if key in other.labels]
    labelled = [(a, b) for a, b in shared if "none" not in (a[0], b[0])]
    decided = [(a, b) for a, b in labelled if "tie" not in (a[0], b[0])]
    known = [(a[1], b[1], a[2]) for a, b in shared if a[1] is not None and b[1] is not None]
    gaps = [abs(p - q) for p, q, _ in known]

    def same(rows: list[Any]) -> Interval | None:
        means = Means([a[2] for a, _ in rows], draws=draws)
        return _known(means.share([float(a[0] == b[0]) for a, b in rows]))

    return Agreement(
        same(labelled),
        same(decided),
        sum(a[0] != b[0] for a, b in decided),
        len(labelled),
        _known(Means([prompt for *_, prompt in known], draws=draws).mean(gaps)),
    )


def _known(found: Interval | TooFew | None) -> Interval | None:
    return None if isinstance(found, TooFew) else found


def _shares(
    one: Mapping[str, int], other: Mapping[str, int], before: int, after: int
) -> Iterator[Share]:
    """The commonest first."""
    names = sorted({*one, *other}, key=lambda n: (-one.get(n, 0) - other.get(n, 0), n))
    for name in names:
        yield Share(name, (one.get(name, 0), before), (other.get(name, 0), after))
