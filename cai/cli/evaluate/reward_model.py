"""`cai evaluate reward-model`: a trained reward model on labelled pairs and on candidates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.cli.evaluate.scoring import Scorer
    from cai.evaluate.results import Result
    from cai.evaluate.reward_model import CandidateSet

__all__ = ["reward_model"]


def reward_model(
    model: Annotated[Path, typer.Argument(help="Folder of a reward model (cai train rm).")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled pairs: prompt, chosen, rejected and perhaps subset, as texts or turns; "
            "JSONL, plain or gzip, or Parquet."
        ),
    ] = None,
    candidates: Annotated[
        Path | None,
        typer.Option(
            help="Prompts with several candidates, each with text, gold and perhaps score: what "
            "the best of n is worth."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many rows.")] = None,
    max_length: Annotated[
        int, typer.Option(min=8, help="Most tokens of prompt and answer, as in the training.")
    ] = 512,
    folder: Annotated[
        Path | None, typer.Option(help="Of the result; runs/evaluate-<model> when absent.")
    ] = None,
    draws: Draws = 2000,
) -> None:
    """Say how often a reward model prefers the better answer, and what its best of n is worth.

    Candidates that bring their own scores are not scored again. Everything runs in this process
    and costs nothing.

    Example: cai evaluate reward-model models/rm --data reward-bench.jsonl
    """
    from cai.cli.evaluate.scoring import Scorer
    from cai.cli.tables import print_text
    from cai.errors import UsageError
    from cai.evaluate.results import write_result
    from cai.evaluate.reward_model import (
        read_candidates,
        read_labelled_pairs,
        reward_model_result,
    )
    from cai.evaluate.reward_model.words import inputs_of, notes_of

    if data is None and candidates is None:
        raise UsageError("Name labelled pairs with --data, or candidates with --candidates.")
    pairs, left_out = read_labelled_pairs(data, limit) if data is not None else ([], 0)
    sets = read_candidates(candidates, limit) if candidates is not None else []
    scorer = Scorer(model, max_length)
    result = reward_model_result(
        model.absolute().name,
        scorer.pairs(pairs),
        _scored(scorer, sets),
        draws=draws,
        inputs=inputs_of(pairs, sets),
        notes=notes_of(pairs, left_out, sets),
    )
    _print(result)
    path = write_result(result, folder or Path("runs") / f"evaluate-{model.absolute().name}")
    for note in result.notes:
        print_text(note)
    print_text(f"{scorer.scored:,} answers scored in this process. Result in {path}.")


def _scored(
    scorer: Scorer, sets: Sequence[CandidateSet]
) -> list[tuple[CandidateSet, tuple[float, ...]]]:
    open_ones = [one for one in sets if not one.scores]
    asked = [(one.prompt.messages, text) for one in open_ones for text in one.texts]
    values = iter(scorer.score(asked, "Candidates"))
    return [(one, one.scores or tuple(next(values) for _ in one.texts)) for one in sets]


def _print(result: Result) -> None:
    from cai.cli.evaluate.running import print_figures

    of_n = [one for one in result.figures if one.group.startswith("n=")]
    print_figures("Labelled pairs", [one for one in result.figures if one not in of_n])
    print_figures("Best of n", of_n)
