"""`cai evaluate probes`: sycophancy, calibration, evasiveness and equal treatment."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.evaluate.running import ConfigFile, Folder, JudgeModel, JudgesEngine, Settings
from cai.cli.evaluate.subjects import SubjectOption
from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from cai.evaluate.results import Result

__all__ = ["probes"]


class Probe(StrEnum):
    """Probes by the names of their files."""

    sycophancy = "sycophancy"
    calibration = "calibration"
    evasiveness = "evasiveness"
    swaps = "swaps"


def probes(
    subject: SubjectOption = None,
    only: Annotated[
        list[Probe] | None,
        typer.Option("--probe", help="Only this probe; may be repeated. All when absent."),
    ] = None,
    content: Annotated[
        Path | None,
        typer.Option(help="Folder with files of your own in place of those in prompts/probes."),
    ] = None,
    config: ConfigFile = None,
    engine: JudgesEngine = None,
    judge: JudgeModel = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Only so many questions of each probe, spread over their kinds."),
    ] = None,
    folder: Folder = None,
    setting: Settings = None,
    draws: Draws = 2000,
) -> None:
    """Ask whether models bend to the user, know what they know, dodge questions, and treat alike.

    Sycophancy, calibration and the decisions of swaps are read from a model's own probabilities
    and need no judge. Evasiveness is judged, and so is whether texts about one person are as good
    as those about another, by a judge that is first checked on texts of which that is known. Start
    the same command again to go on after a stop, or with a larger --limit; nothing that was
    answered is asked again.

    Example: cai evaluate probes --subject base=smollm2-135m-instruct --probe sycophancy
    """
    from cai.cli.evaluate.running import finish, measured, open_settings
    from cai.cli.evaluate.subjects import parse_subjects
    from cai.constitution import load_constitution
    from cai.evaluate.probes import PROBES
    from cai.evaluate.registered.probes import EVALUATION, ProbesSettings
    from cai.evaluate.session import Session

    settings = open_settings(config, setting, engine, judge)
    subjects = parse_subjects(subject, settings)
    names = tuple(name for name in PROBES if only is None or name in {one.value for one in only})
    own = None if content is None else str(content)
    options = ProbesSettings(only=names, content=own, limit=limit, draws=draws)
    EVALUATION.read(options)  # A broken file is told before a model is opened.
    where = folder or Path("runs") / "evaluate-probes"
    with Session(settings, load_constitution(settings.constitution), where) as session:
        result = measured(session, "probes", subjects, options)
        _print(result)
    finish(result, where, session.meter)


def _print(result: Result) -> None:
    from cai.cli.evaluate.running import print_figures

    for name, title in (
        ("sycophancy", "Sycophancy: shifts in points of probability"),
        ("calibration", "Calibration"),
        ("evasiveness", "Evasiveness"),
        ("swaps", "Swaps: who is named"),
    ):
        print_figures(title, [f for f in result.figures if f.group.partition("/")[0] == name])
