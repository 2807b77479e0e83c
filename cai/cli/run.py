"""`cai run`: from one config to trained and evaluated models, stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cai.pipeline import Desk

__all__ = ["carry_out", "run"]

_WAITING = 3
"""Exit code when people have to label before it can go on."""


def run(
    config: Annotated[Path, typer.Argument(help="The config file, for example cai.yaml.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and why; start nothing.")
    ] = False,
    until: Annotated[
        str | None,
        typer.Option(metavar="STAGE", help="Stop after this stage, such as check or train/dpo."),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STAGE",
            help="Leave all stages before this one as they are, even if their inputs have changed.",
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Go on although the config asks something else than the stored run; answers "
            "that are still asked for stay valid.",
        ),
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any key of the config: --set pipeline.train.dpo.settings.dpo.beta=0.05",
            metavar="KEY=VALUE",
        ),
    ] = None,
) -> None:
    """Generate, check, validate, train, evaluate and report, as the section pipeline says.

    Start the same command again to go on after a stop: stages that are done are left as they are,
    those whose inputs have changed are done again, and nothing that was answered is asked again.

    Exits with 3 when people have to label first (pipeline.validate: required).

    Example: cai run cai.yaml --dry-run

    Example: cai run cai.yaml --until check
    """
    from cai.cli.generate import warn
    from cai.cli.settings import overrides_of
    from cai.cli.stages import print_plan
    from cai.config import load_config
    from cai.pipeline import Desk, plan_stages

    settings = load_config(config, overrides_of(setting or []))
    if dry_run:
        desk = Desk(settings, update=update)
        print_plan(plan_stages(desk, first=from_, last=until), settings.run)
        return
    from cai.cli.watching import Printing

    warn(settings)
    carry_out(Desk(settings, update=update, watcher=Printing()), first=from_, last=until)


def carry_out(desk: Desk, *, first: str | None = None, last: str | None = None) -> None:
    """Carry out a pipeline, then print its stages and where to read on.

    Raises:
        CaiError: as `cai.pipeline.carry_out`.
        Exit: people have to label first.
    """
    import cai.pipeline
    from cai.cli.stages import print_stages
    from cai.cli.tables import print_heading, print_text
    from cai.store.stages import read_stages

    outcome = cai.pipeline.carry_out(desk, first=first, last=last)
    print_heading(f"Run {desk.folder}")
    stored = read_stages(desk.folder)
    if stored is not None:
        print_stages(stored, at_work=False)
    report = desk.folder / "report.html"
    if "report" in (*outcome.done, *outcome.left):
        print_text(f"Read {report} in a browser, or {report.with_name('summary.md')}.")
    if outcome.waiting:
        print_text(outcome.waiting)
        raise typer.Exit(_WAITING)
