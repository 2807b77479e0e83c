"""What `cai constitution lint` writes: text, JSON, or annotations for GitHub Actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from cai.cli.output import plain
from cai.cli.tables import print_heading, print_table, print_text
from cai.constitution.lint import RULES
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.cli.constitution.lint_checks import Checked, Found
    from cai.constitution.lint import Covered, Taxonomy

__all__ = ["print_rules", "write"]

_NAMES = {rule.code: rule.name for rule in RULES}
_KINDS = {"harm": "Harm", "virtue": "Virtue"}


def print_rules() -> None:
    """The page of rules."""
    print_text("Warnings are advice, and errors would spoil labels. Leave out with --ignore CODE.")
    for rule in RULES:
        print_text(f"\n{rule.code}  {rule.name}")
        print_text(f"{rule.what}\nWhy: {rule.why}", indent=4)


def write(checked: Sequence[Checked], format_: str, *, strict: bool) -> None:
    """Write what was found.

    Args:
        checked: one for each constitution.
        format_: text, json or github.
        strict: whether warnings are shown as errors.
    """
    if format_ == "json":
        import json

        data = {"constitutions": [_plain(one, strict) for one in checked]}
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    for one in checked:
        for found in one.findings:
            if format_ == "github":
                typer.echo(_annotation(one, found, strict))
            else:
                _print_finding(one, found, strict)
        for taxonomy, covered in one.coverage:
            _print_coverage(taxonomy, covered)
        if one.asked is not None:
            print_text(one.asked.text)
        print_text(_summary(one, strict))
    if len(checked) > 1:
        every = [found for one in checked for found in one.findings]
        print_text(f"{counted(len(checked), 'constitution')}: {_counts(every, strict)}.")


def _print_finding(one: Checked, found: Found, strict: bool) -> None:
    finding, level = found.finding, _level(found, strict)
    colour = typer.colors.RED if level == "error" else typer.colors.YELLOW
    where = f"{_relative(one)}:{found.line}" if found.line else _relative(one)
    about = finding.principle_id or "whole constitution"
    head = f"{level:<7}  {about}  {finding.code} {_NAMES[finding.code]}  ({where})"
    typer.secho(plain(head), fg=colour, bold=True)
    print_text(f"{finding.message}\nFix: {finding.fix}", indent=2)
    typer.echo()


def _annotation(one: Checked, found: Found, strict: bool) -> str:
    """A workflow command, escaped as GitHub's runner reads it; its docs list the properties."""
    finding = found.finding
    line = f",line={found.line}" if found.line else ""
    title = f"{finding.code} {_NAMES[finding.code]}"
    about = f"{finding.principle_id}: " if finding.principle_id else ""
    message = _escaped(plain(f"{about}{finding.message} Fix: {finding.fix}"))
    file = _escaped(plain(_relative(one)), ":,")
    return f"::{_level(found, strict)} file={file}{line},title={_escaped(title, ':,')}::{message}"


def _escaped(text: str, more: str = "") -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for mark in more:
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text


def _relative(one: Checked) -> str:
    """The path from here where it lies below, as annotations need it, and else as it is."""
    from pathlib import Path

    path, here = one.path.resolve(), Path.cwd().resolve()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()


def _print_coverage(taxonomy: Taxonomy, covered: Sequence[Covered]) -> None:
    print_heading(f"Coverage of '{taxonomy.taxonomy}'")
    print_table(
        ("Category", "Kind", "By tag", "By words"),
        [
            (
                one.category.id,
                _KINDS[one.category.kind],
                _some(one.by_tag) if one.anywhere else "none",
                _some([f"{who} ('{word}')" for who, word in one.by_words]),
            )
            for one in covered
        ],
    )
    print_text(
        "This goes by tags and words alone: a principle may be about a category without naming it, "
        "or name it only to leave it out. Look before you rely on it.\n"
    )


def _some(ids: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(ids) - shown} more" if len(ids) > shown else ""
    return ", ".join(ids[:shown]) + more


def _summary(one: Checked, strict: bool) -> str:
    loaded = one.constitution
    head = f"{loaded.label}: {counted(len(loaded.principles), 'principle')}"
    return f"{head}, {_counts(one.findings, strict)}."


def _counts(findings: Sequence[Found], strict: bool) -> str:
    if not findings:
        return "no findings"
    errors = sum(_level(found, strict) == "error" for found in findings)
    return f"{counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')}"


def _level(found: Found, strict: bool) -> str:
    return "error" if strict else found.finding.level


def _plain(one: Checked, strict: bool) -> dict[str, Any]:
    loaded = one.constitution
    levels = [_level(found, strict) for found in one.findings]
    data: dict[str, Any] = {
        "constitution": loaded.label,
        "hash": loaded.hash,
        "file": str(one.path),
        "principles": len(loaded.principles),
        "errors": levels.count("error"),
        "warnings": levels.count("warning"),
        "findings": [_plain_finding(found, strict) for found in one.findings],
    }
    if one.coverage:
        data["coverage"] = {
            taxonomy.taxonomy: [
                {
                    "category": c.category.id,
                    "kind": c.category.kind,
                    "by_tag": list(c.by_tag),
                    "by_words": dict(c.by_words),
                }
                for c in covered
            ]
            for taxonomy, covered in one.coverage
        }
    if one.asked is not None:
        asked = one.asked
        data["contradictions"] = {
            "judge": asked.judge,
            "pairs": asked.pairs,
            "in_both_orders": [
                {"first": one.pair[0].id, "second": one.pair[1].id, "p_contradict": list(one.p)}
                for one in asked.said
            ],
            "in_one_order": asked.torn,
            "unanswered": asked.silent,
            "known_pairs": asked.known,
            "known_pairs_right": asked.right,
            "believed": asked.believed,
            "folder": str(asked.folder),
        }
    return data


def _plain_finding(found: Found, strict: bool) -> dict[str, Any]:
    finding = found.finding
    return {
        "code": finding.code,
        "name": _NAMES[finding.code],
        "level": _level(found, strict),
        "principle": finding.principle_id or None,
        "key": finding.key or None,
        "line": found.line,
        "message": finding.message,
        "fix": finding.fix,
    }
