"""Two data sets as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.compare.sheets import Sheet, cell, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.compare.data_pair import Agreement, DataComparison, Share

__all__ = ["data_sheets"]

_MOST = 15
"""Tags and principles that are shown without `--all`."""


def data_sheets(found: DataComparison, *, every: bool = False) -> Iterator[Sheet]:
    """All tables.

    Args:
        found: the comparison.
        every: all tags, principles and facts that are equal, too.
    """
    sides = (found.before, found.after)
    made = tuple(row for row in found.made if every or row[1] != row[2])
    if found.made:
        same = len(found.made) - len(made)
        notes = (f"The same in both: {same} further facts; --all shows them.",) if same else ()
        yield Sheet("Made of", ("", *sides), made, notes=notes)
    if found.settings:
        rows = tuple((key, cell(a), cell(b)) for key, a, b in found.settings)
        yield Sheet("Settings that differ", ("Key", *sides), rows)
    if found.constitution:
        yield Sheet("What changed in the constitution", notes=found.constitution)
    counts = tuple((name, f"{a:,}", f"{b:,}") for name, a, b in found.counts)
    yield Sheet("Counts", ("", *sides), counts, frozenset({1, 2}))
    yield _figures(found)
    overlap = tuple((name, *(f"{n:,}" for n in parts)) for name, *parts in found.overlap)
    columns = ("", f"Only {sides[0]}", "Both", f"Only {sides[1]}")
    yield Sheet("Overlap", columns, overlap, frozenset({1, 2, 3}))
    yield _agreement(found.agreement)
    yield from _composition(found, sides, every)


def _figures(found: DataComparison) -> Sheet:
    rows = tuple(
        (
            one.name,
            spread(one.before, one.unit),
            _n(one.before),
            spread(one.after, one.unit),
            _n(one.after),
            "" if one.difference is None else spread(one.difference, one.unit, difference=True),
        )
        for one in found.figures
        if one.before is not None or one.after is not None
    )
    columns = ("", found.before, "n", found.after, "n", "Difference [95 % interval]")
    note = "Intervals are over prompts (n). Differences are unpaired, in points and in characters."
    return Sheet("Figures", columns, rows, frozenset({2, 4}), (note,))


def _n(found: object) -> str:
    return f"{getattr(found, 'n', 0):,}" if found is not None else ""


def _agreement(found: Agreement) -> Sheet:
    if not found.labelled:
        return Sheet("Labels on the same pairs", notes=("No pair has a label in both.",))
    rows = [
        ("Same label (first, second or tie)", spread(found.same, "share"), _n(found.same)),
        ("Same winner, where both name one", spread(found.winners, "share"), _n(found.winners)),
    ]
    if found.gap is not None:
        ends = (f"{value:.3f}" for value in (found.gap.estimate, found.gap.low, found.gap.high))
        mid, low, high = ends
        rows.append(("Distance of the two p, mean", f"{mid} [{low}, {high}]", _n(found.gap)))
    note = (
        f"{found.labelled:,} pairs have a label in both; {found.opposite:,} have opposite winners."
    )
    columns = ("", "Value [95 % interval]", "n")
    return Sheet(
        "Labels on the same pairs",
        columns,
        tuple(rows),
        frozenset({2}),
        (note,),
    )


def _composition(found: DataComparison, sides: Sequence[str], every: bool) -> Iterator[Sheet]:
    for title, what, shares in (
        ("Tags", "rows", found.tags),
        ("Principles", "pairs", found.principles),
        ("Quality findings on train", "rows looked at", _worth(found.findings, every)),
    ):
        if not shares:
            continue
        kept = shares if every else shares[:_MOST]
        left = len(shares) - len(kept)
        notes = (f"Shares of {what}.", *((f"{left} more: --all.",) if left else ()))
        yield Sheet(title, ("", *sides), tuple(map(_share_row, kept)), frozenset({1, 2}), notes)


def _worth(findings: Sequence[Share], every: bool) -> Sequence[Share]:
    """Those of checks that found something in either."""
    return [one for one in findings if every or one.before[0] or one.after[0]]


def _share_row(one: Share) -> tuple[str, str, str]:
    return one.name, _of(one.before), _of(one.after)


def _of(share: tuple[int, int]) -> str:
    count, n = share
    return f"{count / n:.1%} ({count:,} of {n:,})" if n else "not known"
