"""`cai evaluate tax`: what alignment cost a model in what it could do before."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.evaluate.running import ConfigFile, Folder, JudgesEngine, Settings
from cai.cli.evaluate.subjects import SubjectOption

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cai.evaluate.records import Subject

__all__ = ["tax"]


class AreaName(StrEnum):
    """Areas by the names of their files."""

    arithmetic = "arithmetic"
    language = "language"
    common_sense = "common-sense"
    reading = "reading"
    instructions = "instructions"
    code = "code"
    knowledge = "knowledge"


def tax(
    subject: SubjectOption = None,
    before: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The subject that the others are compared with; the first when absent.",
        ),
    ] = None,
    limit_drop: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            metavar="POINTS",
            help="Exit with 1 where accuracy, in all or in one area, surely fell by more points of "
            "percent (the whole interval lies below), or where that could not be measured. Where "
            "only the estimate lies below, warn.",
        ),
    ] = None,
    area: Annotated[
        list[AreaName] | None,
        typer.Option("--area", help="Only this area; may be repeated. All when absent."),
    ] = None,
    content: Annotated[
        Path | None,
        typer.Option(help="Folder with files of your own in place of those in prompts/tax."),
    ] = None,
    lm_eval: Annotated[
        str | None,
        typer.Option(
            metavar="TASK,TASK", help="Also run these tasks of lm-eval on models of this machine."
        ),
    ] = None,
    lm_eval_results: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Also take what lm-eval wrote about a subject elsewhere. May be repeated.",
        ),
    ] = None,
    config: ConfigFile = None,
    engine: JudgesEngine = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Only so many questions, spread over the areas, and so many of each lm-eval task.",
        ),
    ] = None,
    folder: Folder = None,
    setting: Settings = None,
) -> None:
    """Ask models before and after training the same questions, and tell what was lost.

    Options are read from a model's own probabilities, and instructions checked by exact rules, so
    no judge takes part. Start the same command again to go on after a stop, or with a larger
    --limit; nothing that was answered is asked again, but for tasks of lm-eval.

    Example: cai evaluate tax --subject base=smollm2-135m-instruct --subject dpo=models/dpo

    Example: cai evaluate tax --subject base=b --subject dpo=d --limit-drop 3 --lm-eval arc_easy
    """
    import asyncio

    from cai.cli.evaluate.running import Ticker, finish, open_settings, spent
    from cai.cli.evaluate.subjects import parse_subjects
    from cai.cli.evaluate.tax_output import print_tax, print_verdicts
    from cai.constitution import load_constitution
    from cai.evaluate.session import Session
    from cai.evaluate.tax import (
        ask_tax,
        harness_figures,
        judged_changes,
        read_tax,
        require_harness,
        tax_changes,
        tax_result,
    )

    settings = open_settings(config, setting, engine)
    subjects = parse_subjects(subject, settings)
    first = _before([one.name for one in subjects], before, limit_drop)
    tasks = [task.strip() for task in (lm_eval or "").split(",") if task.strip()]
    if tasks:
        require_harness(subjects)
    elsewhere = _read_elsewhere(lm_eval_results or [], subjects, tasks)
    asked = read_tax([one.value for one in area] if area else list(AreaName), content).first(limit)
    where = folder or Path("runs") / "evaluate-tax"
    with Session(settings, load_constitution(settings.constitution), where) as session:
        ticker = Ticker(session.meter)
        found = asyncio.run(ask_tax(session, subjects, asked, tick=ticker.tick))
        elsewhere |= _run_harness(subjects, tasks, limit, where)
        further = harness_figures(elsewhere, first)
        verdicts = []
        if limit_drop is not None:
            verdicts = judged_changes(tax_changes(found, first), further, limit_drop)
        result = tax_result(
            found, first, further=further, inputs=asked.hash, verdicts=verdicts, **spent(session)
        )
        print_tax(result)
    print_verdicts(verdicts)
    finish(result, where, session.meter)
    if any(one.fails for one in verdicts):
        raise typer.Exit(1)


def _before(names: Sequence[str], before: str | None, limit_drop: float | None) -> str | None:
    """The subject to compare with; None with a single subject.

    Raises:
        UsageError: there is no such subject, or nothing to compare.
    """
    from cai.errors import UsageError, nearest

    if before is not None and before not in names:
        raise UsageError(
            f"--before {before}: no subject is called so; there are {', '.join(names)}."
            f"{nearest(before, names)} Name it with --subject {before}=MODEL, too."
        )
    if len(names) < 2:
        given = "--before" if before is not None else "--limit-drop"
        if before is not None or limit_drop is not None:
            raise UsageError(
                f"{given} compares two subjects, got '{names[0]}' alone. Add --subject NAME=MODEL."
            )
        return None
    return before or names[0]


def _read_elsewhere(
    texts: Sequence[str], subjects: Sequence[Subject], tasks: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Files of lm-eval by subject.

    Raises:
        ConfigError: a file is none of lm-eval.
        UsageError: a text names no subject, or one twice, or the tasks are run here, too.
    """
    from cai.errors import UsageError
    from cai.evaluate.tax import read_harness

    if texts and tasks:
        raise UsageError(
            "--lm-eval and --lm-eval-results: got both. Run the tasks here, or take the files of "
            "another run; leave one of them out."
        )
    found: dict[str, dict[str, Any]] = {}
    names = [one.name for one in subjects]
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or name not in names or name in found:
            raise UsageError(
                f"--lm-eval-results {text}: allowed is NAME=FILE, once for each subject, where "
                f"NAME is one of {', '.join(names)}."
            )
        found[name] = read_harness(Path(file))
    return found


def _run_harness(
    subjects: Sequence[Subject], tasks: Sequence[str], limit: int | None, folder: Path
) -> dict[str, dict[str, Any]]:
    """Results of lm-eval by subject; each is kept in the folder, for --lm-eval-results."""
    if not tasks:
        return {}
    from cai.cli.output import error_console, safe
    from cai.evaluate.tax import run_harness, write_harness

    found = {}
    for subject in subjects:
        error_console().print(safe(f"lm-eval: {', '.join(tasks)} on {subject.name}"))
        found[subject.name] = run_harness(subject, tasks, limit=limit)
        path = write_harness(found[subject.name], folder / "lm-eval" / f"{subject.name}.json")
        error_console().print(safe(f"lm-eval: results in {path}"))
    return found
