"""People's labels as arrays: one line per labelled pair, one column per person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cai.validation.statistics.gold import dawid_skene, majority

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from cai.records import Pair
    from cai.validation.labels import Labels
    from cai.validation.records import Annotator, AnnotatorKind, Choice, Item

__all__ = ["CODES", "NAMES", "GoldMethod", "LabelTable", "code_of", "judge_code", "read_table"]

GoldMethod = Literal["majority", "dawid-skene", "adjudicated"]

CODES: dict[Choice, int] = {"first": 0, "second": 1, "tie": 2, "both_bad": 2}
"""Codes of the arrays. Where both are bad neither is preferred, as in a tie; a skip is no label."""

NAMES = ("first", "second", "tie")

_CERTAIN = 0.5
"""A class must be likelier than this to be the gold label of Dawid and Skene's model."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """Labels by people on the items of the current plan, without second showings.

    Args:
        items: (n,) items with at least one label by a person.
        annotators: (a,) people with at least one label.
        ratings: (n, a) codes, -1 where there is no label.
        ruled: (n,) what an adjudicator said, -1 where none did.
        gold: (n,) the label that counts, -1 where people are divided.
        settled: how many gold labels came about in which way.
    """

    items: tuple[Item, ...]
    annotators: tuple[Annotator, ...]
    ratings: NDArray[np.int64]
    ruled: NDArray[np.int64]
    gold: NDArray[np.int64]
    settled: Mapping[str, int]

    @property
    def groups(self) -> list[str]:
        """(n,) prompt group of each item."""
        return [item.group_id for item in self.items]

    @property
    def judge(self) -> NDArray[np.int64]:
        """(n,) what the judge said, -1 where it gave no verdict."""
        return np.array([judge_code(item.pair) for item in self.items], dtype=np.int64)

    @property
    def disputed(self) -> tuple[Item, ...]:
        """Items that people label differently and nobody has settled."""
        return tuple(i for i, g in zip(self.items, self.gold, strict=True) if g < 0)


def code_of(choice: Choice | None) -> int:
    """The code of a choice, -1 for a skip."""
    return CODES.get(choice, -1) if choice else -1


def judge_code(pair: Pair) -> int:
    """The code of the AI label, which is a verdict or was set by construction; -1 without one."""
    if pair.constructed is not None:
        return 2 if pair.constructed == 0.5 else int(pair.constructed < 0.5)
    outcome = pair.verdict.outcome if pair.verdict else ""
    return NAMES.index(outcome) if outcome in NAMES else -1


def read_table(
    labels: Labels,
    method: GoldMethod = "majority",
    items: Iterable[Item] | None = None,
    kind: AnnotatorKind = "human",
) -> LabelTable:
    """The labels of people that count now.

    Args:
        labels: of the run.
        method: how several labels of an item become one; an adjudicator's word comes first.
        items: which to look at; those of the current plan when absent.
        kind: of the annotators, for benchmarks that a program has labelled.
    """
    asked = labels.items() if items is None else items
    showings = {item.item_id: item for item in asked if not item.repeat}
    found = {
        key: code
        for key, action in labels.current(kind=kind).items()
        if key[1] in showings and (code := code_of(action.annotation.choice)) >= 0
    }
    named = {item_id for _, item_id in found}
    annotators = [a for a in labels.annotators() if any(key[0] == a.id for key in found)]
    rows = {item_id: row for row, item_id in enumerate(i for i in showings if i in named)}
    columns = {annotator.id: column for column, annotator in enumerate(annotators)}
    ratings = np.full((len(rows), len(columns)), -1, dtype=np.int64)
    for (annotator_id, item_id), code in found.items():
        ratings[rows[item_id], columns[annotator_id]] = code
    rulings = {
        item_id: code
        for (_, item_id), action in labels.current("adjudicate", kind).items()
        if (code := code_of(action.annotation.choice)) >= 0
    }
    ruled = np.array([rulings.get(item_id, -1) for item_id in rows], dtype=np.int64)
    gold, settled = _gold(ratings, ruled, method)
    kept = tuple(showings[item_id] for item_id in rows)
    return LabelTable(kept, tuple(annotators), ratings, ruled, gold, settled)


def _gold(
    ratings: NDArray[np.int64], ruled: NDArray[np.int64], method: GoldMethod
) -> tuple[NDArray[np.int64], dict[str, int]]:
    gold, settled = np.full(len(ratings), -1, dtype=np.int64), Counter[str]()
    voted = _voted(ratings, method)
    for row, labels in enumerate(ratings):
        given = labels[labels >= 0]
        if ruled[row] >= 0:
            gold[row], how = ruled[row], "adjudicated"
        elif len(set(given.tolist())) == 1:
            gold[row], how = given[0], "one label" if len(given) == 1 else "all agree"
        elif voted[row] >= 0:
            gold[row], how = voted[row], method
        else:
            how = "open"
        settled[how] += 1
    return gold, dict(settled)


def _voted(ratings: NDArray[np.int64], method: GoldMethod) -> NDArray[np.int64]:
    """What the method says where people differ, -1 where it says nothing."""
    if method == "adjudicated" or not len(ratings):
        return np.full(len(ratings), -1, dtype=np.int64)
    if method == "majority":
        return majority(ratings)
    posterior = dawid_skene(ratings, len(NAMES)).posterior
    return np.where(posterior.max(axis=1) > _CERTAIN, posterior.argmax(axis=1), -1)
