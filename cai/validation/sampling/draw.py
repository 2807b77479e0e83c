"""From a run to a sampling plan and its items: size, strata, draw, order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.hashing import unit_intervals
from cai.validation.records import Item, SamplingPlan, Stratum, item_id
from cai.validation.sampling.allocation import Allocation, Layer
from cai.validation.sampling.frame import count_held_out, held_out_pairs, scan
from cai.validation.sampling.goal import goal_of, size_of
from cai.validation.sampling.order import arrange
from cai.validation.sampling.strata import merged, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cai.config import ValidationConfig
    from cai.store import RunStore
    from cai.validation.sampling.frame import Candidate, Frame
    from cai.validation.sampling.goal import Power
    from cai.validation.sampling.strata import Cell

__all__ = ["make_plan"]

_PER_STRATUM = 4
"""A stratum has at least so many pairs, and there is at most one for every so many labels: the two
labels that each stratum gets first then take up half of the labels at most."""


def make_plan(
    store: RunStore,
    settings: ValidationConfig,
    *,
    labels: int | None = None,
    power: Power | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[SamplingPlan, list[Item]]:
    """Draw a stratified sample of the held-out pairs, in the order in which it is to be labelled.

    Within a stratum, the pairs with the smallest hashes of seed and pair are drawn: a simple random
    sample without replacement. With the same seed and strata, a larger sample therefore holds all
    pairs of a smaller one, and labels that were given stay in use. Items name the probability with
    which they were drawn; weighting by its inverse gives unbiased estimates (see `Allocation`).

    Without `labels` and `power`, the size follows from `settings.half_width` and
    `settings.expected_accuracy`. Both goals are corrected for unequal weights and for pairs of one
    prompt group (see `design_effect`).

    Args:
        store: the run; nothing is written to it.
        settings: the goal, what to stratify by, and how items are handed out.
        labels: number of pairs to draw.
        power: a goal in place of the interval's width.
        seed: chooses another sample.
        say: is told what is left out, and where there are fewer pairs than labels.

    Raises:
        UsageError: there is nothing to draw from, no verdict names a winner, or the goal makes no
            sense.
        StoreError: the store is a shard of a run.
    """
    goal = goal_of(settings, labels, power)
    # The texts are read in a second pass, which must find what the first one found.
    with store.snapshot():
        frame = scan(store, settings.stratify, say)
        runs = _runs(frame, min(goal.needed, frame.pairs) // _PER_STRATUM)
        layers = _layers(frame, runs)
        allocation = Allocation(layers)
        size, why = size_of(goal, allocation, say)
        strata = tuple(
            Stratum(layer.name, layer.pairs, drawn, run)
            for layer, drawn, run in zip(layers, allocation.drawn(size), runs, strict=True)
        )
        chosen = {
            member.id: (stratum, member.group_id)
            for layer, stratum in zip(layers, strata, strict=True)
            for member in _sample(layer.members, stratum.drawn, seed)
        }
        items = arrange(_items(store, chosen), settings, seed)
        run_plan, total = str(store.meta("plan") or ""), count_held_out(store)
    plan = SamplingPlan(
        run_plan=run_plan,
        seed=seed,
        strata=strata,
        groups=len({item.group_id for item in items}),
        annotators=settings.annotators,
        overlap=settings.overlap,
        repeats=settings.repeats,
        ask_refusals=settings.ask_refusals,
        goal=why,
        stratify=tuple(settings.stratify),
        total=total,
    )
    return plan, items


def _runs(frame: Frame, most: int) -> list[tuple[Cell, ...]]:
    """The cells of each stratum."""
    sizes = {cell: len(members) for cell, members in frame.cells.items()}
    return merged(sizes, least=_PER_STRATUM, most=most)


def _layers(frame: Frame, runs: list[tuple[Cell, ...]]) -> list[Layer]:
    return [
        Layer(name, tuple(member for cell in run for member in frame.cells[cell]))
        for name, run in zip(named(runs), runs, strict=True)
    ]


def _sample(members: Iterable[Candidate], count: int, seed: int) -> list[Candidate]:
    # The hash must not know the stratum: it stays when strata change.
    ordered = sorted(members, key=lambda member: member.id)
    places = unit_intervals(seed, "draw", last=[member.id for member in ordered])
    ranked = sorted(range(len(ordered)), key=places.__getitem__)
    return [ordered[i] for i in ranked[:count]]


def _items(store: RunStore, chosen: dict[str, tuple[Stratum, str]]) -> list[Item]:
    """One item for each of the chosen pairs, by id."""
    waiting, items = dict(chosen), []
    for prompt, pair in held_out_pairs(store):
        if (found := waiting.pop(pair.id, None)) is not None:
            stratum, group_id = found
            items.append(
                Item(
                    *(item_id(pair.id), prompt, pair, group_id),
                    stratum=stratum.name,
                    inclusion=stratum.inclusion,
                )
            )
    return items
