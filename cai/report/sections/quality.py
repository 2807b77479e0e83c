"""What the quality checks found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Fold, Note, Section, Table

if TYPE_CHECKING:
    from cai.quality import Finding
    from cai.report.blocks import Block, Level
    from cai.report.figures import Figures

__all__ = ["quality_section"]

_GRAVITY = ("error", "warning", "info", "ok")


def quality_section(figures: Figures) -> Section:
    """Checks that found something, gravest first, then all of them."""
    quality = figures.quality
    train, dev = quality.train, quality.dev
    lead = (
        f"Checks of the {train.rows:,} rows that may be trained on, and of the {dev.rows:,} rows "
        "of the split dev. Held-out rows are not read."
    )
    if not train.rows:
        none = Note("There are no rows to check yet.", "warn")
        return Section("quality", "Data quality", lead, (none,))
    in_dev = {finding.check: finding for finding in dev.findings}
    found = sorted(
        (f for f in train.findings if f.level != "ok"), key=lambda f: _GRAVITY.index(f.level)
    )
    blocks: list[Block] = [_verdict(found), _compared(quality.against)]
    if found:
        blocks.append(
            Table(
                "Findings, gravest first",
                ("Level", "Check", "Rows", "What was found", "What to do"),
                tuple((f.level, f.check, _count(f), f.about, f.fix) for f in found),
                frozenset({2}),
            )
        )
        blocks.append(Fold("Examples of findings", _examples(found)))
    blocks.append(
        Fold(
            f"All {len(train.findings):,} checks",
            Table(
                "All checks",
                ("Check", "Level", "Train", "Dev"),
                tuple((f.check, f.level, _count(f), _dev(in_dev, f)) for f in train.findings),
                frozenset({2, 3}),
            ),
        )
    )
    return Section("quality", "Data quality", lead, tuple(blocks))


def _verdict(found: list[Finding]) -> Note:
    grave = {level: sum(f.level == level for f in found) for level in ("error", "warning")}
    if not any(grave.values()):
        return Note("No check found an error or gives a warning.", "good")
    level: Level = "bad" if grave["error"] else "warn"
    return Note(f"Checks with errors: {grave['error']}; with warnings: {grave['warning']}.", level)


def _compared(files: int) -> Note:
    if not files:
        return Note(
            "The rows were not compared with evaluation data, because no file was named with "
            "--against."
        )
    word = "file" if files == 1 else "files"
    return Note(f"The rows were compared with {files:,} {word} of evaluation data.")


def _examples(found: list[Finding]) -> Table:
    rows = []
    for finding in found:
        rows += [(finding.check, name, value) for name, value in finding.figures[:8]]
        for example in finding.examples:
            place = f"{example.place} and {example.other}" if example.other else example.place
            rows.append((finding.check, place, example.text))
    return Table("Figures and examples of findings", ("Check", "Where", "What"), tuple(rows))


def _count(finding: Finding) -> str:
    rate = "" if finding.rate is None else f" ({finding.rate:.1%})"
    return f"{finding.count:,} of {finding.of:,}{rate}"


def _dev(findings: dict[str, Finding], finding: Finding) -> str:
    other = findings.get(finding.check)
    return _count(other) if other else "not run"
