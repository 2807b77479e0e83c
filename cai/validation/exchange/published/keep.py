"""Storing what a file says of the pairs that a run has made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.store import rows_for
from cai.validation.exchange.keep import GivenLabel, Imported, keep_labels
from cai.validation.labels import Labels, clean_name
from cai.validation.records import Annotation, item_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cai.records import Pair
    from cai.store import RunStore
    from cai.validation.exchange.published.comparison import Comparison, Vote
    from cai.validation.records import AnnotatorKind, Choice

__all__ = ["annotator_names", "generators_of", "keep_published"]

_KEY = "generators"


def annotator_names(comparisons: Iterable[Comparison], annotator: str) -> tuple[str, ...]:
    """Names under which the votes will be kept, each once; to find bad ones before judging.

    Raises:
        UsageError: a name cannot be used.
    """
    found = {_name(annotator, vote): None for one in comparisons for vote in one.votes}
    return tuple(clean_name(name) for name in found)


def keep_published(
    store: RunStore, comparisons: Iterable[Comparison], annotator: str, kind: AnnotatorKind
) -> Imported:
    """Store who was chosen, as labels of each pair that the run has made of the comparisons.

    Pairs of all splits get their labels; what may be read of it is decided where labels are used.
    Votes with a name of their own are kept under `<annotator> <name>`.

    Raises:
        UsageError: the annotator's name cannot be used, or belongs to another kind.
    """
    known = {one.prompt.id: one for one in comparisons}
    given: list[GivenLabel] = []
    generators: dict[str, tuple[str, str]] = {}
    for row, _ in rows_for(store, "report"):
        one = known.get(row.prompt.id)
        for pair in row.pairs if one else ():
            assert one is not None
            if pair.kind != "samples" or {pair.first, pair.second} != {one.chosen, one.rejected}:
                continue
            given += _labels(pair, one, annotator)
            if one.models:
                turned = pair.first != one.chosen
                generators[pair.id] = one.models[::-1] if turned else one.models
    if generators:
        store.set_meta(**{_KEY: {**generators_of(store), **generators}})
    return keep_labels(Labels(store), given, kind)


def generators_of(store: RunStore) -> Mapping[str, tuple[str, str]]:
    """Which models wrote the first and second answer, by the id of the pair, where it is known."""
    found = store.meta(_KEY) or {}
    return {pair_id: (first, second) for pair_id, (first, second) in found.items()}


def _labels(pair: Pair, one: Comparison, annotator: str) -> Iterator[GivenLabel]:
    places: dict[str, Choice] = {"chosen": "first", "rejected": "second", "tie": "tie"}
    if pair.first != one.chosen:
        places |= {"chosen": "second", "rejected": "first"}
    for vote in one.votes:
        yield GivenLabel(item_id(pair.id), _name(annotator, vote), Annotation(places[vote.side]))


def _name(annotator: str, vote: Vote) -> str:
    return f"{annotator} {vote.annotator}" if vote.annotator else annotator
