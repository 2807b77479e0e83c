"""`reward-model` from settings: how often reward models prefer the better answer.

Whoever carries it out gives the function that scores: models are trained above this room.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from cai.errors import ConfigError
from cai.evaluate.registry import Evaluation, EvaluationSettings
from cai.evaluate.reward_model import (
    LabelledPair,
    ScoredPair,
    read_candidates,
    read_labelled_pairs,
    reward_model_result,
)
from cai.evaluate.reward_model.words import inputs_of, notes_of
from cai.store import RunStore, rows_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cai.evaluate.records import Subject
    from cai.evaluate.registry import Tick
    from cai.evaluate.results import Result
    from cai.evaluate.reward_model import CandidateSet
    from cai.evaluate.session import Session
    from cai.records import Message

    Answers = Sequence[tuple[tuple[Message, ...], str]]
    Score = Callable[[Subject, int, Answers], list[float]]

__all__ = ["EVALUATION", "RewardModelSettings"]

_OF_DEV = (
    "The pairs are those of the run's split dev, and their labels are the judge's: this says how "
    "well a reward model has learned the judge, not how right either is. Name labelled pairs with "
    "data: FILE for that."
)


class RewardModelSettings(EvaluationSettings):
    """As the options of `cai evaluate reward-model`."""

    data: str | None = None
    """File of labelled pairs: `prompt`, `chosen`, `rejected` and perhaps `subset`. When absent, and
    no candidates are named: the pairs of the run's split dev, with the labels of its judge."""
    candidates: str | None = None
    """File of prompts with several candidates, whose gold scores are known."""
    max_length: int = Field(default=512, ge=8)
    """Most tokens of prompt and answer, as in the training."""
    draws: int = Field(default=2000, ge=100)
    """Bootstrap samples of each interval."""


async def _measure(
    session: Session,
    subjects: Sequence[Subject],
    settings: RewardModelSettings,
    tick: Tick,
    *,
    score: Score,
) -> Result:
    pairs, left_out, sets = _read(settings)
    of_dev = settings.data is None and not sets
    if of_dev:
        pairs = _pairs_of_dev(Path(session.config.run))[: settings.limit]
    results = []
    for one in subjects:
        scored = _scored_pairs(one, pairs, settings, score)
        results.append(
            reward_model_result(
                one.name,
                scored,
                _scored_sets(one, sets, settings, score),
                draws=settings.draws,
                seed=session.config.loop.seed,
                inputs=inputs_of(pairs, sets),
                notes=(*notes_of(pairs, left_out, sets), *((_OF_DEV,) if of_dev else ())),
            )
        )
        tick("Reward models", len(subjects))
    # What is said of the pairs alone is the same for all of them.
    figures = dict.fromkeys(figure for one in results for figure in one.figures)
    return replace(
        results[0],
        subjects=tuple(one.name for one in subjects),
        figures=tuple(figures),
        details={one.subjects[0]: one.details for one in results},
    )


def _scored_pairs(
    subject: Subject, pairs: Sequence[LabelledPair], settings: RewardModelSettings, score: Score
) -> list[ScoredPair]:
    both = [(one.prompt, text) for one in pairs for text in (one.chosen, one.rejected)]
    found = score(subject, settings.max_length, both)
    return [ScoredPair.of(one, *found[2 * i : 2 * i + 2]) for i, one in enumerate(pairs)]


def _scored_sets(
    subject: Subject, sets: Sequence[CandidateSet], settings: RewardModelSettings, score: Score
) -> list[tuple[CandidateSet, tuple[float, ...]]]:
    open_ones = [one for one in sets if not one.scores]
    asked = [(one.prompt.messages, text) for one in open_ones for text in one.texts]
    values = iter(score(subject, settings.max_length, asked))
    return [(one, one.scores or tuple(next(values) for _ in one.texts)) for one in sets]


def _pairs_of_dev(run: Path) -> list[LabelledPair]:
    """Pairs with a winner.

    Raises:
        ConfigError: there are none.
    """
    found = list(_decided(run))
    if not found:
        raise ConfigError(
            f"The split dev of {run} has no pair with a winner, so there is nothing to try a "
            "reward model on. Name a file with pipeline.evaluate.reward-model.data, or set "
            "split.dev above 0 for a new run."
        )
    return found


def _decided(run: Path) -> Iterator[LabelledPair]:
    with RunStore.read(run) as store:
        for row, _ in rows_for(store, "calibration"):
            for pair in row.pairs:
                if pair.p is not None and pair.p != 0.5 and pair.first != pair.second:
                    chosen, rejected = pair.first, pair.second
                    if pair.p < 0.5:
                        chosen, rejected = rejected, chosen
                    yield LabelledPair(row.prompt.messages, chosen, rejected, pair.kind)


def _read(
    settings: RewardModelSettings,
) -> tuple[list[LabelledPair], int, list[CandidateSet]]:
    pairs: list[LabelledPair] = []
    sets: list[CandidateSet] = []
    left_out = 0
    if settings.data is not None:
        pairs, left_out = read_labelled_pairs(Path(settings.data), settings.limit)
    if settings.candidates is not None:
        sets = read_candidates(Path(settings.candidates), settings.limit)
    return pairs, left_out, sets


EVALUATION = Evaluation(RewardModelSettings, _measure, _read, of="reward models")
