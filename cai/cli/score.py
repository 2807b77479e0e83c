"""`cai score`: rewards of a file's answers from a trained reward model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["score"]


def score(
    model: Annotated[Path, typer.Argument(help="Folder of a reward model (cai train rm).")],
    file: Annotated[
        Path,
        typer.Argument(help="JSONL, plain or gzip: comparisons, rankings, answers or hh-rlhf."),
    ],
    output: Annotated[
        Path | None, typer.Option(help="Where the scores go; NAME.scores.jsonl here by default.")
    ] = None,
    max_length: Annotated[
        int, typer.Option(min=8, help="Most tokens of prompt and answer, as in the training.")
    ] = 512,
) -> None:
    """Score the answers of a file with a reward model.

    Each row of the output has the line that it is about. A comparison gets the rewards of chosen
    and rejected, their margin, and p, the probability that chosen is better.

    Example: cai score models/rm pairs.jsonl --output scores.jsonl
    """
    from rich.progress import Progress, TextColumn

    from cai.cli.output import error_console
    from cai.cli.tables import print_heading, print_table
    from cai.engines.inprocess.loading import quiet
    from cai.train.rewards.learned import LearnedReward
    from cai.train.score import score_file

    output = output or Path(f"{file.name.removesuffix('.gz').removesuffix('.jsonl')}.scores.jsonl")
    with quiet():
        reward = LearnedReward.load(model, max_length=max_length)
    columns = (TextColumn("{task.description}"),)
    with Progress(*columns, console=error_console(), transient=True) as bar:
        task = bar.add_task("Scoring …", total=None)
        scores = score_file(
            reward,
            file,
            output,
            progress=lambda lines: bar.update(task, description=f"Scored {lines:,} lines …"),
        )
    print_heading(f"Scores in {output}")
    rows = [("Rows", f"{scores.rows:,} scored, {scores.left_out:,} left out")]
    rows.append(("Reward", f"mean {scores.mean:.3f}, standard deviation {scores.deviation:.3f}"))
    print_table(("What", "How much"), rows + _pairs(scores.pairs))


def _pairs(figures: dict[str, float]) -> list[tuple[str, str]]:
    if not figures:
        return []
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    rows = [
        ("Chosen wins", f"{figures['accuracy']:.1%}, 95 % interval {low:.1%} to {high:.1%}"),
        ("The shorter wins", f"{figures['shorter_wins']:.1%}"),
    ]
    names = [n for n in ("longer", "shorter") if f"accuracy_chosen_{n}" in figures]
    for name in names:
        rows += [(f"Chosen wins where it is {name}", f"{figures[f'accuracy_chosen_{name}']:.1%}")]
    return rows
