"""Everything that people's labels say about a run, in one record."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cai.errors import UsageError
from cai.validation.estimates import estimate
from cai.validation.judged import judge_against_people
from cai.validation.records import item_id
from cai.validation.sampling.frame import count_held_out, held_out_pairs
from cai.validation.statistics.agreement import agreement
from cai.validation.statistics.alt_test import alt_test
from cai.validation.statistics.annotators import LabelledItem, annotator_report
from cai.validation.statistics.gold import majority
from cai.validation.table import CODES, code_of, read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cai.config import ValidationConfig
    from cai.store import RunStore
    from cai.validation.estimates import Estimates
    from cai.validation.judged import JudgeAgainstPeople
    from cai.validation.labels import Labels
    from cai.validation.records import Action, Annotator, Item, SamplingPlan
    from cai.validation.statistics.agreement import Agreement
    from cai.validation.statistics.alt_test import AltTest
    from cai.validation.statistics.annotators import AnnotatorReport
    from cai.validation.table import LabelTable

    _NamesOf = Callable[[Item], Iterable[str]]

__all__ = ["Report", "make_report"]

_FEWEST = 10
"""Items with two labels that a principle or tag needs for an agreement of its own."""


@dataclass(frozen=True, slots=True)
class Report:
    """What people's labels say of themselves and of the judge.

    Args:
        plan: the current sampling plan.
        held_out: held-out pairs of the run now.
        grown: held-out pairs that have come since the plan was made.
        items: showings that the plan asks for, without second ones.
        labels: labels on the items of the plan, by kind of annotator.
        labelled: pairs with a label by a person.
        settled: how gold labels came about; `open` ones are disputed.
        annotators: each person with what the labels say of them.
        agreement: between people.
        by_principle: the same where enough pairs were compared under one principle.
        by_tag: the same by the tags of prompts.
        judge: the judge against the gold labels.
        alternative: whether the judge may stand in for a person.
        estimates: rates over all held-out pairs.
    """

    plan: SamplingPlan
    held_out: int
    grown: int
    items: int
    labels: Mapping[str, int]
    labelled: int
    settled: Mapping[str, int]
    annotators: tuple[tuple[Annotator, AnnotatorReport], ...]
    agreement: Agreement
    by_principle: Mapping[str, Agreement]
    by_tag: Mapping[str, Agreement]
    judge: JudgeAgainstPeople
    alternative: AltTest
    estimates: Estimates


def make_report(
    store: RunStore, labels: Labels, settings: ValidationConfig, *, draws: int = 2000
) -> Report:
    """Read the labels of a run and say what they show.

    Args:
        store: the run.
        labels: its labels.
        settings: how gold labels are made, and who the annotators are.
        draws: bootstrap samples of each interval.

    Raises:
        UsageError: there is no sampling plan, or the run has changed since it was made.
        StoreError: the run cannot be read.
    """
    plan, table = labels.needed_plan(), read_table(labels, settings.gold)
    kinds, items = {a.id: a.kind for a in labels.annotators()}, labels.items()
    held_out = _require_current(store, items)
    asked = {item.item_id for item in items}
    return Report(
        plan=plan,
        held_out=held_out,
        grown=max(0, count_held_out(store) - plan.total),
        items=sum(not item.repeat for item in items),
        # As a plain dict: dataclasses.asdict cannot copy a Counter.
        labels=dict(Counter(kinds[who] for who, item in labels.current() if item in asked)),
        labelled=len(table.items),
        settled=table.settled,
        annotators=tuple(_annotators(labels, table)),
        agreement=agreement(table.ratings, table.groups, draws=draws),
        by_principle=_sliced(table, _principles, draws),
        by_tag=_sliced(table, lambda item: item.prompt.tags, draws),
        judge=judge_against_people(table, draws=draws),
        alternative=alt_test(
            table.ratings, table.judge, skill=settings.gate.skill, clusters=table.groups
        ),
        estimates=estimate(store, labels, plan, table),
    )


def _require_current(store: RunStore, items: Iterable[Item]) -> int:
    """Refuse a sample of what the run no longer holds: another judge said it, or of other texts.

    Returns:
        How many held-out pairs there are now.
    """
    drawn = {item.item_id: item.pair for item in items if not item.repeat}
    missing, seen = dict(drawn), set[str]()
    for _, pair in held_out_pairs(store):
        seen.add(pair.id)
        if missing.get(pair.id) == pair:
            del missing[pair.id]
    if missing:
        raise UsageError(
            f"The run {store.folder} has changed since its sample was drawn: {len(missing):,} of "
            f"{len(drawn):,} pairs are gone or judged otherwise. Draw again: cai validate plan "
            f"{store.folder}. Labels on pairs of the same texts count again."
        )
    return len(seen)


def _sliced(table: LabelTable, names_of: _NamesOf, draws: int) -> dict[str, Agreement]:
    rows: dict[str, list[int]] = defaultdict(list)
    shared = (table.ratings >= 0).sum(axis=1) >= 2
    for row, item in enumerate(table.items):
        if shared[row]:
            for name in names_of(item):
                rows[name].append(row)
    groups = table.groups
    return {
        name: agreement(table.ratings[those], [groups[row] for row in those], draws=draws)
        for name, those in sorted(rows.items())
        if len(those) >= _FEWEST
    }


def _principles(item: Item) -> tuple[str, ...]:
    verdict = item.pair.verdict
    return tuple({i for v in (verdict.principles if verdict else ()) for i in v.principle_ids})


def _annotators(labels: Labels, table: LabelTable) -> list[tuple[Annotator, AnnotatorReport]]:
    items = {item.item_id: item for item in labels.items()}
    current = labels.current(kind="human")
    found = []
    for column, annotator in enumerate(table.annotators):
        others = majority(np.delete(table.ratings, column, axis=1))
        their = {i.item_id: int(code) for i, code in zip(table.items, others, strict=True)}
        said = [
            _labelled(items[action.item_id], action, order, their)
            for order, ((who, what), action) in enumerate(current.items())
            if who == annotator.id and what in items and code_of(action.annotation.choice) >= 0
        ]
        found.append((annotator, annotator_report(said, tie=CODES["tie"])))
    return found


def _labelled(item: Item, action: Action, order: int, others: Mapping[str, int]) -> LabelledItem:
    said = action.annotation
    decided = said.choice in ("first", "second")
    return LabelledItem(
        item=item.item_id,
        code=code_of(said.choice),
        order=order,
        repeat_of=item_id(item.pair.id) if item.repeat else None,
        shown_first_chosen=(said.choice == "first") != said.swapped if decided else None,
        seconds=said.seconds,
        others=-1 if item.repeat else others.get(item.item_id, -1),
    )
