"""Two models as tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cai.compare.sheets import Sheet, cell
from cai.evaluate.change import headline
from cai.evaluate.words import shown, told
from cai.store.export_rows import public
from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.compare.model_pair import DevPair, ModelComparison
    from cai.compare.models import Model
    from cai.compare.trained import DevFigure
    from cai.evaluate.change import Change

__all__ = ["change_sheet", "model_sheets", "said_difference"]

_READINGS = {
    "better": "better",
    "worse": "worse",
    "differs": "differs",
    "open": "no difference measurable",
    "none": "",
}


def model_sheets(found: ModelComparison, *, every: bool = False) -> Iterator[Sheet]:
    """All tables.

    Args:
        found: the comparison.
        every: also figures of single categories and principles.
    """
    if found.changes:
        shown_ = found.changes if every else headline(found.changes)
        left = len(found.changes) - len(shown_)
        more = [f"{counted(left, 'figure')} of categories and principles: --all."] if left else []
        sheet = change_sheet("Figures", shown_, (found.before.label, found.after.label))
        yield replace(sheet, notes=(*sheet.notes, *_remarks(found), *more))
    else:
        yield Sheet("Figures", notes=(_nothing(found), *_remarks(found)))
    if found.versus:
        yield _versus(found, every)
    if found.facts:
        columns = ("", found.before.label, found.after.label)
        yield Sheet("Training", columns, found.facts)
    if found.settings:
        rows = tuple((key, cell(a), cell(b)) for key, a, b in found.settings)
        columns = ("Key", found.before.label, found.after.label)
        yield Sheet("Settings of training that differ", columns, rows)
    if found.dev:
        yield _dev(found)


def _versus(found: ModelComparison, every: bool) -> Sheet:
    rows = tuple(
        (f"{kind}: {one.name.replace('_', ' ')}", one.group, told(one), f"{one.n:,}")
        for kind, one in found.versus
        if every or one.group == "all"
    )
    title = f"{found.after.label} against {found.before.label}, in one evaluation"
    return Sheet(title, ("Figure", "About", "Value [95 % interval]", "n"), rows, frozenset({3}))


def change_sheet(title: str, changes: Sequence[Change], sides: tuple[str, str]) -> Sheet:
    """A row for each figure, and what stands below the table."""
    unlike = dict.fromkeys(why for one in changes for why in one.unlike)
    notes = [f"Unlike: {', '.join(unlike)}. Such differences may be theirs."] if unlike else []
    if any(one.basis == "paired" for one in changes):
        notes.append("Paired: over the cases, questions or prompts that both were asked (n).")
    if any(one.basis == "unpaired" for one in changes):
        notes.append("Unpaired: from the two intervals, as if other cases had been asked.")
    measured = sum(one.harm is not None for one in changes)
    if measured > 1:
        notes.append(
            f"Of {measured} differences about {measured * 0.05:.1f} lie beside zero by chance."
        )
    columns = ("Figure", "About", *sides, "Difference [95 % interval]", "n", "Basis", "Reading")
    return Sheet(title, columns, tuple(map(_row, changes)), frozenset({5}), tuple(notes))


def said_difference(one: Change) -> str:
    """The difference with its interval, or why there is none."""
    if one.value is None or one.low is None or one.high is None:
        return "" if one.after.unit == "count" else one.unmeasured.partition(":")[0]
    unit = "points" if one.after.unit == "share" else one.after.unit
    gap = replace(one.after, unit=unit, against=one.after.against or "the other")
    mid, low, high = (shown(gap, value) for value in (one.value, one.low, one.high))
    return f"{mid} [{low}, {high}]"


def _row(one: Change) -> tuple[str, ...]:
    against = f" against {one.after.against}" if one.after.against else ""
    basis = f"{one.basis}; {', '.join(one.unlike)}" if one.unlike else one.basis
    return (
        f"{one.kind}: {one.after.name.replace('_', ' ')}{against}",
        one.after.group,
        told(one.before),
        told(one.after),
        said_difference(one),
        f"{one.n:,}" if one.basis else "",
        basis,
        _READINGS[one.reading],
    )


def _remarks(found: ModelComparison) -> Iterator[str]:
    for why in dict.fromkeys(one.distrust for one in found.judges if one.distrust):
        yield f"{why}."
    unchecked = dict.fromkeys(public(one.fingerprint) for one in found.judges if not one.checked_on)
    if unchecked:
        yield f"Nobody has checked how often the judge is right: {listed(unchecked)}."
    for kind, who in found.alone:
        yield f"{kind}: only {who} was evaluated."
    for model in (found.before, found.after):
        if model.others:
            yield f"{model.label} is compared; the same results have {listed(model.others)}, too."


def _nothing(found: ModelComparison) -> str:
    missing = [m.label for m in (found.before, found.after) if not m.results]
    if missing:
        return f"No evaluation of {listed(missing)} was found: see cai evaluate, or cai run."
    return "No figure is known of both."


def _dev(found: ModelComparison) -> Sheet:
    notes = (
        "Figures on the dev examples of each training; the same examples."
        if found.same_dev
        else "Figures on the dev examples of each training, which are not the same: no difference "
        "is given."
    )
    columns = ("Figure", *(_sized(model) for model in (found.before, found.after)))
    return Sheet("On dev", columns, tuple(map(_dev_row, found.dev)), notes=(notes,))


def _sized(model: Model) -> str:
    n = model.training.dev_examples if model.training else 0
    return f"{model.label} (n {n:,})"


def _dev_row(one: DevPair) -> tuple[str, ...]:
    return one.name.replace("_", " "), _dev_cell(one.before), _dev_cell(one.after)


def _dev_cell(one: DevFigure | None) -> str:
    if one is None:
        return ""
    if one.low is None or one.high is None:
        return f"{one.value:.3g} (no interval)"
    return f"{one.value:.3g} [{one.low:.3g}, {one.high:.3g}]"
