"""What was trained on the run, and how it does on dev."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Charts, Fold, Note, Section, Table
from cai.report.charts import Estimate, interval_chart
from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.report.blocks import Block
    from cai.report.figures import Figures
    from cai.report.trainings import TrainedModel

__all__ = ["training_section"]

_BOUNDS = ("_low", "_high")
_LEAD = (
    "Figures on dev examples, which nothing was trained on. Accuracy is the share of pairs in "
    "which the model gives the better answer the higher reward: it is about labels, not people."
)


def training_section(figures: Figures) -> Section:
    """Trainings, their figures on dev, and what was seen on the way."""
    found = figures.trainings
    blocks: list[Block] = []
    unvalidated = [one.name for one in found if any("not validated" in said for said in one.labels)]
    if unvalidated:
        blocks.append(
            Note(f"Trained on labels not validated by people: {listed(unvalidated)}.", "warn")
        )
    accuracy = [e for one in found if (e := _accuracy(one)) is not None]
    if accuracy:
        chart = interval_chart(
            *("trained", "Accuracy on dev", accuracy, "Share of dev pairs"),
            reference=0.5,
            meaning="guessing",
        )
        blocks.append(Charts((chart,)))
    blocks.append(
        Table(
            "Trainings",
            ("Model", "Method", "Began with", "Steps", "Seconds", "Memory", "Examples", "Labels"),
            tuple(_row(one) for one in found),
            frozenset({3, 4, 5, 6}),
        )
    )
    rows = tuple(row for one in found for row in _figures(one))
    blocks.append(
        Fold(
            "Figures on dev",
            Table(
                "On dev", ("Model", "Figure", "Value [95 % interval]", "n"), rows, frozenset({3})
            ),
        )
    )
    blocks += [Note(f"{one.name}: {seen}") for one in found for seen in one.watch]
    return Section("training", "Trained models", _LEAD, tuple(blocks))


def _accuracy(one: TrainedModel) -> Estimate | None:
    dev = one.dev
    if not {"accuracy", "accuracy_low", "accuracy_high"} <= dev.keys():
        return None
    bounds = dev["accuracy_low"], dev["accuracy_high"]
    return Estimate(one.name, dev["accuracy"], *bounds, counted(_pairs(one), "dev pair"))


def _pairs(one: TrainedModel) -> int:
    return int(one.dev.get("pairs", one.dev_examples))


def _row(one: TrainedModel) -> tuple[str, ...]:
    return (
        *(one.name, one.method, one.base, f"{one.steps:,}", f"{one.seconds:,.0f}"),
        *(f"{one.peak_mb:,.0f} MB", f"{one.examples:,}", listed(one.labels)),
    )


def _figures(one: TrainedModel) -> Iterator[tuple[str, ...]]:
    for name, value in one.dev.items():
        if name.endswith(_BOUNDS) or name == "pairs":
            continue
        low, high = (one.dev.get(name + bound) for bound in _BOUNDS)
        known = low is not None and high is not None
        interval = f"[{low:.3g}, {high:.3g}]" if known else "(no interval)"
        words = name.replace("_", " ")
        yield (one.name, words, f"{value:.3g} {interval}", f"{_pairs(one):,}")
