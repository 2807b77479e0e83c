"""What each principle does to the verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Charts, Fold, Note, Section, Table
from cai.report.charts import Estimate, interval_chart
from cai.report.format import decimal, estimate, share
from cai.report.sections.influence import influence_blocks
from cai.validation.statistics.intervals import wilson
from cai.wording import counted

if TYPE_CHECKING:
    from cai.report.blocks import Block
    from cai.report.figures import Figures
    from cai.validation.bias.principles import PrincipleInfluence

__all__ = ["principles_section"]

_SHOWN = 10
"""Most principles in a chart; the table has all."""


def principles_section(figures: Figures) -> Section:
    """Verdicts, flips, sureness and accuracy by principle."""
    found = figures.judge.principles
    lead = (
        "The verdicts under each principle: how often its two orders disagree, how sure it is, and "
        "what the labels would be without it."
    )
    if not found:
        none = Note("No verdict was given under a principle, so there is no influence to show.")
        return Section("principles", "Influence of principles", lead, (none,))
    charts = []
    flips = [e for one in found[:_SHOWN] if (e := _flips(one)) is not None]
    if flips:
        charts.append(
            interval_chart(
                *("flips", f"Flip rate, {_those(len(flips), len(found))}", flips),
                "Share of verdicts whose orders disagree",
            )
        )
    right = [
        estimate(one.principle, one.accuracy, counted(one.gold_n, "labelled pair"))
        for one in found
        if one.accuracy is not None
    ]
    if right:
        title = f"Accuracy, {_those(len(right[:_SHOWN]), len(right), 'with labels')}"
        charts.append(
            interval_chart(
                *("accuracy", title, right[:_SHOWN], "Share of labelled pairs that is right"),
                reference=0.5,
                meaning="guessing",
            )
        )
    table = Table(
        "All principles, most pairs first",
        ("Principle", "Pairs", "With a p", "Flips", "Flip rate", "Mean |p − ½|", "Right", "Labels"),
        tuple(_row(one) for one in found),
        frozenset({1, 2, 3, 4, 5, 7}),
    )
    blocks: list[Block] = [Charts(tuple(charts))] if charts else []
    if not right:
        blocks.append(
            Note("Accuracy by principle is not known: too few labelled pairs have a winner.")
        )
    blocks.append(table if len(found) <= _SHOWN else Fold("Figures of all principles", table))
    blocks += influence_blocks(figures)
    return Section("principles", "Influence of principles", lead, tuple(blocks))


def _those(shown: int, all_of_them: int, which: str = "") -> str:
    word = "principle" if all_of_them == 1 else "principles"
    some = f"all {all_of_them:,}" if shown == all_of_them else f"{shown} of {all_of_them:,}"
    return f"{some} {word} {which}".strip()


def _flips(one: PrincipleInfluence) -> Estimate | None:
    if not one.flips.n:
        return None
    found = wilson(one.flips.count, one.flips.n)
    return estimate(one.principle, found, counted(one.flips.n, "verdict"))


def _row(one: PrincipleInfluence) -> tuple[str, ...]:
    rate = "none" if one.flips.value is None else f"{one.flips.value:.1%}"
    return (
        *(one.principle, f"{one.n:,}", f"{one.answered:,}", f"{one.flips.count:,}", rate),
        *(decimal(one.sureness), share(one.accuracy), f"{one.gold_n:,}"),
    )
