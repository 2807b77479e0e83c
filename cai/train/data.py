"""The one way from runs and files to training examples, and the gate in front of it.

A run gives its train split, and its dev split for evaluation; held-out rows cannot be asked for.
The prompts of a file are split by hash, so that all answers to one prompt fall to one side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from cai.errors import ConfigError
from cai.hashing import content_hash, short_id, unit_interval
from cai.store.access import rows_for
from cai.train.examples import (
    Demonstration,
    GoodOrBad,
    Preference,
    PromptExample,
    Ranking,
    Rating,
)
from cai.train.files import read_file
from cai.train.gate import Standing, check_gate, standing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.records import Row
    from cai.store import RunStore
    from cai.train.files import Example
    from cai.train.gate import Validation
    from cai.train.settings import Method, SourceConfig, TrainConfig

__all__ = ["Data", "SourceFacts", "kind_of", "load_data", "mix"]

_Kind = TypeVar("_Kind", bound=Demonstration | Preference | PromptExample | Ranking | Rating)

_OF_REWARD_MODELS: dict[str, type[Any]] = {
    "bradley-terry": Preference,
    "plackett-luce": Ranking,
    "regression": Rating,
}
_OF_PAIRS: tuple[Any, ...] = (Preference, GoodOrBad)
"""Kinds that take the decided pairs of a run."""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What was read from one source, for the card."""

    name: str
    origin: str
    weight: float
    train: int
    dev: int
    held_out: int
    hash: str
    standing: Standing
    constitution: str = ""
    constitution_hash: str = ""


@dataclass(frozen=True, slots=True)
class Data(Generic[_Kind]):
    """Examples of all sources. `held_out` comes from files alone, for one look at the end."""

    train: tuple[_Kind, ...]
    dev: tuple[_Kind, ...]
    held_out: tuple[_Kind, ...]
    weights: dict[str, float]
    sources: tuple[SourceFacts, ...]

    @property
    def label_noise(self) -> float | None:
        """Share of the training labels that people contradict; None where a source's is unknown.

        Sources count by their examples and weights; labels by people have none.
        """
        parts = [(s.weight * s.train, s.standing.noise) for s in self.sources if s.train]
        known = [(weight, noise) for weight, noise in parts if noise is not None]
        if not parts or len(known) < len(parts):
            return None
        return sum(weight * noise for weight, noise in known) / sum(w for w, _ in known)

    @property
    def hash(self) -> str:
        """Of all examples, texts and labels, in their order."""
        return content_hash([s.hash for s in self.sources])


def kind_of(method: Method, config: TrainConfig) -> type[Any]:
    """What a method learns from, as the first argument of `load_data`."""
    if method == "rm":
        return _OF_REWARD_MODELS[config.rm.loss]
    if method == "sft":
        return Demonstration
    if method == "kto":
        # A union, which `isinstance` takes as it takes a class.
        return cast("type[Any]", GoodOrBad)
    return Preference if method == "dpo" else PromptExample


def load_data(
    kind: type[_Kind], config: TrainConfig, *, validation: Validation | None = None
) -> Data[_Kind]:
    """Read all sources of a config.

    Args:
        kind: of the examples.
        config: names the sources.
        validation: what people said about AI labels in files; runs hold their own gate.

    Raises:
        GateError: AI labels may not be trained on before people have validated them. Prompts
            carry no labels and pass.
        ConfigError: a source cannot be read, or holds nothing of the kind.
        StoreError: a run cannot be read.
    """
    standings = [standing_of(source, validation) for source in config.data]
    if kind is not PromptExample:
        check_gate(config, standings)
    parts: dict[str, list[_Kind]] = {"train": [], "dev": [], "held_out": []}
    found = [_sides(kind, source, config) for source in config.data]
    weights: dict[str, float] = {}
    factors = source_weights(config.data, [len(sides["train"]) for sides in found])
    for sides, factor in zip(found, factors, strict=True):
        for side, examples in sides.items():
            parts[side] += examples
            weights |= {example.id: factor for example in examples}
    facts = [_facts(*each) for each in zip(config.data, factors, found, standings, strict=True)]
    if not parts["train"]:
        raise ConfigError(_nothing(kind, config))
    return Data(
        train=tuple(parts["train"]),
        dev=tuple(parts["dev"]),
        held_out=tuple(parts["held_out"]),
        weights=weights,
        sources=tuple(facts),
    )


def mix(examples: Sequence[_Kind], weights: dict[str, float], epoch: int) -> list[_Kind]:
    """The examples of one epoch: each as often as its source's weight says, in a fixed order.

    The whole part of a weight always counts; its fraction is a share of the examples, drawn by hash
    for each epoch anew.
    """
    chosen: list[tuple[float, _Kind]] = []
    for example in examples:
        weight = weights[example.id]
        times = int(weight) + (unit_interval("mix", epoch, example.id) < weight % 1.0)
        chosen += [(unit_interval("order", epoch, example.id, i), example) for i in range(times)]
    return [example for _, example in sorted(chosen, key=lambda pair: pair[0])]


def source_weights(sources: Sequence[SourceConfig], counts: Sequence[int]) -> list[float]:
    """How often an example of each source is drawn in an epoch.

    Args:
        sources: with a weight each, or with the share of the epoch that they are to fill.
        counts: training examples of each.
    """
    weighed = sum(s.weight * n for s, n in zip(sources, counts, strict=True) if s.share is None)
    whole = weighed / (1.0 - sum(s.share or 0.0 for s in sources))
    return [
        s.weight if s.share is None else s.share * whole / max(1, n)
        for s, n in zip(sources, counts, strict=True)
    ]


def _sides(kind: type[_Kind], source: SourceConfig, config: TrainConfig) -> dict[str, list[_Kind]]:
    """The examples of a source by side, after its limit."""
    found = list(_read(kind, source, config))
    if source.limit is not None:
        found = _drawn(found, source.limit)
    return {side: [e for s, e in found if s == side] for side in ("train", "dev", "held_out")}


def _read(
    kind: type[_Kind], source: SourceConfig, config: TrainConfig
) -> Iterator[tuple[str, _Kind]]:
    if source.run is not None:
        yield from _read_run(kind, source, config)
        return
    assert source.file is not None
    for example in read_file(Path(source.file), source.origin):
        wanted = _as(kind, example)
        if wanted is not None:
            yield _side(wanted, source), wanted


def _as(kind: Any, example: Example) -> Any:
    """The example as another kind, or None where it does not hold what that needs."""
    if isinstance(example, kind):
        return example
    if isinstance(example, PromptExample):
        return None
    if kind is PromptExample:
        return kind(example.prompt, short_id([[m.role, m.content] for m in example.prompt]))
    if kind is Demonstration and isinstance(example, Preference):
        return kind(example.prompt, example.chosen, example.id, example.origin)
    return None


def _side(example: Any, source: SourceConfig) -> str:
    prompt = example.messages if isinstance(example, PromptExample) else example.prompt
    u = unit_interval("side", [[m.role, m.content] for m in prompt])
    if u < source.held_out_share:
        return "held_out"
    return "dev" if u < source.held_out_share + source.dev_share else "train"


def _read_run(
    kind: type[_Kind], source: SourceConfig, config: TrainConfig
) -> Iterator[tuple[str, _Kind]]:
    from cai.store import RunStore

    assert source.run is not None
    with RunStore.read(Path(source.run)) as store:
        if kind in _OF_PAIRS:
            yield from _promoted(store)
        for purpose, side in (("training", "train"), ("calibration", "dev")):
            for row, _ in rows_for(store, purpose):  # type: ignore[arg-type]
                for example in _of_row(kind, row, config):
                    yield side, example


def _promoted(store: RunStore) -> Iterator[tuple[str, Any]]:
    """Labels by people that were taken out of the held-out set to be trained on."""
    from cai.validation.promote import promoted

    for one in promoted(store):
        fields = one.prompt, one.chosen, one.rejected, one.p, one.pair_id
        yield "train", Preference(*fields, "human")


def _of_row(kind: Any, row: Row, config: TrainConfig) -> Iterator[Any]:
    prompt = row.prompt.messages
    if kind is PromptExample:
        yield PromptExample(prompt, row.prompt.id)
    elif kind in _OF_PAIRS:
        for pair in row.pairs:
            if pair.is_preference:
                best = pair.oriented()
                assert best.soft_label is not None
                yield Preference(prompt, best.first, best.second, best.soft_label, pair.id)
    elif kind is Demonstration and not set(config.sft.samples).isdisjoint(row.prompt.tags):
        for number, sample in enumerate(row.samples):
            if sample.text:
                position = [row.prompt.id, "sample", number, sample.text]
                yield Demonstration(prompt, sample.text, short_id(position))
    elif kind is Demonstration:
        for number, chain in enumerate(row.revisions):
            usable = [r for r in chain if r.outcome == "revised"]
            for revision in usable if config.sft.revisions == "all" else usable[-1:]:
                position = [row.prompt.id, number, revision.round, revision.text]
                yield Demonstration(prompt, revision.text, short_id(position))


def _drawn(found: list[tuple[str, _Kind]], limit: int) -> list[tuple[str, _Kind]]:
    ranked = sorted(found, key=lambda pair: unit_interval("limit", pair[1].id))
    return ranked[:limit]


def _facts(
    source: SourceConfig, weight: float, sides: dict[str, list[_Kind]], standing: Standing
) -> SourceFacts:
    constitution = constitution_hash = ""
    if source.run is not None:
        from cai.store import RunStore

        with RunStore.read(Path(source.run)) as store:
            facts = store.meta("constitution") or {}
        constitution = f"{facts.get('name', '')}@{facts.get('version', '')}"
        constitution_hash = facts.get("hash", "")
    return SourceFacts(
        name=Path(source.run or source.file or "").name,
        origin="ai" if source.run else source.origin,
        weight=weight,
        train=len(sides["train"]),
        dev=len(sides["dev"]),
        held_out=len(sides["held_out"]),
        hash=content_hash([sides[side] for side in sorted(sides)]),
        standing=standing,
        constitution=constitution,
        constitution_hash=constitution_hash,
    )


def _nothing(kind: type, config: TrainConfig) -> str:
    wanted: dict[Any, str] = {
        GoodOrBad: "answers with a label (rows with `completion` and `label`) or decided "
        "comparisons (pairs of a run, or rows with `chosen` and `rejected`)",
        Demonstration: "answers to imitate (usable revisions, or rows with `messages`)",
        Preference: "decided comparisons (pairs of a run, or rows with `chosen` and `rejected`)",
        PromptExample: "prompts",
        Ranking: "rankings (rows with `ranking`: a list of answers, best first)",
        Rating: "ratings (rows with `answer` and `rating`)",
    }
    what = wanted[kind]
    names = ", ".join(str(s.run or s.file) for s in config.data)
    return (
        f"No training examples in {names}: this method needs {what} in the train split. "
        "Look at the run with `cai status`, or name another source."
    )
