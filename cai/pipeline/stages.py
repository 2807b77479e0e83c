"""Which stages a pipeline has, in their order, and what each of them rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cai.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cai.config.pipeline import PipelineConfig, TrainingConfig

__all__ = [
    "MADE",
    "OWN",
    "Begun",
    "Done",
    "Kind",
    "Stage",
    "made_names",
    "make_stages",
    "select_stages",
]

Kind = Literal["generate", "check", "validate", "train", "evaluate", "report"]

MADE = "made:"
"""What a path begins with that means something the pipeline has made."""

OWN = ("run", "config")
"""What stands behind it beside the names of trainings: the run, and its config."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a pipeline.

    Args:
        name: `generate`, `train/dpo`; of later rounds `2/generate`, `2/train/dpo`.
        kind: what it does.
        round: counts from 1.
        needs: names of the earlier stages that it rests on.
        training: of a stage that trains.
    """

    name: str
    kind: Kind
    round: int = 1
    needs: tuple[str, ...] = ()
    training: TrainingConfig | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """How a stage begins.

    Args:
        parts: hashes of what it depends on, by name.
        again: it was begun with the same inputs before and came to no end.
    """

    parts: Mapping[str, str]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What a stage made: files, calls and dollars of its store, and what there is to say.

    Args:
        outputs: main files.
        calls: that were answered.
        usd: what they cost; None where a call has no known price.
        said: for people.
        waiting: people have to do something first.
        parts: what it depends on, where the stage itself has changed that.
    """

    outputs: tuple[Path, ...] = ()
    calls: int = 0
    usd: float | None = 0.0
    said: str = ""
    waiting: bool = False
    parts: dict[str, str] | None = None


def make_stages(config: PipelineConfig) -> tuple[Stage, ...]:
    """All stages in the order in which they are carried out."""
    found: list[Stage] = []
    for number in range(1, config.rounds + 1):
        found += _round(config, number, [one for one in found if one.kind == "train"])
    everything = tuple(one.name for one in found)
    if config.evaluate.wanted:
        needs = tuple(one.name for one in found if one.kind in ("generate", "train"))
        found.append(Stage("evaluate", "evaluate", needs=needs))
        everything += ("evaluate",)
    if config.report:
        found.append(Stage("report", "report", needs=everything))
    return tuple(found)


def _round(config: PipelineConfig, number: int, before: list[Stage]) -> Iterator[Stage]:
    prefix = "" if number == 1 else f"{number}/"
    policies = [one.name for one in before if one.training and one.training.method != "rm"]
    last = tuple(policies[-1:])
    generate = f"{prefix}generate"
    yield Stage(generate, "generate", number, last)
    yield Stage(f"{prefix}check", "check", number, (generate,))
    gate: tuple[str, ...] = ()
    if config.waits:
        gate = (f"{prefix}validate",)
        yield Stage(gate[0], "validate", number, (generate,))
    for one in config.train:
        made = [name for name in made_names(one.settings) if name not in OWN]
        others = [one.from_] if one.from_ else []
        start = last if one.goes_on else ()
        needs = (generate, *gate, *start, *(f"{prefix}train/{name}" for name in [*others, *made]))
        name = f"{prefix}train/{one.name}"
        yield Stage(name, "train", number, tuple(dict.fromkeys(needs)), one)


def made_names(value: object) -> list[str]:
    """What stands behind `made:` in texts of plain data."""
    if isinstance(value, str):
        return [value.removeprefix(MADE)] if value.startswith(MADE) else []
    if isinstance(value, dict):
        return [name for one in value.values() for name in made_names(one)]
    if isinstance(value, list | tuple):
        return [name for one in value for name in made_names(one)]
    return []


def select_stages(
    stages: Sequence[Stage], first: str | None = None, last: str | None = None
) -> tuple[int, int]:
    """Positions of the first and the last stage that are meant.

    Args:
        stages: all of them.
        first: name of a stage, or a kind, which means its first stage; the first of all when None.
        last: the same, where a kind means its last stage; the last of all when None.

    Raises:
        UsageError: there is no such stage, or the last one comes before the first.
    """
    begin = _positions(stages, first, "--from")[0] if first else 0
    end = _positions(stages, last, "--until")[-1] if last else len(stages) - 1
    if end < begin:
        raise UsageError(
            f"--from {first} --until {last}: nothing lies between them. The order is "
            f"{', '.join(one.name for one in stages)}."
        )
    return begin, end


def _positions(stages: Sequence[Stage], wanted: str, option: str) -> list[int]:
    found = [i for i, one in enumerate(stages) if one.name == wanted]
    found = found or [i for i, one in enumerate(stages) if one.kind == wanted]
    if not found:
        names = [one.name for one in stages]
        raise UsageError(
            f"{option} {wanted}: this pipeline has no such stage. Allowed: {', '.join(names)}."
            f"{nearest(wanted, names)}"
        )
    return found
