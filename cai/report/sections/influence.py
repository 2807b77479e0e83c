"""What the labels would be without each principle, and which principles say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Charts, Note, Table
from cai.report.charts import interval_chart
from cai.report.format import decimal, estimate, share
from cai.validation.bias.influence_words import COUPLES, EFFECTS, RELATIONS, advice
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.report.blocks import Block
    from cai.report.charts import Chart
    from cai.report.figures import Figures
    from cai.validation.bias.couples import Couple
    from cai.validation.bias.influence import Effect, Influence

__all__ = ["influence_blocks"]

_SHOWN = 10
"""Most principles in the chart; the table has all."""
_COUPLES = 20
"""Most couples in the table."""


def influence_blocks(figures: Figures) -> Iterator[Block]:
    """A chart and a table of principles, a table of couples, and what to do."""
    found = figures.influence
    if figures.influence_problem:
        yield Note(f"What single principles decide was not found out. {figures.influence_problem}")
        return
    if found is None or not found.several:
        yield Note(
            "What single principles decide is not known: no pair has verdicts under several of "
            "them. Ask about all on some pairs with: cai constitution influence RUN --ask"
        )
        return
    yield Note(_from_what(found))
    if chart := _chart(found):
        yield Charts((chart,))
    yield Table(
        "Principles by influence",
        (
            *("Principle", "Pairs", "Changed without it", "Decided", "Agrees with all"),
            *("with the others", "Bits of label", "Bits of p"),
        ),
        tuple(_effect(one) for one in found.principles),
        frozenset({1, 6, 7}),
    )
    yield Note(" ".join(EFFECTS))
    related = [one for kind in RELATIONS for one in found.related(kind)]
    if related:
        yield Table(
            _caption(len(related)),
            ("Relation", "Principles", "Pairs", "Same winner", "κ", "r"),
            tuple(_couple(one) for one in related[:_COUPLES]),
            frozenset({2, 5}),
        )
        yield Note(" ".join(COUPLES))
    yield Note(advice(found), "warn" if found.related("conflict", "redundant") else "plain")


def _from_what(found: Influence) -> str:
    pairs = counted(found.several, "pair")
    if found.source == "asked":
        said = f"Every principle was asked about on {pairs} of train and dev"
    else:
        said = f"{pairs} have verdicts under several principles"
    own = f" The run's own label is the same in {share(found.own)}." if found.own else ""
    how = f"They are put together by aggregate: {found.aggregate}, and each is left out in turn."
    return f"{said}. {how}{own}"


def _chart(found: Influence) -> Chart | None:
    shown = [
        estimate(one.principle, one.changed, counted(one.tried, "pair"))
        for one in found.principles
        if one.changed
    ]
    if not shown:
        return None
    some = f"{_SHOWN} of {len(shown):,}" if len(shown) > _SHOWN else f"all {len(shown):,}"
    title = f"Labels that differ without the principle, {some}"
    return interval_chart("without", title, shown[:_SHOWN], "Share of labels")


def _effect(one: Effect) -> tuple[str, ...]:
    return (
        *(one.principle, f"{one.pairs:,}", share(one.changed), share(one.decided)),
        *(share(one.agrees), share(one.agrees_others)),
        *(decimal(one.label_entropy, 2), decimal(one.p_entropy, 2)),
    )


def _caption(related: int) -> str:
    more = f", {_COUPLES} of {related:,}" if related > _COUPLES else ""
    return f"Redundant and conflicting principles{more}"


def _couple(one: Couple) -> tuple[str, ...]:
    kappa = "not defined" if one.kappa is None else f"{one.kappa:.2f}"
    if one.kappa is not None and one.kappa_interval:
        kappa += f" [{one.kappa_interval.low:.2f}, {one.kappa_interval.high:.2f}]"
    r = "none" if one.correlation is None else f"{one.correlation:+.2f}"
    names = " – ".join(one.names)
    return (
        *(RELATIONS[one.relation], names, f"{one.decided:,}", share(one.same_interval)),
        *(kappa, r),
    )
