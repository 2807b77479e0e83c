"""A diff as plain data, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cai.constitution.diff.facts import facts, needed_bump
from cai.constitution.diff.words import word_diff

if TYPE_CHECKING:
    from cai.constitution.diff.records import Diff, FieldChange

__all__ = ["plain_diff"]


def plain_diff(change: Diff) -> dict[str, Any]:
    """Plain data of a fixed shape: every key is always there, and lists are in a fixed order.

    `words` of a field holds `[kind, text]` for each stretch of a text; null for other fields.
    """
    return {
        "format": 1,
        "before": asdict(change.before),
        "after": asdict(change.after),
        "empty": change.empty,
        "same_meaning": change.same_meaning,
        "needed_bump": needed_bump(change),
        "facts": [
            {"kind": f.kind, "principle": f.principle_id, "bump": f.bump, "sentence": f.sentence}
            for f in facts(change)
        ],
        "whole": [_field(field) for field in change.whole],
        "added": [_data(p) for p in change.added],
        "removed": [_data(p) for p in change.removed],
        "changed": [
            {
                "before": one.before.id,
                "after": one.after.id,
                "fields": [_field(field) for field in one.fields],
            }
            for one in change.changed
        ],
        "origins": [asdict(origin) for origin in change.origins],
        "reordered": change.reordered,
    }


def _field(change: FieldChange) -> dict[str, Any]:
    worded = isinstance(change.before, str) and isinstance(change.after, str)
    runs = word_diff(change.before, change.after) if worded else ()
    return {
        "field": change.field,
        "before": _data(change.before),
        "after": _data(change.after),
        "words": [[run.kind, run.text] for run in runs] if worded else None,
    }


def _data(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_data(inner) for inner in value] if isinstance(value, tuple) else value
