"""All probes of some subjects: each subject is opened once, and the judge after them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from cai.evaluate.probes.calibration import ask_calibration
from cai.evaluate.probes.content import (
    CalibrationFile,
    EvasivenessFile,
    SycophancyFile,
    read_probe,
)
from cai.evaluate.probes.evasiveness import check_evasiveness, judge_evasiveness, prompts_of
from cai.evaluate.probes.options import OptionAsker, example_turns
from cai.evaluate.probes.swaps import ask_swaps, swap_prompts, written_lengths
from cai.evaluate.probes.swaps_content import SwapsFile
from cai.evaluate.probes.swaps_judged import check_variants, judge_variants
from cai.evaluate.probes.sycophancy import ask_sycophancy
from cai.evaluate.spread import spread
from cai.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from cai.engines import Engine, Engines
    from cai.evaluate.probes.calibration import Belief
    from cai.evaluate.probes.content import OptionFile
    from cai.evaluate.probes.evasiveness import Dodge
    from cai.evaluate.probes.swaps import Swapped
    from cai.evaluate.probes.swaps_judged import Variant
    from cai.evaluate.probes.sycophancy import Sway
    from cai.evaluate.records import Answered, Subject
    from cai.evaluate.results import Evaluator
    from cai.evaluate.session import Judges, Session
    from cai.judge.asking import Asking

    Tick = Callable[[str, int], None]

__all__ = ["PROBES", "ProbeName", "Probes", "Probing", "probe"]

ProbeName = Literal["sycophancy", "calibration", "evasiveness", "swaps"]
PROBES: tuple[ProbeName, ...] = ("sycophancy", "calibration", "evasiveness", "swaps")


@dataclass(frozen=True)
class Probes:
    """The files of the probes that are carried out; None of one that is not."""

    sycophancy: SycophancyFile | None = None
    calibration: CalibrationFile | None = None
    evasiveness: EvasivenessFile | None = None
    swaps: SwapsFile | None = None

    @classmethod
    def read(cls, names: Collection[ProbeName], folder: Path | None = None) -> Probes:
        """Read the files of some probes, from a folder in place of the packaged one.

        Raises:
            ConfigError: a file is missing or does not fit its format.
        """
        return cls(
            read_probe(SycophancyFile, "sycophancy", folder) if "sycophancy" in names else None,
            read_probe(CalibrationFile, "calibration", folder) if "calibration" in names else None,
            read_probe(EvasivenessFile, "evasiveness", folder) if "evasiveness" in names else None,
            read_probe(SwapsFile, "swaps", folder) if "swaps" in names else None,
        )

    def first(self, limit: int | None) -> Probes:
        """The same with so many questions of each probe, spread over their kinds."""
        sway, belief, dodge = self.sycophancy, self.calibration, self.evasiveness
        if sway is not None:
            items = spread(sway.items, lambda one: one.about, limit)
            sway = sway.model_copy(update={"items": tuple(items)})
        if belief is not None:
            graded = spread(belief.items, lambda one: one.level, limit)
            belief = belief.model_copy(update={"items": tuple(graded)})
        if dodge is not None:
            dodge = dodge.model_copy(update={"items": dodge.items[:limit]})
        swaps = self.swaps
        if swaps is not None and limit is not None:
            kept = {"decisions": swaps.decisions[:limit], "texts": swaps.texts[:limit]}
            swaps = swaps.model_copy(update=kept)
        return Probes(sway, belief, dodge, swaps)

    @property
    def hash(self) -> str:
        """Of all that is asked."""
        files = (self.sycophancy, self.calibration, self.evasiveness, self.swaps)
        return content_hash([None if one is None else one.model_dump() for one in files])


@dataclass
class Probing:
    """What was found of each subject, by its name, in the order of the questions."""

    sycophancy: dict[str, list[Sway]] = field(default_factory=dict)
    calibration: dict[str, list[Belief]] = field(default_factory=dict)
    evasiveness: dict[str, list[Dodge]] = field(default_factory=dict)
    swaps: dict[str, list[Swapped]] = field(default_factory=dict)
    variants: dict[str, list[Variant]] = field(default_factory=dict)
    evaluators: tuple[Evaluator, ...] = ()


async def probe(
    session: Session,
    subjects: Sequence[Subject],
    files: Probes,
    *,
    engines: Mapping[str, Engine] | None = None,
    judging: Engines | None = None,
    tick: Tick = lambda step, total: None,
) -> Probing:
    """Carry out probes.

    Args:
        session: keeps what was answered.
        subjects: opened one after the other.
        files: of the probes.
        engines: in place of those that subjects describe, by their names; they stay open.
        judging: in place of the judges that the config describes; they stay open.
        tick: told the step, and of how many parts it is, after each part.

    Raises:
        ConfigError: a model cannot be opened, or the judge cannot be asked in this way.
        FatalEngineError: a model cannot be asked any more; what was answered is kept.
    """
    found, said = Probing(), _Said()
    for subject in subjects:
        engine = (engines or {}).get(subject.name)
        name = subject.name
        if any((files.sycophancy, files.calibration, files.swaps)):
            async with session.asking(subject, engine=engine) as caller:
                await _choose(session, subject, files, caller, found, tick)
        if files.swaps is not None:
            prompts = swap_prompts(files.swaps)
            told = partial(tick, f"Texts of {name}", len(prompts))
            texts = await session.answers(subject, prompts, engine=engine, tick=told)
            found.swaps[name] += written_lengths(files.swaps, texts)
            said.texts[name] = texts
        if files.evasiveness is not None:
            prompts = prompts_of(files.evasiveness)
            told = partial(tick, f"Answers of {name}", len(prompts))
            said.answers[name] = await session.answers(subject, prompts, engine=engine, tick=told)
    if files.evasiveness is not None or any(said.texts.values()):
        async with session.judges(engines=judging) as judges:
            await _judge(judges, files, said, found, tick)
    return found


@dataclass
class _Said:
    """What waits for the judge, by subject: answers to questions, and texts about persons."""

    answers: dict[str, list[Answered]] = field(default_factory=dict)
    texts: dict[str, list[Answered]] = field(default_factory=dict)


async def _choose(
    session: Session,
    subject: Subject,
    files: Probes,
    caller: Asking,
    found: Probing,
    tick: Tick,
) -> None:
    def asker(file: OptionFile) -> OptionAsker:
        turns = example_turns(file.ask, file.examples)
        return OptionAsker(caller, session.config, turns, logprobs=subject.model.logprobs)

    name = subject.name
    if (sway := files.sycophancy) is not None:
        part = partial(tick, f"Sycophancy of {name}")
        found.sycophancy[name] = await ask_sycophancy(session, sway, asker(sway), part)
    if (belief := files.calibration) is not None:
        part = partial(tick, f"Calibration of {name}")
        found.calibration[name] = await ask_calibration(session, belief, asker(belief), part)
    if (swaps := files.swaps) is not None:
        part = partial(tick, f"Swaps of {name}")
        found.swaps[name] = await ask_swaps(session, swaps, asker(swaps), part)


async def _judge(judges: Judges, files: Probes, said: _Said, found: Probing, tick: Tick) -> None:
    session = judges.session
    if (file := files.evasiveness) is not None:
        part = partial(tick, "Evasiveness, check of the judge")
        found.evaluators += (await check_evasiveness(session, judges, file, part),)
        for name, answers in said.answers.items():
            part = partial(tick, f"Evasiveness of {name}")
            found.evasiveness[name] = await judge_evasiveness(session, judges, file, answers, part)
    if (swaps := files.swaps) is not None and any(said.texts.values()):
        part = partial(tick, "Texts about persons, check of the judge")
        found.evaluators += (await check_variants(session, judges, part),)
        for name, texts in said.texts.items():
            part = partial(tick, f"Texts of {name}, judged")
            found.variants[name] = await judge_variants(session, judges, swaps, texts, part)
