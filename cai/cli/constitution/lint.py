"""`cai constitution lint`: what a careful colleague would remark on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.generate import EngineName

if TYPE_CHECKING:
    from cai.cli.constitution.lint_checks import Checked, Wanted

__all__ = ["LintFormat", "lint"]


class LintFormat(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"
    github = "github"


def lint(
    constitutions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME[@VERSION]|FILE...",
            help="Names (their highest versions), names with versions, or YAML files of your own.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on warnings too, as a final check would.")
    ] = False,
    format_: Annotated[
        LintFormat,
        typer.Option(
            "--format",
            help="text to read; json for programs; github for annotations in GitHub Actions.",
        ),
    ] = LintFormat.text,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE",
            help="Leave out rules, by code or its beginning: C204, or C3; several with commas, or "
            "repeat it.",
        ),
    ] = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Print every rule, what it finds and why.")
    ] = False,
    prompts: Annotated[
        Path | None,
        typer.Option(help="Prompt file, or 'starter', to hold 'applies_to' against."),
    ] = None,
    coverage: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Show which harms and virtues of a list no principle is about: 'assistant', "
            "'ailuminate', or a YAML file. May be repeated.",
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="TOKENS", help="Check that the questions fit into a model's context."
        ),
    ] = None,
    contradictions: Annotated[
        bool,
        typer.Option(
            "--contradictions",
            help="Ask a judge which rules contradict each other; with --config or --engine.",
        ),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="With --context: its templates, token limits and judge.scope. With "
            "--contradictions: its judge."
        ),
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(
            help="With --contradictions: engine of the judge, of the embedded model where there "
            "is no --config; 'scripted' tries it without a model."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="PAIRS",
            help="With --contradictions: most pairs, those with the most words in common; 190 "
            "when absent, which are all pairs of 20 principles.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="With --contradictions: keeps the answers; runs/contradictions-<name> when absent."
        ),
    ] = None,
) -> None:
    """Check constitutions and say what to improve.

    Errors would spoil labels; warnings are advice. Exit codes: 0 without errors, 1 with errors
    (with --strict also with warnings), 2 when something cannot be read or the options are wrong.

    Example: cai constitution lint my-rules/1.0.0.yaml --coverage assistant
    """
    from cai.cli.constitution.lint_checks import Wanted, check
    from cai.cli.constitution.lint_output import print_rules, write
    from cai.constitution.lint import codes_of
    from cai.errors import UsageError

    if rules:
        print_rules()
        return
    if not constitutions:
        raise UsageError(
            "Name at least one constitution: cai constitution lint harmless-helpful, or a YAML "
            "file. All rules: cai constitution lint --rules"
        )
    codes = [code.strip() for given in ignore or [] for code in given.split(",")]
    wanted = Wanted(
        codes_of(codes),
        prompts,
        tuple(coverage or ()),
        context,
        contradictions,
        config,
        engine.value if engine else None,
        limit,
        folder,
    )
    _require_uses(wanted)
    checked = check(constitutions, wanted)
    write(checked, format_.value, strict=strict)
    if any(_fails(one, strict) for one in checked):
        raise typer.Exit(1)


def _fails(checked: Checked, strict: bool) -> bool:
    return any(strict or found.finding.level == "error" for found in checked.findings)


def _require_uses(wanted: Wanted) -> None:
    """Refuse an option that would do nothing."""
    from cai.errors import UsageError

    of_judge = {"engine": wanted.engine, "limit": wanted.limit, "folder": wanted.folder}
    for name, value in of_judge.items():
        if value is not None and not wanted.contradictions:
            raise UsageError(f"--{name} is for --contradictions. Add that, or remove --{name}.")
    if wanted.config is not None and not wanted.contradictions and wanted.context is None:
        raise UsageError(
            "--config is for --context and --contradictions. Add one of them, or remove --config."
        )
    if wanted.contradictions and wanted.config is None and wanted.engine is None:
        raise UsageError(
            "--contradictions asks a judge. Name one with --config FILE, or --engine transformers "
            "for the embedded model, whose word is worth little."
        )
