"""`cai evaluate reward-model`: a trained reward model on labelled pairs and on candidates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.results import Result
    from cai.evaluate.reward_model import CandidateSet, LabelledPair, ScoredPair
    from cai.records import Message
    from cai.train.rewards import Reward

__all__ = ["reward_model"]

_AT_ONCE = 64


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
    from cai.cli.tables import print_text
    from cai.errors import UsageError
    from cai.evaluate.results import write_result
    from cai.evaluate.reward_model import (
        read_candidates,
        read_labelled_pairs,
        reward_model_result,
    )

    if data is None and candidates is None:
        raise UsageError("Name labelled pairs with --data, or candidates with --candidates.")
    pairs, left_out = read_labelled_pairs(data, limit) if data is not None else ([], 0)
    sets = read_candidates(candidates, limit) if candidates is not None else []
    scorer = _Scorer(model, max_length)
    result = reward_model_result(
        model.absolute().name,
        scorer.pairs(pairs),
        scorer.candidates(sets),
        draws=draws,
        inputs=_inputs(pairs, sets),
        notes=_notes(pairs, left_out, sets),
    )
    _print(result)
    path = write_result(result, folder or Path("runs") / f"evaluate-{model.absolute().name}")
    for note in result.notes:
        print_text(note)
    print_text(f"{scorer.scored:,} answers scored in this process. Result in {path}.")


class _Scorer:
    """The model, opened when something is to be scored, with progress on standard error."""

    def __init__(self, model: Path, max_length: int) -> None:
        self._model, self._max_length = model, max_length
        self._reward: Reward | None = None
        self.scored = 0

    def pairs(self, pairs: Sequence[LabelledPair]) -> list[ScoredPair]:
        from cai.evaluate.reward_model import ScoredPair

        both = [(one.prompt, text) for one in pairs for text in (one.chosen, one.rejected)]
        found = self._score(both, "Answers of pairs")
        return [ScoredPair.of(one, *found[2 * i : 2 * i + 2]) for i, one in enumerate(pairs)]

    def candidates(
        self, sets: Sequence[CandidateSet]
    ) -> list[tuple[CandidateSet, tuple[float, ...]]]:
        open_ones = [one for one in sets if not one.scores]
        asked = [(one.prompt.messages, text) for one in open_ones for text in one.texts]
        values = iter(self._score(asked, "Candidates"))
        return [(one, one.scores or tuple(next(values) for _ in one.texts)) for one in sets]

    def _score(self, asked: Sequence[tuple[tuple[Message, ...], str]], what: str) -> list[float]:
        from cai.cli.output import error_console
        from cai.engines.inprocess.loading import quiet
        from cai.train.rewards.learned import LearnedReward

        found: list[float] = []
        if asked and self._reward is None:
            with quiet():
                self._reward = LearnedReward.load(self._model, max_length=self._max_length)
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            if self._reward is not None:
                found += self._reward.score([p for p, _ in some], [text for _, text in some])
            error_console().print(f"{what}: {len(found):,} of {len(asked):,}", soft_wrap=True)
        self.scored += len(found)
        return found


def _inputs(pairs: Sequence[LabelledPair], sets: Sequence[CandidateSet]) -> str:
    from cai.hashing import content_hash

    return content_hash(
        [
            [[one.group, one.subset, one.chosen, one.rejected] for one in pairs],
            [[one.prompt.id, list(one.texts), list(one.gold), list(one.scores)] for one in sets],
        ]
    )


def _notes(
    pairs: Sequence[LabelledPair], left_out: int, sets: Sequence[CandidateSet]
) -> tuple[str, ...]:
    notes = []
    if pairs:
        notes.append(
            f"{len(pairs):,} pairs; {left_out:,} rows without a winner were left out. Lengths are "
            "characters. p = σ(score of chosen − score of rejected)."
        )
    if sets:
        notes.append(
            f"{len(sets):,} prompts with candidates: expected gold score of what is preferred "
            "among n of them, drawn without replacement."
        )
    return tuple(notes)


def _print(result: Result) -> None:
    from cai.cli.evaluate.running import print_figures

    of_n = [one for one in result.figures if one.group.startswith("n=")]
    print_figures("Labelled pairs", [one for one in result.figures if one not in of_n])
    print_figures("Best of n", of_n)
