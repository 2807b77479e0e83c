"""How a checkpoint came about, from the facts that its training has left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from cai.compare.made import public_facts
from cai.errors import UsageError
from cai.store.export_rows import public

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["DevFigure", "Training", "read_training"]

_PLACES = ("output", "data", "model.name", "reference")
"""Keys of a training's config that name places or models: they are compared by content."""
_BOUNDS = ("_low", "_high")


@dataclass(frozen=True, slots=True)
class DevFigure:
    """A figure on dev examples; without ends where the training gave none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """A finished training; without folders of this machine.

    Args:
        method: how.
        base: what it began with.
        fingerprint: of the weights that came out.
        data: hash of the examples.
        examples: that were trained on.
        dev_examples: that `dev` is about.
        steps: of the optimiser.
        seconds: that it took.
        settings: keys of its config, by dotted names.
        dev: figures on dev examples.
        labels: what people have said about the labels, in words.
        constitution: names of the constitutions that the data were made under.
        constitution_hash: of the only one of them; empty where there are several, or none.
    """

    method: str
    base: str
    fingerprint: str
    data: str
    examples: int
    dev_examples: int
    steps: int
    seconds: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    dev: Mapping[str, DevFigure] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    constitution: str = ""
    constitution_hash: str = ""


def read_training(folder: Path) -> Training | None:
    """The training of a folder of `cai train`; None where there is no record.

    Raises:
        UsageError: the record does not fit.
    """
    path = folder / "training.json"
    if not path.is_file():
        return None
    try:
        return _training(orjson.loads(path.read_bytes()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{path} is no record of a training ({type(error).__name__}: {error}). It must be as "
            "cai train writes it. Name another folder, or train again."
        ) from error


def _training(record: dict[str, Any]) -> Training:
    sources = record["sources"]
    named = {(str(s.get("constitution", "")), str(s.get("constitution_hash", ""))) for s in sources}
    named.discard(("", ""))
    settings = dict(_flat(record["config"], ""))
    base = public(str(settings.get("model.name", "unknown")))
    return Training(
        method=str(record["method"]),
        base=base,
        fingerprint=str(record["fingerprint"]),
        data=str(record["data_hash"]),
        examples=sum(int(source["train"]) for source in sources),
        dev_examples=sum(int(source["dev"]) for source in sources),
        steps=int(record["steps"]),
        seconds=float(record["seconds"]),
        settings={k: public_facts(v) for k, v in settings.items() if k not in _PLACES},
        dev=_dev(record["results"].get("dev", {})),
        labels=tuple(dict.fromkeys(_said(source) for source in sources)),
        constitution=", ".join(sorted(name for name, _ in named)),
        constitution_hash=next(iter(named))[1] if len(named) == 1 else "",
    )


def _said(source: Mapping[str, Any]) -> str:
    """What people have said about the labels; records of older versions do not tell."""
    standing = source.get("standing")
    return str(standing["said"]) if standing else "not known"


def _dev(figures: Mapping[str, Any]) -> dict[str, DevFigure]:
    found = {}
    for name, value in figures.items():
        whole = name.rpartition("_")[0] if name.endswith(_BOUNDS) else ""
        if name == "pairs" or whole in figures:
            continue
        ends = [figures.get(name + bound) for bound in _BOUNDS]
        low, high = (None if end is None else float(end) for end in ends)
        found[name] = DevFigure(float(value), low, high)
    return found


def _flat(section: Any, prefix: str) -> list[tuple[str, Any]]:
    if not isinstance(section, dict):
        return [(prefix, section)]
    return [
        entry
        for key, value in section.items()
        for entry in _flat(value, f"{prefix}.{key}" if prefix else str(key))
    ]
