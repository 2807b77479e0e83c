"""The stage `report`: a page of each round's run, with trainings and evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai import __version__
from cai.hashing import content_hash
from cai.pipeline.stages import Done
from cai.report import gather, render_html, render_markdown, write_page
from cai.store import RunStore
from cai.store.gate import labels_state
from cai.store.stages import read_stages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Begun, Stage

__all__ = ["carry_out", "inputs"]


def inputs(desk: Desk, stage: Stage) -> dict[str, str]:
    """Hashes of all that other stages have made, and of what people have said."""
    stored = read_stages(desk.folder)
    made = [
        [one.name, one.inputs, one.state, [o.sha256 for o in one.outputs], one.said]
        for one in (stored.stages if stored else ())
        if one.name != stage.name
    ]
    labels = []
    for run in _runs(desk):
        with RunStore.read(run) as store:
            labels.append(labels_state(store))
    return {
        "stages": content_hash(made),
        "labels": content_hash(labels),
        "toolkit": __version__,
    }


def carry_out(desk: Desk, stage: Stage, begun: Begun) -> Done:
    """Write `report.html` and `summary.md` into the run, and into those of later rounds."""
    del stage, begun
    written: list[Path] = []
    for run in _runs(desk):
        figures = gather(run, progress=desk.watcher.rows)
        for name, page in (
            ("report.html", render_html(figures)),
            ("summary.md", render_markdown(figures).encode()),
        ):
            write_page(run / name, page)
            written.append(run / name)
    return Done(tuple(written))


def _runs(desk: Desk) -> Iterator[Path]:
    for number in range(1, desk.config.pipeline.rounds + 1):
        yield desk.run(number)
