"""`cai evaluate adherence`: how far the answers of models follow each principle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.evaluate.running import ConfigFile, Folder, JudgeModel, JudgesEngine, Settings
from cai.cli.evaluate.subjects import SubjectOption
from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from cai.evaluate.results import Result

__all__ = ["adherence"]

_SHOWN = 300
"""Most characters of a text in the table of worst examples; the result has the whole."""


def adherence(
    subject: SubjectOption = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="File of prompts, or 'starter'; those of the config when absent."),
    ] = None,
    constitution: Annotated[
        str | None, typer.Option(help="Name or file; that of the config when absent.")
    ] = None,
    config: ConfigFile = None,
    engine: JudgesEngine = None,
    judge: JudgeModel = None,
    propositions: Annotated[
        bool,
        typer.Option(
            "--propositions",
            help="Ask for the statements of principles that have them, in place of a score.",
        ),
    ] = False,
    samples: Annotated[int, typer.Option(min=1, max=64, help="Answers per prompt.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many prompts.")] = 50,
    checks: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Only so many test cases of the constitution check the judge, the same number of "
            "each principle as far as possible; 0: none.",
        ),
    ] = None,
    folder: Folder = None,
    setting: Settings = None,
    draws: Draws = 2000,
) -> None:
    """Let models answer prompts, and judge each answer under each principle on its own.

    The judge is first asked about the test cases of the constitution, one answer at a time; where
    it is not above chance there, no score is given. Start the same command again to go on after a
    stop, or with a larger --limit; nothing that was answered is asked again.

    Example: cai evaluate adherence --subject base=smollm2-135m-instruct --subject models/dpo
    """
    from cai.cli.evaluate.running import finish, measured, open_settings
    from cai.cli.evaluate.subjects import parse_subjects
    from cai.constitution import load_constitution
    from cai.evaluate.registered.adherence import EVALUATION, AdherenceSettings
    from cai.evaluate.session import Session

    settings = open_settings(config, setting, engine, judge, prompts=prompts)
    if constitution is not None:
        settings = settings.model_copy(update={"constitution": constitution})
    subjects = parse_subjects(subject, settings)
    loaded = load_constitution(settings.constitution)
    options = AdherenceSettings(
        prompts=settings.prompts.path,
        samples=samples,
        propositions=propositions,
        checks=checks,
        limit=limit,
        draws=draws,
    )
    EVALUATION.read(options)  # A broken file is told before a model is opened.
    where = folder or Path("runs") / "evaluate-adherence"
    with Session(settings, loaded, where) as session:
        result = measured(session, "adherence", subjects, options)
        _print(result)
    finish(result, where, session.meter)


def _print(result: Result) -> None:
    from cai.cli.evaluate.running import print_figures
    from cai.cli.tables import print_heading, print_table

    about_judge = [f for f in result.figures if not f.subject]
    print_figures("How often the judge is right in test cases", about_judge)
    for name, title in (
        ("adherence", "Adherence, 1 to 10"),
        ("adherence difference", "Differences between subjects, paired by answer"),
        ("without a reading", "Answers under a principle without a reading"),
    ):
        print_figures(title, [f for f in result.figures if f.name == name])
    if weakest := result.details["weakest"]:
        print_heading("Least followed first")
        print_table(("Subject", "Principles"), [(s, ", ".join(p)) for s, p in weakest.items()])
    if worst := result.details["worst"]:
        print_heading("Worst answers")
        print_table(
            ("Subject", "Principle", "Points", "Asked", "Answer"),
            [
                (w["subject"], w["principle"], f"{w['points']:.2f}", *map(_short, _texts(w)))
                for w in worst
            ],
        )


def _texts(row: dict[str, str]) -> tuple[str, str]:
    return row["asked"], row["answer"]


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[: _SHOWN - 1]}…"
