"""Reading the judged pairs of a run, with the gold label where there is one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from cai.records import Prompt
from cai.store import rows_for
from cai.store.access import refuse_shard
from cai.validation.bias.authors import Authors
from cai.validation.bias.records import Judged, JudgedPair, Under
from cai.validation.labels import Labels
from cai.validation.records import Item, item_id
from cai.validation.table import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.records import Pair, PrincipleVerdict, Split, Verdict
    from cai.store import RunStore
    from cai.store.access import Purpose
    from cai.validation.records import AnnotatorKind
    from cai.validation.table import GoldMethod

__all__ = ["ballots_of", "read_judged"]

_TARGETS = {0: 1.0, 1: 0.0, 2: 0.5}


def read_judged(
    store: RunStore,
    purpose: Purpose,
    *splits: Split,
    method: GoldMethod = "majority",
    kinds: tuple[AnnotatorKind, ...] = ("human", "model", "simulated"),
) -> Judged:
    """Read judged pairs and their gold labels.

    Args:
        store: the run.
        purpose: what the rows are wanted for; decides which splits are open.
        splits: narrows them.
        method: how several labels become one.
        kinds: whose labels may be gold; those of the first kind that has any count.

    Raises:
        SplitError: a split is closed to the purpose.
        StoreError: the run cannot be read, or is a shard.
    """
    refuse_shard(store)
    labels, authors = Labels(store), Authors.of(store)
    kind, labelled = _labelled(labels, kinds)
    groups = _groups(store)
    pairs: dict[str, JudgedPair] = {}
    items: list[Item] = []
    not_judged, orders = Counter[str](), Counter[str]()
    for row, _ in rows_for(store, purpose, *splits):
        for pair in row.pairs:
            if pair.verdict is None:
                not_judged[pair.note or "unknown"] += 1
            elif pair.id not in pairs:
                for one in pair.verdict.principles:
                    orders.update(order.outcome for order in one.orders)
                    orders.update(score.outcome for score in one.scores)
                group = groups[row.prompt.id]
                pairs[pair.id] = _judged(pair, pair.verdict, group, authors)
                if item_id(pair.id) in labelled:
                    bare = replace(pair, first="", second="", verdict=None)
                    items.append(Item(item_id(pair.id), Prompt(()), bare, group))
    gold: dict[str, float] = {}
    disputed = 0
    if kind is not None:
        table = read_table(labels, method, items, kind)
        disputed = len(table.disputed)
        for item, code in zip(table.items, table.gold, strict=True):
            if code >= 0:
                gold[item.item_id] = _TARGETS[int(code)]
    return Judged(
        tuple(replace(pair, gold=gold.get(item_id(pair.id))) for pair in pairs.values()),
        *(dict(not_judged), dict(orders), kind, disputed, authors),
    )


def _labelled(
    labels: Labels, kinds: tuple[AnnotatorKind, ...]
) -> tuple[AnnotatorKind | None, frozenset[str]]:
    """The first kind of annotators with labels, and the items that they have labelled."""
    for kind in kinds:
        current = [*labels.current(kind=kind), *labels.current("adjudicate", kind)]
        if current:
            return kind, frozenset(item for _, item in current)
    return None, frozenset()


def _groups(store: RunStore) -> dict[str, str]:
    names: tuple[Split, ...] = ("train", "dev", "held_out", "quarantine")
    return {prompt: group for split in names for prompt, group in store.groups(split).items()}


def _judged(pair: Pair, verdict: Verdict, group: str, authors: Authors) -> JudgedPair:
    answered = [o for v in verdict.principles for o in v.orders if o.p_shown_first is not None]
    under = tuple(Under(_name(v), v.p, v.flipped) for v in verdict.principles if not v.superseded)
    turned = _mean(verdict, "ba")
    return JudgedPair(
        id=pair.id,
        group=group,
        kind=pair.kind,
        lengths=(len(pair.first), len(pair.second)),
        outcome=verdict.outcome,
        p=verdict.p,
        ab=_mean(verdict, "ab"),
        ba=None if turned is None else 1.0 - turned,
        slots=tuple(o.p_shown_first for o in answered if o.p_shown_first is not None),
        masses=tuple(_masses(verdict)),
        under=under,
        own=authors.own(pair),
        ballots=ballots_of(verdict),
    )


def ballots_of(verdict: Verdict) -> tuple[PrincipleVerdict, ...]:
    """Verdicts by principle and judge that count, without the calls that they come from."""
    return tuple(replace(v, orders=(), scores=()) for v in verdict.principles if not v.superseded)


def _mean(verdict: Verdict, order: Literal["ab", "ba"]) -> float | None:
    """Mean p_shown_first of one order over the principles that gave a verdict."""
    found: list[float] = []
    for one in verdict.principles:
        if one.p is None or one.superseded:
            continue
        shown = next((o.p_shown_first for o in one.orders if o.order == order), None)
        if shown is None:
            return None
        found.append(shown)
    return sum(found) / len(found) if found else None


def _masses(verdict: Verdict) -> Iterator[float]:
    for one in verdict.principles:
        for order in one.orders:
            if order.mass is not None:
                yield order.mass
        for score in one.scores:
            if score.mass is not None:
                yield score.mass


def _name(verdict: PrincipleVerdict) -> str:
    """The principle; with a panel, and who judged."""
    ids = verdict.principle_ids
    name = ids[0] if len(ids) == 1 else f"{len(ids)} principles together"
    return f"{name} ({verdict.judge})" if verdict.judge else name
