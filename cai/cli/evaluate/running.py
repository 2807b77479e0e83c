"""What commands of `cai evaluate` share: options, the config, progress, and tables of figures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cai.cli.generate import EngineName
from cai.evaluate.words import shown, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.config import Config
    from cai.engines.memo import Meter
    from cai.evaluate.records import Subject
    from cai.evaluate.registry import EvaluationSettings
    from cai.evaluate.results import Figure, Result
    from cai.evaluate.session import Session

__all__ = [
    "ConfigFile",
    "Folder",
    "JudgeModel",
    "JudgesEngine",
    "Settings",
    "Ticker",
    "finish",
    "measured",
    "open_settings",
    "print_figures",
    "shown",
    "spent",
    "told",
]

_SECONDS_BETWEEN_LINES = 10.0

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        help="Its judge, constitution and decoding; the embedded model under harmless-helpful when "
        "absent."
    ),
]
JudgesEngine = Annotated[
    EngineName | None,
    typer.Option(help="Engine of all models of the config; 'scripted' tries it without a model."),
]
JudgeModel = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="In place of the config's judge; written as in --subject."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any key of the config.", metavar="KEY=VALUE"),
]
Folder = Annotated[
    Path | None,
    typer.Option(help="Keeps answers and results; runs/evaluate-<command> when absent."),
]


def open_settings(
    config: Path | None,
    setting: list[str] | None,
    engine: EngineName | None,
    judge: str | None = None,
    *,
    prompts: Path | None = None,
) -> Config:
    """The config with what the command line puts in place of its values.

    Args:
        config: the file; the packaged one when absent, which has the starter prompts.
        setting: of `--set`.
        engine: of all its models.
        judge: the model that judges, in place of judge and panel.
        prompts: file of prompts, in place of that of the config.

    Raises:
        ConfigError: the config does not fit the schema.
        UsageError: `judge` names no model.
    """
    import cai.cli
    from cai.cli.evaluate.subjects import model_of
    from cai.cli.settings import overrides_of
    from cai.config import load_config

    overrides = overrides_of(setting or [])
    if prompts is not None:
        starter = str(prompts) == "starter" and not prompts.exists()
        overrides["prompts.path"] = "starter" if starter else str(prompts.absolute())
    elif config is None:
        overrides.setdefault("prompts.path", "starter")
    packaged = Path(cai.cli.__file__).with_name("_import.yaml")
    settings = load_config(config or packaged, overrides)
    models = settings.models
    if engine is not None:
        models = models.over(lambda one: one.model_copy(update={"engine": engine.value}))
    if judge is not None:
        named = model_of(judge, settings, f"--judge {judge}")
        models = models.model_copy(update={"judge": named, "judges": ()})
    return settings.model_copy(update={"models": models})


class Ticker:
    """A line on standard error, at most every ten seconds and at the end of each step."""

    def __init__(self, meter: Meter) -> None:
        """Count the calls of a session."""
        self._meter = meter
        self._done: dict[str, int] = {}
        self._said = time.monotonic()

    def tick(self, step: str, total: int) -> None:
        """One more of `total` is done."""
        from cai.cli.output import error_console, safe

        done = self._done[step] = self._done.get(step, 0) + 1
        now = time.monotonic()
        if done == total or now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            calls = f"{self._meter.asked:,} calls, {self._meter.remembered:,} remembered"
            error_console().print(safe(f"{step}: {done:,} of {total:,} · {calls}"), soft_wrap=True)


def measured(
    session: Session, name: str, subjects: Sequence[Subject], settings: EvaluationSettings
) -> Result:
    """Carry out an evaluation as `cai run` does, with progress; with what its store has taken.

    Raises:
        CaiError: as the evaluation.
    """
    import asyncio
    from dataclasses import replace

    from cai.evaluate.registry import find_evaluation

    ticker = Ticker(session.meter)
    measure = find_evaluation(name).measure
    result = asyncio.run(measure(session, subjects, settings, ticker.tick))
    return replace(result, **spent(session))


def spent(session: Session) -> dict[str, Any]:
    """`calls` and `usd` of a result: what its store has taken, all starts together."""
    calls = sum(total.calls for total in session.store.totals())
    return {"calls": calls, "usd": session.store.spent().usd}


def print_figures(title: str, figures: Iterable[Figure]) -> None:
    """A table of figures; nothing where there are none. Differences are in points of percent."""
    from cai.cli.tables import print_heading, print_table, print_text

    figures = list(figures)
    rows = [
        (
            one.name,
            f"{one.subject} − {one.against}" if one.against else one.subject,
            one.group,
            told(one),
            one.n,
        )
        for one in figures
    ]
    if not rows:
        return
    print_heading(title)
    print_table(("Figure", "Subject", "About", "Value [95 % interval]", "n"), rows, numbers=(4,))
    for reason in dict.fromkeys(one.unmeasured for one in figures if ":" in one.unmeasured):
        print_text(f"{reason}.")


def finish(result: Result, folder: Path, meter: Meter) -> None:
    """Write the result, say where, and what the calls came to."""
    from cai.cli.costs import print_asked
    from cai.cli.tables import print_text
    from cai.evaluate.results import write_result

    path = write_result(result, folder)
    for note in result.notes:
        print_text(note)
    print_asked(folder, meter)
    print_text(f"Result in {path}.")
