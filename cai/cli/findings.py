"""Findings for people, inert on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.quality import Finding, Report

__all__ = ["print_report"]


def print_report(report: Report, dev: Report | None) -> None:
    """A table of all findings, then what each found.

    Args:
        report: of what is trained on.
        dev: of the dev split of a run, whose counts stand beside.
    """
    from cai.cli.tables import print_heading, print_table, print_text
    from cai.wording import counted

    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.kinds.items()))
    print_text(f"{report.source}: {counted(report.rows, 'row')} ({kinds or 'none'})")
    print_heading("Findings")
    in_dev = {finding.check: finding for finding in dev.findings} if dev else {}
    columns = ("Check", "Level", "Rows", "Of", "Rate", "Drops", *(["In dev"] if dev else []))
    print_table(
        columns,
        [
            (f.check, f.level, f.count, f.of, _rate(f), len(f.drops), *_dev_cell(in_dev, f))
            for f in report.findings
        ],
        numbers=range(2, len(columns)),
    )
    for finding in report.findings:
        if finding.level != "ok":
            _print_finding(finding)


def _print_finding(finding: Finding) -> None:
    from cai.cli.tables import print_heading, print_text

    print_heading(f"{finding.check} ({finding.level}): {finding.about}")
    for name, value in finding.figures:
        print_text(f"{name}: {value}", indent=2)
    for example in finding.examples:
        other = f" and {example.other}" if example.other else ""
        # What may come from the file is one line, whatever it holds.
        print_text(" ".join(f"{example.place}{other}: {example.text}".split()), indent=4)
    print_text(f"What to do: {finding.fix}", indent=2)


def _rate(finding: Finding) -> str:
    return "" if finding.rate is None else f"{finding.rate:.2%}"


def _dev_cell(findings: dict[str, Finding], finding: Finding) -> Iterator[int]:
    if finding.check in findings:
        yield findings[finding.check].count
