"""`cai evaluate two-turn`: how helpful models are in two turns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cai.cli.evaluate.running import ConfigFile, Folder, JudgeModel, JudgesEngine, Settings
from cai.cli.evaluate.subjects import SubjectOption
from cai.cli.judge.options import Draws

__all__ = ["two_turn"]


def two_turn(
    questions: Annotated[
        Path,
        typer.Option(help="JSONL in the form of MT-bench: question_id, category, two turns."),
    ],
    subject: SubjectOption = None,
    config: ConfigFile = None,
    engine: JudgesEngine = None,
    judge: JudgeModel = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many questions, spread over categories.")
    ] = None,
    checks: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Only so many of the packaged pairs check the judge; 0: none. All if absent.",
        ),
    ] = None,
    folder: Folder = None,
    setting: Settings = None,
    draws: Draws = 2000,
) -> None:
    """Let models answer two turns of a conversation, and rate each answer from 1 to 10.

    The judge is first checked on packaged pairs of a more and a less helpful answer; where it is
    not above chance there, no points are given. Start the same command again to go on after a
    stop, or with a larger --limit; nothing that was answered is asked again.

    Example: cai evaluate two-turn --questions question.jsonl --subject models/dpo
    """
    from cai.cli.evaluate.running import finish, measured, open_settings, print_figures
    from cai.cli.evaluate.subjects import parse_subjects
    from cai.constitution import load_constitution
    from cai.evaluate.registered.two_turn import EVALUATION, TwoTurnSettings
    from cai.evaluate.session import Session

    options = TwoTurnSettings(questions=str(questions), limit=limit, checks=checks, draws=draws)
    EVALUATION.read(options)  # A broken file is told before a model is opened.
    settings = open_settings(config, setting, engine, judge)
    subjects = parse_subjects(subject, settings)
    where = folder or Path("runs") / "evaluate-two-turn"
    with Session(settings, load_constitution(settings.constitution), where) as session:
        result = measured(session, "two-turn", subjects, options)
        print_figures("Helpfulness in two turns, 1 to 10", result.figures)
    finish(result, where, session.meter)
