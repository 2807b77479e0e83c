"""Findings as a JSON file, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cai.quality.records import Report

__all__ = ["write_findings"]


def write_findings(path: Path, report: Report, dev: Report | None) -> None:
    """All findings as JSON, under `file`, or under `train` and `dev` of a run."""
    import orjson

    data = {"train" if dev else "file": _plain(report)} | ({"dev": _plain(dev)} if dev else {})
    path.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _plain(report: Report) -> dict[str, object]:
    findings = [
        {
            "check": f.check,
            "about": f.about,
            "level": f.level,
            "count": f.count,
            "of": f.of,
            "rate": f.rate,
            "would_drop": len(f.drops),
            "figures": dict(f.figures),
            "examples": [{"place": e.place, "other": e.other, "text": e.text} for e in f.examples],
            "fix": f.fix,
        }
        for f in report.findings
    ]
    return {
        "source": report.source,
        "rows": report.rows,
        "kinds": dict(report.kinds),
        "findings": findings,
    }
