"""A judge that `cai check` and `cai filter` ask about labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.engines.memo import Meter
    from cai.quality import ConfigJudge, SecondOpinion

__all__ = ["JudgeConfig", "JudgeFolder", "JudgeLimit", "JudgeMargin", "OpenJudge", "open_judge"]

JudgeConfig = Annotated[
    Path | None,
    typer.Option(
        help="Config whose judge is asked about labels, for label-inversion: in both orders, under "
        "its constitution."
    ),
]
JudgeLimit = Annotated[
    int | None,
    typer.Option(min=1, help="Ask the judge about at most so many rows, drawn by hash."),
]
JudgeMargin = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=0.5,
        help="The judge contradicts a label when it gives the chosen answer less than one half "
        "minus this; judge.tie_band of its config when absent.",
    ),
]
JudgeFolder = Annotated[
    Path | None,
    typer.Option(
        "--judge-run",
        help="Keeps the judge's answers; runs/check-<file> or RUN/check when absent.",
    ),
]


@dataclass(frozen=True, slots=True)
class OpenJudge:
    """A judge that can be asked, and what was asked of it."""

    second: SecondOpinion
    judge: ConfigJudge

    @property
    def calls(self) -> str:
        """How many calls it has cost, in a sentence."""
        meter = self.judge.meter
        if not (meter.asked or meter.remembered):
            return "The judge was asked nothing."
        known = f"{meter.remembered:,} answers came from memory"
        return f"The judge was asked {meter.asked:,} calls; {known}. Kept in {self.judge.folder}."


def open_judge(
    config: Path | None,
    source: Path,
    limit: int | None,
    margin: float | None,
    folder: Path | None,
    say: Callable[[str], None],
) -> OpenJudge | None:
    """The judge of a config; None without one. Its models are started when it is asked.

    Args:
        config: of the judge.
        source: the file or run that is checked; a run's own answers are used.
        limit: see `SecondOpinion`.
        margin: see `SecondOpinion`; the config's `judge.tie_band` when None.
        folder: keeps the answers.
        say: shows progress.

    Raises:
        ConfigError: the config or its constitution cannot be used.
        UsageError: something is said of a judge, and none is named.
    """
    if config is None:
        if margin is not None or folder is not None:
            raise UsageError(
                "--judge-margin and --judge-run are about a judge, and none is named: add "
                "--judge-config FILE, or leave them out."
            )
        return None
    from cai.cli.published import stem
    from cai.config import load_config
    from cai.constitution import load_constitution
    from cai.quality import ConfigJudge, SecondOpinion
    from cai.wording import counted

    run = source if source.is_dir() else None
    where = folder or (run / "check" if run else Path("runs") / f"check-{stem(source).lower()}")
    settings = load_config(config, {"run": str(where), "prompts.path": str(source.absolute())})

    def progress(pairs: int, meter: Meter) -> None:
        say(
            f"Judged {counted(pairs, 'pair')}: {meter.asked:,} calls, {meter.remembered:,} "
            "remembered …"
        )

    judge = ConfigJudge(
        settings, load_constitution(settings.constitution), where, run=run, progress=progress
    )
    margin = settings.judge.tie_band if margin is None else margin
    return OpenJudge(SecondOpinion(judge, margin, limit), judge)
