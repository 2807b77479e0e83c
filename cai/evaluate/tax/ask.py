"""Asking subjects the questions of the tax."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from cai.evaluate.probes.content import filled
from cai.evaluate.probes.options import (
    OptionAsker,
    averaged,
    example_turns,
    listed_options,
    rotations,
)
from cai.evaluate.tax.checks import passes
from cai.records import Message, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cai.engines import Engine
    from cai.evaluate.records import Subject
    from cai.evaluate.session import Session
    from cai.evaluate.tax.content import InstructionFile, TaxFile, TaxItem, TaxSet
    from cai.judge.asking import Asking

    Tick = Callable[[str, int], None]

__all__ = ["ANSWER_TOKENS", "Scored", "ask_tax"]

ANSWER_TOKENS = 200
"""Most tokens of an answer to an instruction; longer ones are cut and checked as they stand."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One item of one subject. `right` is None without a reading, and `outcome` says why."""

    area: str
    item: str
    right: bool | None
    outcome: Literal["answered", "refused", "unparsed", "unasked"] = "answered"


async def ask_tax(
    session: Session,
    subjects: Sequence[Subject],
    content: TaxSet,
    *,
    engines: Mapping[str, Engine] | None = None,
    tick: Tick = lambda step, total: None,
) -> dict[str, list[Scored]]:
    """Ask each subject everything; items are in the order of `TaxSet.keys`.

    Args:
        session: keeps what was answered.
        subjects: opened one after the other.
        content: what is asked.
        engines: in place of those that subjects describe, by their names; they stay open.
        tick: told the step, and of how many parts it is, after each part.

    Raises:
        ConfigError: a model cannot be opened as described.
        FatalEngineError: a model cannot be asked any more; what was answered is kept.
    """
    found: dict[str, list[Scored]] = {}
    for subject in subjects:
        engine = (engines or {}).get(subject.name)
        told = partial(tick, f"Questions to {subject.name}", len(content.keys))
        scored: list[Scored] = []
        if content.options:
            async with session.asking(subject, engine=engine) as caller:
                scored += await _choose(session, subject, content.options, caller, told)
        if content.instructions is not None:
            scored += await _follow(session, subject, content.instructions, engine, told)
        found[subject.name] = scored
    return found


async def _choose(
    session: Session,
    subject: Subject,
    files: Sequence[TaxFile],
    caller: Asking,
    told: Callable[[], None],
) -> list[Scored]:
    async def one(file: TaxFile, asker: OptionAsker, item: TaxItem) -> Scored:
        orders = rotations(len(item.options))

        def asked(order: tuple[int, ...]) -> Message:
            shown = listed_options([item.options[i] for i in order])
            return Message("user", filled(file.ask, question=item.question, options=shown))

        choices = await asyncio.gather(
            *(asker.choose([asked(order)], len(order)) for order in orders)
        )
        told()
        shares = averaged(choices, orders)
        if shares is None:
            missing = next(c.outcome for c in choices if c.shares is None)
            return Scored(file.area, item.id, None, missing)
        return Scored(file.area, item.id, shares[0] > max(shares[1:]))

    jobs = []
    for file in files:
        turns = example_turns(file.ask, file.examples)
        asker = OptionAsker(caller, session.config, turns, logprobs=subject.model.logprobs)
        jobs += [partial(one, file, asker, item) for item in file.items]
    return await session.side_by_side(jobs)


async def _follow(
    session: Session,
    subject: Subject,
    file: InstructionFile,
    engine: Engine | None,
    told: Callable[[], None],
) -> list[Scored]:
    from cai.config import SamplingConfig

    prompts = [Prompt((Message("user", item.ask),)) for item in file.items]
    greedy = SamplingConfig(max_tokens=ANSWER_TOKENS, temperature=0.0)
    answers = await session.answers(subject, prompts, sampling=greedy, engine=engine, tick=told)
    scored = []
    for item, answer in zip(file.items, answers, strict=True):
        if answer.error:
            scored.append(Scored(file.area, item.id, None, "unasked"))
        elif answer.outcome == "refused":
            scored.append(Scored(file.area, item.id, None, "refused"))
        else:
            scored.append(Scored(file.area, item.id, passes(item.checks, answer.text)))
    return scored
