"""`cai drift`: a ledger of evaluated checkpoints, and whether the newest got worse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cai.cli.compare import print_sheets
from cai.cli.drift_ledger import DEFAULT, LedgerFolder, add, incident, list_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.drift import Entry, Ledger
    from cai.drift.redo import Step

__all__ = ["app"]


class _CheckByDefault(TyperGroup):
    """`cai drift` and `cai drift --tolerance 0.02` are `cai drift check …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["check", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_CheckByDefault,
    rich_markup_mode="rich",
    help="Watch checkpoints over time: regressions, roll-back, and what to do again. "
    "`cai drift` is `cai drift check`.",
)


@app.command()
def check(
    ledger: LedgerFolder = None,
    figures: Annotated[
        list[str] | None,
        typer.Option(
            "--figure",
            metavar="PATTERN",
            help="Watch these, such as 'refusal/*' or '*/over_refusal/medical'; all that are over "
            "whole evaluations when absent.",
        ),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[PATTERN=]VALUE",
            help="How much worse a figure may get: 0.02 is two points of a share.",
        ),
    ] = None,
    constitution: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[@VERSION]|FILE", help="Say what this constitution makes necessary."
        ),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Say what this base model makes necessary.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Say what this config makes necessary, stage by stage of cai run."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write everything to this JSON file.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write the tables to this Markdown file.")
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap samples of each interval.")] = 2000,
) -> None:
    """Compare the newest checkpoint of a ledger with its predecessor and the best so far.

    Exits with 1 on a regression: a figure whose 95 % interval of change lies wholly on the bad
    side, beyond the tolerance. Figures that no evaluator could measure, or of other questions,
    judges or constitutions, do not count. Nothing is asked and no model is loaded.

    Example: cai drift add runs/second && cai drift check --tolerance 0.02
    """
    from cai.cli.drift_output import plain_verdict, verdict_lines, verdict_sheets
    from cai.cli.tables import print_text
    from cai.drift import Ledger, Tolerances, Watched, watch

    book = Ledger(ledger or DEFAULT)
    verdict = watch(
        book,
        watched=Watched(tuple(figures or ())),
        tolerances=Tolerances.parse(tolerance or ()),
        draws=draws,
    )
    sheets = list(verdict_sheets(verdict))
    print_sheets(sheets)
    for line in verdict_lines(verdict):
        print_text(line)
    steps = _redo(book, verdict.newest, constitution, base, config)
    pages = _print_redo(steps)
    if json_file is not None:
        _write_json(json_file, plain_verdict(verdict, steps))
    if markdown is not None:
        _write_markdown(markdown, [*sheets, *pages], list(verdict_lines(verdict)))
    if config is not None:
        _print_plan(config)
    if verdict.regressions:
        raise typer.Exit(1)


app.command()(add)
app.command("list")(list_)
app.command()(incident)


def _redo(
    book: Ledger,
    newest: Entry | None,
    constitution: str | None,
    base: str | None,
    config: Path | None,
) -> dict[str, Sequence[Step]]:
    """What is to be done again, by what changes."""
    if newest is None or not (constitution or base or config):
        return {}
    from cai.config import load_config
    from cai.constitution import load_constitution
    from cai.constitution.lock import resolve_locked
    from cai.drift.redo import for_base, for_constitution
    from cai.store.export_rows import public

    settings = None if config is None else load_config(config)
    after = None if constitution is None else load_constitution(constitution)
    if settings is not None:
        after = after or resolve_locked(settings.constitution, Path(settings.run), update=True)
        base = base or public(settings.models.policy.model or "")
    steps: dict[str, Sequence[Step]] = {}
    if base and base != newest.base:
        steps["new base model"] = for_base(newest.base, base)
    before = book.constitution(newest)
    if after is not None and after.hash != newest.constitution_hash:
        if before is None:
            from cai.errors import UsageError

            raise UsageError(
                f"The ledger does not hold the constitution of {newest.name}, so what changed "
                "cannot be told. Add checkpoints with --constitution."
            )
        steps["changed constitution"] = for_constitution(before, after)
    return steps


def _print_redo(steps: dict[str, Sequence[Step]]) -> list[Any]:
    from cai.cli.drift_output import redo_sheet

    pages = [redo_sheet(f"To do again: {what}", some) for what, some in steps.items()]
    print_sheets(pages)
    return pages


def _print_plan(config: Path) -> None:
    """What `cai run` would do, and the calls that each change makes necessary."""
    from cai.cli.compared import effect_line
    from cai.cli.stages import print_plan
    from cai.cli.tables import print_heading, print_text
    from cai.config import load_config
    from cai.pipeline import Desk, plan_stages

    settings = load_config(config)
    stages = plan_stages(Desk(settings, update=True))
    print_plan(stages, settings.run)
    for one in stages:
        changes = one.asks.changes if one.asks and one.stage.kind == "generate" else None
        if changes is not None and changes.effects:
            print_heading(f"{one.stage.name}: what each change asks")
            for effect in changes.effects:
                print_text(effect_line(effect, changes.rows.new))


def _write_json(path: Path, data: Any) -> None:
    import json

    from cai.cli.tables import print_text
    from cai.constitution.atomic import write_atomically

    write_atomically(path, json.dumps(data, indent=2, ensure_ascii=True) + "\n")
    print_text(f"Wrote {path}.")


def _write_markdown(path: Path, sheets: list[Any], lines: list[str]) -> None:
    from cai.cli.tables import print_text
    from cai.compare.sheets import Sheet, render_markdown
    from cai.constitution.atomic import write_atomically

    pages = [Sheet("Verdict", notes=tuple(lines)), *sheets]
    write_atomically(path, render_markdown("Drift", pages))
    print_text(f"Wrote {path}.")
