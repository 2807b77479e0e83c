"""Who takes part in a comparison: models that answer prompts, or the revisions of a run."""

from __future__ import annotations

from itertools import combinations, cycle, islice
from typing import TYPE_CHECKING

from cai.errors import UsageError, nearest
from cai.evaluate.means import prompt_groups
from cai.evaluate.records import Answered
from cai.evaluate.winrate.records import Contest
from cai.store import rows_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cai.config import ModelConfig
    from cai.engines import Engine
    from cai.evaluate.records import Subject
    from cai.evaluate.session import Session
    from cai.records import Prompt, Row
    from cai.store import RunStore

__all__ = ["ask_subjects", "revisions_of", "who_meets"]

ORIGINAL = "original"


def who_meets(names: Sequence[str], base: str = "") -> tuple[tuple[str, str], ...]:
    """The pairs that are compared: all others with the base, or without one all with all.

    Raises:
        UsageError: there are fewer than two subjects, two with one name, or none is the base.
    """
    if len(set(names)) < max(2, len(names)):
        raise UsageError(
            f"Got the subjects {', '.join(names) or '(none)'}. A win rate needs at least two, each "
            "with a name of its own: --subject NAME=MODEL, once for each."
        )
    if not base:
        return tuple(combinations(names, 2))
    if base not in names:
        raise UsageError(
            f"The base '{base}' is none of the subjects: {', '.join(names)}.{nearest(base, names)}"
        )
    return tuple((name, base) for name in names if name != base)


async def ask_subjects(
    session: Session,
    subjects: Sequence[Subject],
    prompts: Iterable[Prompt],
    *,
    base: str = "",
    engines: Mapping[str, Engine] | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Contest:
    """Have every subject answer every prompt, one subject after the other.

    A model that is named again answers again, with other seeds: a model against itself shows what
    the judge and chance make of no difference.

    Args:
        session: keeps the answers.
        subjects: at least two.
        prompts: of a prompt that repeats, the first one counts.
        base: name of the subject that all others are compared with; all meet all when empty.
        engines: by the name of a subject, in place of what it describes; they stay open.
        tick: called after each answer.

    Raises:
        UsageError: as `who_meets`.
        EngineError: as `Session.answers`.
    """
    names = tuple(subject.name for subject in subjects)
    pairs = who_meets(names, base)
    asked = tuple({prompt.id: prompt for prompt in prompts}.values())
    given = engines or {}
    seen: list[ModelConfig | int] = []
    answers: dict[str, tuple[Answered, ...]] = {}
    for subject in subjects:
        engine = given.get(subject.name)
        model = subject.model if engine is None else id(engine)
        turn = seen.count(model)
        seen.append(model)
        said = await session.answers(
            subject, asked, samples=turn + 1, engine=engine, tick=_every(turn + 1, tick)
        )
        answers[subject.name] = tuple(one for one in said if one.sample == turn)
    groups = prompt_groups(asked, session.config.split.similarity)
    determines = (
        [subject.model.model_dump(mode="json") for subject in subjects],
        session.config.loop.sample.model_dump(mode="json"),
        session.config.loop.seed,
    )
    return Contest(names, pairs, base, asked, groups, answers, determines)


def _every(count: int, tick: Callable[[], None]) -> Callable[[], None]:
    """Calls on at every so-many-th call: answers that were there before are no progress."""
    calls = cycle(range(1, count + 1))
    return lambda: tick() if next(calls) == count else None


def revisions_of(run: RunStore, *, limit: int | None = None) -> Contest:
    """The first answers of a run and what became of them in each round, all against the first.

    Figure 5 of Constitutional AI (2212.08073) has scores by number of revisions. Only rows of train
    and dev are read: held-out texts are for people and the final checks. Of several revised answers
    to a prompt, the first one is taken; where a round left the text as it was, so is the answer.

    Args:
        run: to read.
        limit: only the first so many prompts.

    Raises:
        UsageError: no row has a revision.
        StoreError: the run is a shard.
    """
    with_chains = ((row.prompt, chain) for row in _rows(run) if (chain := _chain(row)))
    chains = dict(islice(with_chains, limit))
    if not chains:
        raise UsageError(
            f"{run.folder} has no revision in its splits train and dev, so there is nothing to "
            "compare. Name a run that was made with loop.rounds of 1 or more."
        )
    # All rows are of one plan, so all chains have as many rounds.
    rounds = len(next(iter(chains.values()))) - 1
    names = (ORIGINAL, *(f"revision {number}" for number in range(1, rounds + 1)))
    answers = {
        name: tuple(
            Answered(name, prompt, 0, chain[place], "answered", "")
            for prompt, chain in chains.items()
        )
        for place, name in enumerate(names)
    }
    group_of = {**run.groups("train"), **run.groups("dev")}
    groups = {prompt.id: group_of[prompt.id] for prompt in chains}
    pairs = who_meets(names, ORIGINAL)
    determines = tuple(chains.values())
    return Contest(names, pairs, ORIGINAL, tuple(chains), groups, answers, determines)


def _rows(run: RunStore) -> Iterable[Row]:
    for purpose in ("training", "calibration"):
        for row, _ in rows_for(run, purpose):
            yield row


def _chain(row: Row) -> list[str]:
    """A first answer and the text after each round; empty where nothing was revised."""
    for start, rounds in zip(row.samples, row.revisions, strict=False):
        if rounds:
            return [start.text, *(step.text for step in rounds)]
    return []
