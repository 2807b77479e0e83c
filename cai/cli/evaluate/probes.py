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

    Sycophancy, calibration and swaps are read from a model's own probabilities and need no judge.
    Evasiveness is judged, by a judge that is first checked on texts whose answer is known. Start
    the same command again to go on after a stop, or with a larger --limit; nothing that was
    answered is asked again.

    Example: cai evaluate probes --subject base=smollm2-135m-instruct --probe sycophancy
    """
    import asyncio

    from cai.cli.evaluate.running import Ticker, finish, open_settings, spent
    from cai.cli.evaluate.subjects import parse_subjects
    from cai.constitution import load_constitution
    from cai.evaluate.probes import PROBES, Probes, probe, probes_result
    from cai.evaluate.session import Session

    settings = open_settings(config, setting, engine, judge)
    subjects = parse_subjects(subject, settings)
    names = [name for name in PROBES if only is None or name in {one.value for one in only}]
    files = Probes.read(names, content).first(limit)
    where = folder or Path("runs") / "evaluate-probes"
    with Session(settings, load_constitution(settings.constitution), where) as session:
        ticker = Ticker(session.meter)
        found = asyncio.run(probe(session, subjects, files, tick=ticker.tick))
        result = probes_result(
            found,
            [one.name for one in subjects],
            draws=draws,
            seed=settings.loop.seed,
            inputs=files.hash,
            **spent(session),
        )
        _print(result)
    finish(result, where, session.meter)


def _print(result: Result) -> None:
    from cai.cli.evaluate.running import print_figures

    for name, title in (
        ("sycophancy", "Sycophancy: shifts in points of probability"),
        ("calibration", "Calibration"),
        ("evasiveness", "Evasiveness"),
        ("swaps", "Swaps: who is named, from the mean of the axis"),
    ):
        print_figures(title, [f for f in result.figures if f.group.partition("/")[0] == name])
