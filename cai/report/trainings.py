"""What the trainings of a pipeline came to, from the facts that each has left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from cai.errors import StoreError
from cai.store.export_rows import public

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["TrainedModel", "read_trainings"]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A finished training; without folders of this machine.

    Args:
        name: of its folder; with the round after it from the second on.
        method: how it was trained.
        base: what it began with.
        steps: of the optimiser.
        seconds: that it took.
        peak_mb: most memory.
        examples: that were trained on.
        dev: figures on examples that were not, by name.
        dev_examples: how many those are.
        labels: what people have said about them, in words.
        watch: what the watch of an online training saw.
    """

    name: str
    method: str
    base: str
    steps: int
    seconds: float
    peak_mb: float
    examples: int
    dev: Mapping[str, float]
    dev_examples: int
    labels: tuple[str, ...]
    watch: tuple[str, ...]


def read_trainings(run: Path) -> tuple[TrainedModel, ...]:
    """The finished trainings in a run, round by round, in the order in which they ended.

    Raises:
        StoreError: a record does not fit.
    """
    return tuple(_found(run))


def _found(run: Path) -> Iterator[TrainedModel]:
    rounds = {1: run, **{int(p.name): p for p in run.glob("rounds/*") if p.name.isdecimal()}}
    for number, folder in sorted(rounds.items()):
        paths = sorted(folder.glob("models/*/training.json"), key=lambda p: p.stat().st_mtime_ns)
        for path in paths:
            try:
                yield _model(path, number)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise StoreError(
                    f"{path} is no record of a training ({type(error).__name__}: {error}). Remove "
                    "its folder, or train again."
                ) from error


def _model(path: Path, number: int) -> TrainedModel:
    record: dict[str, Any] = orjson.loads(path.read_bytes())
    sources, name = record["sources"], path.parent.name
    return TrainedModel(
        name=name if number == 1 else f"{name}-{number}",
        method=str(record["method"]),
        base=public(str(record["config"]["model"]["name"])),
        steps=int(record["steps"]),
        seconds=float(record["seconds"]),
        peak_mb=float(record["peak_mb"]),
        examples=sum(int(source["train"]) for source in sources),
        dev={key: float(value) for key, value in record["results"].get("dev", {}).items()},
        dev_examples=sum(int(source["dev"]) for source in sources),
        labels=tuple(dict.fromkeys(str(source["standing"]["said"]) for source in sources)),
        watch=tuple(map(str, record.get("watch", ()))),
    )
