"""Two models beside each other: all figures, what trained them, and figures on dev."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from cai.evaluate.change import changes
from cai.evaluate.results import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.compare.models import Model
    from cai.compare.trained import DevFigure
    from cai.evaluate.change import Change
    from cai.evaluate.results import Evaluator, Figure

__all__ = ["DevPair", "ModelComparison", "compare_models"]


@dataclass(frozen=True, slots=True)
class DevPair:
    """A figure of both trainings on their dev examples; None where one has none."""

    name: str
    before: DevFigure | None
    after: DevFigure | None


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """What two models have in common and what not.

    Args:
        before: the first one.
        after: the second one; differences are its figures less those of the first.
        changes: of all figures that both have.
        versus: what an evaluation says of the second against the first directly.
        alone: kinds of evaluations that only one has, with its label.
        judges: evaluators of both, each once.
        facts: name and values of both, of their trainings.
        settings: keys of their trainings that differ.
        dev: figures on dev examples.
        same_dev: whether these are about the same examples.
    """

    before: Model
    after: Model
    changes: tuple[Change, ...]
    versus: tuple[tuple[Kind, Figure], ...]
    alone: tuple[tuple[Kind, str], ...]
    judges: tuple[Evaluator, ...]
    facts: tuple[tuple[str, str, str], ...]
    settings: tuple[tuple[str, Any, Any], ...]
    dev: tuple[DevPair, ...]
    same_dev: bool

    @property
    def plain(self) -> dict[str, Any]:
        """For programs."""
        from dataclasses import asdict

        return {
            "before": self.before.label,
            "after": self.after.label,
            "figures": [
                {**asdict(one), "key": one.key, "reading": one.reading} for one in self.changes
            ],
            "versus": [{"kind": kind, **asdict(one)} for kind, one in self.versus],
            "evaluated_alone": [{"kind": kind, "model": who} for kind, who in self.alone],
            "judges": [{**asdict(one), "distrust": one.distrust} for one in self.judges],
            "training": [{"what": a, "before": b, "after": c} for a, b, c in self.facts],
            "settings": [{"key": a, "before": b, "after": c} for a, b, c in self.settings],
            "dev": [asdict(one) for one in self.dev],
            "same_dev_examples": self.same_dev,
        }


def compare_models(before: Model, after: Model, *, draws: int = 2000) -> ModelComparison:
    """Compare two models by what is known of them; nothing is asked and no model is loaded.

    Args:
        before: the first one.
        after: the second one.
        draws: of each bootstrap.
    """
    found: list[Change] = []
    alone: list[tuple[Kind, str]] = []
    judges: dict[Evaluator, None] = {}
    for kind in get_args(Kind):
        one, other = after.sided(kind), before.sided(kind)
        if one is not None and other is not None:
            found += changes(one, other, draws=draws)
            judges |= dict.fromkeys((*other.result.evaluators, *one.result.evaluators))
        elif one is not None or other is not None:
            alone.append((kind, after.label if one else before.label))
    trainings = before.training, after.training
    return ModelComparison(
        before,
        after,
        tuple(found),
        tuple(_versus(before, after)),
        tuple(alone),
        tuple(judges),
        tuple(_facts(before, after)),
        tuple(_settings(before, after)),
        tuple(_dev(before, after)),
        same_dev=all(trainings) and len({t.data for t in trainings if t}) == 1,
    )


def _versus(before: Model, after: Model) -> Iterator[tuple[Kind, Figure]]:
    """Figures that compare the two within one evaluation, where both took part in it."""
    for result in after.results:
        if result in before.results:
            for one in result.figures:
                if (one.subject, one.against) == (after.subject, before.subject):
                    yield result.kind, one


def _facts(before: Model, after: Model) -> Iterator[tuple[str, str, str]]:
    one, other = before.training, after.training
    if one is None and other is None:
        return
    for name, told in (
        ("Method", lambda t: t.method),
        ("Began with", lambda t: t.base),
        ("Weights", lambda t: t.fingerprint),
        ("Constitution of the data", lambda t: _named(t.constitution, t.constitution_hash)),
        ("Examples (hash)", lambda t: f"{t.examples:,} ({t.data[:12]})"),
        ("Labels", lambda t: "; ".join(t.labels)),
        ("Steps", lambda t: f"{t.steps:,}"),
        ("Seconds", lambda t: f"{t.seconds:,.0f}"),
    ):
        first, second = ("not known" if t is None else told(t) for t in (one, other))
        yield name, first, second


def _named(name: str, digest: str) -> str:
    return f"{name} ({digest[:12]})" if digest else name or "none"


def _settings(before: Model, after: Model) -> Iterator[tuple[str, Any, Any]]:
    """Keys whose values differ, where both trainings are known."""
    if before.training is None or after.training is None:
        return
    one, other = before.training.settings, after.training.settings
    for key in sorted(one.keys() | other.keys()):
        if one.get(key) != other.get(key):
            yield key, one.get(key), other.get(key)


def _dev(before: Model, after: Model) -> Iterator[DevPair]:
    one, other = (m.training.dev if m.training else {} for m in (before, after))
    for name in dict.fromkeys((*one, *other)):
        yield DevPair(name, one.get(name), other.get(name))
