"""What `cai drift` found, in tables, words and plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.compare.sheets import Sheet
    from cai.drift import Against, Entry, Verdict
    from cai.drift.redo import Step

__all__ = ["ledger_sheet", "plain_verdict", "redo_sheet", "verdict_lines", "verdict_sheets"]


def ledger_sheet(entries: Sequence[Entry]) -> Sheet:
    """All checkpoints, oldest first."""
    from cai.compare.sheets import Sheet
    from cai.wording import listed

    rows = tuple(
        (
            *(one.name, one.added[:19], one.method or "not known", one.base or "not known"),
            one.constitution or "not known",
            listed(sorted(one.results)),
        )
        for one in entries
    )
    columns = ("Checkpoint", "Added", "Method", "Base model", "Constitution", "Evaluations")
    return Sheet("Checkpoints", columns, rows)


def verdict_sheets(verdict: Verdict) -> Iterator[Sheet]:
    """Figures against the predecessor, and those whose best is older."""
    from cai.compare.model_sheets import change_sheet

    newest, before = verdict.newest, verdict.predecessor
    if newest is None or before is None:
        return
    recent = [one for one in verdict.found if one.role == "predecessor"]
    sheet = change_sheet(
        f"{newest.name} against its predecessor",
        [one.change for one in recent],
        (before.name, newest.name),
    )
    yield _marked(sheet, recent)
    older = [one for one in verdict.found if one.role == "best"]
    if older:
        changes = [one.change for one in older]
        sheet = change_sheet(
            f"{newest.name} against the best before", changes, ("best before", newest.name)
        )
        rows = tuple(
            (row[0], f"{row[1]} (best: {one.entry.name})", *row[2:])
            for row, one in zip(sheet.rows, older, strict=True)
        )
        note = "The best of several is a little lucky: its difference to the newest looks worse."
        yield _marked(replace(sheet, rows=rows, notes=(*sheet.notes, note)), older)


def _marked(sheet: Sheet, found: Sequence[Against]) -> Sheet:
    rows = tuple(
        (*row[:-1], "REGRESSION" if one.regressed else _reading(row[-1], one))
        for row, one in zip(sheet.rows, found, strict=True)
    )
    return replace(sheet, rows=rows)


def _reading(told: str, one: Against) -> str:
    if told == "worse":
        return "worse, within tolerance" if one.counts else "worse, does not count"
    return told


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """What it comes to, in sentences."""
    from cai.store.export_rows import public
    from cai.wording import counted, listed

    if verdict.newest is None:
        yield "The ledger is empty. Add a checkpoint with: cai drift add RUN"
        return
    if verdict.predecessor is None:
        yield f"{verdict.newest.name} is the only checkpoint: there is nothing to compare it with."
        return
    yield from _changed(verdict.predecessor, verdict.newest)
    measured = verdict.measured
    for one in verdict.regressions:
        yield f"Regression against {one.entry.name}: {_told(one)}."
    if verdict.regressions:
        yield from _roll_back(verdict)
    elif measured:
        where = counted(len(measured), "comparison")
        yield f"No regression measurable in {where}. {_unseen(measured)}"
    else:
        yield "No regression measurable: no figure of the newest can be compared."
    if verdict.unchecked:
        judges = listed(map(public, verdict.unchecked))
        yield f"Nobody has checked how often the judge is right: {judges}."
    reasons = Counter(_reason(one) for one in verdict.found if not one.counts)
    for why, n in sorted(reasons.items()):
        yield f"Not counted, {n}: {why}."


def _changed(before: Entry, after: Entry) -> Iterator[str]:
    pairs = (
        ("base model", before.base, after.base),
        ("method", before.method, after.method),
        (
            "constitution",
            f"{before.constitution} ({before.constitution_hash[:12]})",
            f"{after.constitution} ({after.constitution_hash[:12]})",
        ),
    )
    told = [f"{what} {a or 'not known'} → {b or 'not known'}" for what, a, b in pairs if a != b]
    if told:
        yield f"Changed since {before.name}: {'; '.join(told)}."


def _told(one: Against) -> str:
    from cai.compare.model_sheets import said_difference

    unit = " points" if one.change.after.unit in ("share", "points") else ""
    return f"{one.change.key} changed by {said_difference(one.change)}{unit}, n {one.change.n:,}"


def _roll_back(verdict: Verdict) -> Iterator[str]:
    target = verdict.roll_back
    assert target is not None
    where = f": {target.checkpoint}" if target.checkpoint else ""
    yield (
        f"Roll back to {target.name}{where}, the latest checkpoint without a regression against "
        "those before it."
    )


def _unseen(measured: Sequence[Against]) -> str:
    """The largest loss that the intervals leave possible, among shares."""
    shares = [one for one in measured if one.change.after.unit in ("share", "points")]
    if not shares:
        return "See the intervals for what may have gone unseen."
    widest = max(shares, key=lambda one: one.change.harm[1] if one.change.harm else 0.0)
    most = 100 * max(0.0, widest.change.harm[1] if widest.change.harm else 0.0)
    return f"A loss of up to {most:.1f} points ({widest.change.key}) may have gone unseen."


def _reason(one: Against) -> str:
    if one.change.unlike:
        return ", ".join(one.change.unlike)
    if one.change.unmeasured:
        return one.change.unmeasured.partition(":")[0]
    return "no direction of the figure is bad"


def redo_sheet(title: str, steps: Sequence[Step]) -> Sheet:
    """What is to be done again, in order."""
    from cai.compare.sheets import Sheet

    return Sheet(title, ("Stage", "Why"), tuple((one.stage, one.why) for one in steps))


def plain_verdict(verdict: Verdict, steps: dict[str, Sequence[Step]]) -> dict[str, Any]:
    """For programs."""
    return {
        "format": 1,
        "newest": verdict.newest and asdict(verdict.newest),
        "predecessor": verdict.predecessor and asdict(verdict.predecessor),
        "regression": bool(verdict.regressions),
        "roll_back": verdict.roll_back and asdict(verdict.roll_back),
        "found": [
            {
                "key": one.change.key,
                "against": one.entry.name,
                "role": one.role,
                "tolerance": one.tolerance,
                "counts": one.counts,
                "regressed": one.regressed,
                **asdict(one.change),
            }
            for one in verdict.found
        ],
        "redo": {what: [asdict(one) for one in some] for what, some in steps.items()},
    }
