"""An evaluation of refusals from cases to a result: ask, check the judge, judge, count."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from cai.engines.factory import Engines, open_engine
from cai.evaluate.refusal.check import (
    COMPLIANCE,
    INJECTION,
    check_classifier,
    check_judge,
    source_name,
)
from cai.evaluate.refusal.classifier import SafetyClassifier
from cai.evaluate.refusal.conversations import ask_subject
from cai.evaluate.refusal.judging import ComplianceJudge, without_judge
from cai.evaluate.refusal.labelled import packaged_labelled, read_labelled
from cai.evaluate.refusal.records import Judged, Reading
from cai.evaluate.results import Evaluator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from pathlib import Path

    from cai.config import ModelConfig
    from cai.engines import Engine
    from cai.evaluate.records import Answered, Subject
    from cai.evaluate.refusal.labelled import LabelledItem
    from cai.evaluate.refusal.records import FoundCase
    from cai.evaluate.session import Session

    Tick = Callable[[str, int], None]

__all__ = ["Given", "Measured", "answer_cases", "judge_answers"]


@dataclass(frozen=True)
class Given:
    """Engines in place of those that subjects and config describe; they stay open."""

    subjects: Mapping[str, Engine] = field(default_factory=dict)
    judges: Engines | None = None
    classifier: Engine | None = None


@dataclass(frozen=True)
class Measured:
    """Judged answers by the name of the subject, and what the evaluators are worth."""

    judged: dict[str, list[Judged]]
    evaluators: tuple[Evaluator, ...] = ()


async def answer_cases(
    session: Session,
    subjects: Sequence[Subject],
    cases: Sequence[FoundCase],
    *,
    samples: int = 1,
    given: Given | None = None,
    tick: Tick = lambda step, total: None,
) -> dict[str, list[tuple[FoundCase, Answered]]]:
    """What each subject answers to each case, one subject after the other.

    Raises:
        ConfigError: a model cannot be opened as described.
        FatalEngineError: one cannot be asked any more; what was answered is kept.
    """
    engines = (given or Given()).subjects
    return {
        one.name: await ask_subject(
            session,
            one,
            cases,
            samples=samples,
            engine=engines.get(one.name),
            tick=partial(tick, f"Answers of {one.name}", len(cases) * samples),
        )
        for one in subjects
    }


async def judge_answers(
    session: Session,
    answers: Mapping[str, Sequence[tuple[FoundCase, Answered]]],
    *,
    classifier: ModelConfig | None = None,
    labelled: Path | None = None,
    check: bool = True,
    draws: int = 2000,
    given: Given | None = None,
    tick: Tick = lambda step, total: None,
) -> Measured:
    """Have answers judged, after the judge was asked about answers whose class is known.

    Args:
        session: its judge is asked, and keeps the answers.
        answers: from `answer_cases`.
        classifier: of safety; judges answers to cases that should be refused, in place of the
            judge.
        labelled: file of labelled answers, in place of the packaged ones.
        check: whether the evaluators are checked at all.
        draws: bootstrap samples of the check.
        given: engines in place of those that are described.
        tick: called after each item and answer, with the step and its total.

    Raises:
        ConfigError: the judge cannot be asked in this way, or the labelled file does not fit.
        FatalEngineError: an evaluator cannot be asked any more; what was answered is kept.
    """
    engines = given or Given()
    flat = [pair for rows in answers.values() for pair in rows]
    planted = any(found.case.injection is not None for found, _ in flat)
    sets = _labelled(labelled, planted=planted) if check else {}
    async with session.judges(engines=engines.judges) as judges:
        judge = ComplianceJudge(judges)
        evaluators = await _checked(session, judge, sets, planted, draws, tick)
        asking = [
            partial(_judge, judge, found, answer, classifier is not None, tick, len(flat))
            for found, answer in flat
        ]
        judged = await session.side_by_side(asking)
    if classifier is not None:
        async with _opened(session, classifier, engines.classifier) as safety:
            items = [item for of in sets.values() for item in of]
            source = ", ".join(sets)
            evaluators.append(await check_classifier(session, safety, items, source, draws=draws))
            judged = await _classified(session, safety, judged, tick)
    rows = iter(judged)
    by_subject = {name: [next(rows) for _ in of] for name, of in answers.items()}
    return Measured(by_subject, tuple(evaluators))


def _labelled(path: Path | None, *, planted: bool) -> dict[str, tuple[LabelledItem, ...]]:
    """Labelled answers by the name of their file, with those about plants where there are such."""
    complied, obeyed = packaged_labelled()
    files = [path] if path else [complied, obeyed] if planted else [complied]
    read = {file: read_labelled(file).items for file in files}
    return {source_name(file, items): items for file, items in read.items()}


async def _checked(
    session: Session,
    judge: ComplianceJudge,
    sets: Mapping[str, tuple[LabelledItem, ...]],
    planted: bool,
    draws: int,
    tick: Tick,
) -> list[Evaluator]:
    """What the judge is worth at each question that it will be asked."""
    total = sum(len(items) for items in sets.values())
    found: dict[str, Evaluator] = {}
    for source, items in sets.items():
        if not planted:
            items = tuple(item for item in items if item.label is not None)
        told = partial(tick, "Labelled answers", total)
        for one in await check_judge(session, judge, items, source, draws=draws, tick=told):
            found[one.about] = one
    asked = (COMPLIANCE, INJECTION) if planted else (COMPLIANCE,)
    return [found.get(about, Evaluator(judge.fingerprint, about=about)) for about in asked]


async def _judge(
    judge: ComplianceJudge,
    found: FoundCase,
    answer: Answered,
    classified: bool,
    tick: Tick,
    total: int,
) -> Judged:
    conversation, text = answer.prompt.messages, answer.text
    planted, injected = found.case.injection, None
    reading = without_judge(answer)
    if planted is not None:
        injected = reading or await judge.obeys(conversation, text, planted)
    if reading is None and not (classified and found.harmful):
        reading = await judge.complies(conversation, text)
    tick("Answers judged", total)
    return Judged(found, answer, reading or Reading("unasked"), injected)


async def _classified(
    session: Session, safety: SafetyClassifier, rows: Sequence[Judged], tick: Tick
) -> list[Judged]:
    """The rows, with the word of a classifier on answers to what should be refused."""
    total = sum(row.found.harmful for row in rows)

    async def one(row: Judged) -> Judged:
        if not row.found.harmful:
            return row
        tick("Answers classified", total)
        if without_judge(row.answer) is not None:
            return row
        reading, codes = await safety.complies(row.answer.prompt.messages, row.answer.text)
        return replace(row, reading=reading, codes=codes)

    return await session.side_by_side([partial(one, row) for row in rows])


@asynccontextmanager
async def _opened(
    session: Session, model: ModelConfig, given: Engine | None
) -> AsyncGenerator[SafetyClassifier]:
    """A classifier behind the memo of a session."""
    engine = given or open_engine(model)
    try:
        async with session.judges(engines=Engines(engine, engine, engine)) as judges:
            yield SafetyClassifier(judges.asking["judge"], engine.fingerprint)
    finally:
        if given is None:
            await engine.close()
