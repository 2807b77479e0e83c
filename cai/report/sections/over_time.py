"""The checkpoints of a ledger beside each other, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.evaluate.words import told
from cai.report.blocks import Charts, Note, Section, Table
from cai.report.charts import Estimate, interval_chart
from cai.store.export_rows import public
from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.evaluate.results import Figure
    from cai.report.blocks import Block
    from cai.report.charts import Chart
    from cai.report.checkpoints import Checkpoints, OverTime

__all__ = ["over_time_section"]

_COLUMNS, _CHARTS = 6, 4
_LEAD = (
    "The same figures of one checkpoint after the other, each with its 95% interval and the cases "
    "it rests on. Whether the newest got worse is told by cai drift, paired where that is possible."
)

_Key = tuple[str, str, str]


def over_time_section(found: Checkpoints) -> Section:
    """A table of the latest checkpoints, and charts of the first few shares."""
    blocks: list[Block] = [_verdict(found)]
    latest = found.entries[-_COLUMNS:]
    cells = {one.name: {_key(k, f): f for k, f in one.figures} for one in latest}
    keys = list(dict.fromkeys(key for one in latest for key in cells[one.name]))
    charts = [chart for key in keys if (chart := _chart(key, latest, cells)) is not None]
    if charts:
        blocks.append(Charts(tuple(charts[:_CHARTS])))
    rows = tuple(
        (_words(key), *(_cell(cells[one.name].get(key)) for one in latest)) for key in keys
    )
    names = tuple(f"{public(one.name)} ({one.added[:10]})" for one in latest)
    some = f"the latest {_COLUMNS} of {len(found.entries)}" if len(found.entries) > _COLUMNS else ""
    caption = f"Checkpoints, {some}" if some else "Checkpoints"
    blocks.append(Table(caption, ("Figure", *names), rows))
    return Section("checkpoints", "Checkpoints over time", _LEAD, tuple(blocks))


def _verdict(found: Checkpoints) -> Note:
    verdict = found.verdict
    if verdict.newest is None or verdict.predecessor is None:
        return Note("There is one checkpoint: nothing to compare it with.")
    newest = public(verdict.newest.name)
    if not verdict.regressions:
        many = counted(len(verdict.measured), "comparison")
        return Note(f"No regression of {newest} measurable in {many}.")
    worse = dict.fromkeys(
        f"{one.change.key} (than {public(one.entry.name)})" for one in verdict.regressions
    )
    back = "" if verdict.roll_back is None else f" Roll back to {public(verdict.roll_back.name)}."
    return Note(f"{newest} got worse: {listed(worse)}.{back}", "bad")


def _chart(
    key: _Key, latest: tuple[OverTime, ...], cells: dict[str, dict[_Key, Figure]]
) -> Chart | None:
    """A share at each checkpoint; None with fewer than two that have one."""
    found = list(_estimates(key, latest, cells))
    if len(found) < 2:
        return None
    name = "over-time-" + "-".join("".join(c if c.isalnum() else "-" for c in part) for part in key)
    return interval_chart(name, _words(key), found, "Share of cases")


def _estimates(
    key: _Key, latest: tuple[OverTime, ...], cells: dict[str, dict[_Key, Figure]]
) -> Iterator[Estimate]:
    for one in latest:
        figure = cells[one.name].get(key)
        if figure is None or figure.unit != "share" or figure.value is None:
            continue
        if figure.low is not None and figure.high is not None:
            ends = figure.value, figure.low, figure.high
            yield Estimate(public(one.name), *ends, f"{figure.n:,} cases")


def _key(kind: str, one: Figure) -> _Key:
    against = f" against {one.against}" if one.against else ""
    return kind, f"{one.name}{against}", one.group


def _words(key: _Key) -> str:
    kind, name, group = key
    return f"{kind}: {name.replace('_', ' ')}" + ("" if group == "all" else f", {group}")


def _cell(one: Figure | None) -> str:
    return "" if one is None else f"{told(one)}, n {one.n:,}"
