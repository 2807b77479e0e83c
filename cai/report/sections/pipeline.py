"""How the run came about: the stages of `cai run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Note, Section, Table

if TYPE_CHECKING:
    from cai.report.figures import Figures
    from cai.store.stages import StageRecord, Stages

__all__ = ["pipeline_section"]

_LEAD = "What each stage of cai run has made, how long it took, and what it asked."


def pipeline_section(figures: Figures) -> Section:
    """All stages but that of the report itself, which is not at its end yet."""
    stages = figures.stages
    assert stages is not None
    people = _people(stages)
    table = Table(
        "Stages",
        ("Stage", "State", "Ended", "Seconds", "Calls", "Dollars", "What"),
        tuple(_row(one) for one in stages.stages if one.name != "report"),
        frozenset({3, 4, 5}),
    )
    return Section("pipeline", "Stages", _LEAD, (people, table))


def _people(stages: Stages) -> Note:
    if stages.validate == "skip":
        return Note("The pipeline skipped the gate: labels not validated by people.", "warn")
    return Note("Trainings wait until people have validated the labels.")


def _ended(one: StageRecord) -> str:
    """Date and time, which a narrow column may part."""
    return (one.finished or "")[:19].replace("T", " ")


def _row(one: StageRecord) -> tuple[str, ...]:
    usd = "unknown" if one.usd is None else f"{one.usd:,.4f}"
    # Other messages name folders of this machine; `cai status` has them.
    said = " ".join(one.said.split()) if one.state == "done" else ""
    return (
        *(one.name, one.state, _ended(one), f"{one.seconds:,.0f}"),
        *(f"{one.calls:,}", usd, said),
    )
