"""The stage `check`: what is wrong with the rows, and whether that stops the pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cai import __version__
from cai.errors import QualityError
from cai.hashing import content_hash
from cai.pipeline.identity import path_identity, rows_digest
from cai.pipeline.stages import Done
from cai.quality import Options, check_source, open_source
from cai.quality.written import write_findings
from cai.wording import counted, listed

if TYPE_CHECKING:
    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Begun, Stage
    from cai.quality import Report

__all__ = ["FILE", "carry_out", "inputs"]

FILE = "findings.json"

_LARGE = 8 * 2**20
"""Bytes of a run from which on a second process helps."""


def inputs(desk: Desk, stage: Stage) -> dict[str, str]:
    """Hashes of the rows and of what is looked for."""
    settings = desk.config.pipeline.check
    return {
        "rows": rows_digest(desk.run(stage.round), ("training", "calibration")),
        "settings": content_hash([settings.fail_on, *map(path_identity, settings.against)]),
        "toolkit": __version__,
    }


def carry_out(desk: Desk, stage: Stage, begun: Begun) -> Done:
    """Check rows of train, and those of dev for information.

    Raises:
        QualityError: a check that is to stop the pipeline gives a warning or an error.
        UsageError: an evaluation file cannot be read.
    """
    del begun
    settings, run = desk.config.pipeline.check, desk.run(stage.round)
    options = Options(against=tuple(map(Path, settings.against)))
    source = open_source(run)
    processes = 2 if (run / "run.db").stat().st_size > _LARGE else 1
    report = check_source(source, options, progress=desk.watcher.rows, processes=processes)
    dev = check_source(replace(source, purpose="calibration"), options, progress=desk.watcher.rows)
    write_findings(run / FILE, report, dev)
    stopping = [
        f"{one.check}: {one.count:,} of {one.of:,} rows ({one.about}). {one.fix}"
        for one in report.findings
        if one.check in settings.fail_on and one.level in ("warning", "error")
    ]
    if stopping:
        raise QualityError(
            "\n  ".join(["Checks in pipeline.check.fail_on have found something:", *stopping])
            + f"\nAll findings are in {run / FILE}. Mend the data, for example with `cai filter`, "
            "or take the check out of fail_on."
        )
    return Done((run / FILE,), said=_said(report))


def _said(report: Report) -> str:
    by_level = {
        level: [one.check for one in report.findings if one.level == level]
        for level in ("error", "warning")
    }
    parts = [
        f"{counted(len(names), level)}: {listed(names)}"
        for level, names in by_level.items()
        if names
    ]
    return f"{counted(report.rows, 'row')} checked; " + ("; ".join(parts) or "nothing grave")
