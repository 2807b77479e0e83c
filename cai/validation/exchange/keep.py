"""Putting labels from files into the store, so that nothing is stored twice."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.errors import UsageError
from cai.hashing import short_id
from cai.validation.labels import clean_name
from cai.validation.records import Action

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from cai.validation.labels import Labels
    from cai.validation.records import Annotation, Annotator, AnnotatorKind

__all__ = ["GivenLabel", "Imported", "keep_labels", "refuse_other_kinds"]

_MARK = "import-"
"""Begins the ids of actions that came from a file."""


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """A label that a file holds. `made` is in Unix seconds, None when the file does not say."""

    item_id: str
    annotator: str
    annotation: Annotation
    made: float | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import has changed.

    Args:
        actions_new: labels that were stored.
        actions_known: labels that had been imported before.
        annotators: who gave them.
        skipped: labels of items that the current plan does not have.
        older: labels that the same annotator has replaced since, in the file or in the store.
        empty: items without a choice.
    """

    actions_new: int
    actions_known: int
    annotators: tuple[Annotator, ...]
    skipped: int = 0
    older: int = 0
    empty: int = 0


def keep_labels(
    labels: Labels,
    given: Iterable[GivenLabel],
    kind: AnnotatorKind,
    *,
    practice: Container[str] = (),
) -> Imported:
    """Store labels that are not there yet.

    A label is known when the last import for its annotator and item said the same: then a file
    imported twice changes nothing, and a growing file does not undo what was changed elsewhere.
    One that says something else replaces what was said before, unless its time is earlier.

    Args:
        labels: of a run that was opened for writing.
        given: in the order of the file; of one annotator's labels of an item the last counts.
        kind: of all annotators.
        practice: ids of items whose answers are known.

    Raises:
        UsageError: an annotator's name cannot be used, or belongs to another kind.
    """
    given = list(given)
    # Ada and ada are one annotator, who is called as the file calls them first.
    names: dict[str, str] = {}
    for label in given:
        names.setdefault(_folded(label.annotator), label.annotator)
    found = [(_folded(label.annotator), label) for label in given]
    # Without a time, the place in the file decides.
    found.sort(key=lambda one: math.inf if one[1].made is None else one[1].made)
    latest = {(name, label.item_id): label for name, label in found}
    refuse_other_kinds(labels, names.values(), kind)
    annotators = {key: labels.add_annotator(name, kind) for key, name in names.items()}
    done = {name: _Done(labels, annotator) for name, annotator in annotators.items()}
    actions: list[Action] = []
    known = 0
    older = len(found) - len(latest)
    for (name, item), label in latest.items():
        before = done[name]
        if before.says(label):
            known += 1
        elif before.is_later_than(label):
            older += 1
        else:
            actions.append(before.next_action(label, practice=item in practice))
    new = labels.act(actions)
    return Imported(new, known, tuple(annotators.values()), older=older)


def refuse_other_kinds(labels: Labels, names: Iterable[str], kind: AnnotatorKind) -> None:
    """Refuse names that another kind of annotator has, before anything is stored.

    Raises:
        UsageError: there is such a name, or one that cannot be used.
    """
    kinds = {_folded(annotator.name): annotator.kind for annotator in labels.annotators()}
    for name in names:
        known = kinds.get(_folded(name), kind)
        if known != kind:
            raise UsageError(
                f"The annotator '{clean_name(name)}' is {known} in this run, not {kind}. "
                "Labels of both kinds must not be mixed: choose another name with --annotator."
            )


def _folded(name: str) -> str:
    """What names of the same annotator have in common, as `Labels.add_annotator` sees it."""
    return clean_name(name).casefold()


class _Done:
    """What an annotator has done so far: the last action on each item, and the last import."""

    def __init__(self, labels: Labels, annotator: Annotator) -> None:
        self._annotator = annotator
        self._last: dict[str, Action] = {}
        self._imported: dict[str, Action] = {}
        for action in labels.actions_of(annotator):
            if action.role == "adjudicate":
                continue
            self._last[action.item_id] = action
            if action.action_id.startswith(_MARK):
                self._imported[action.item_id] = action

    def says(self, label: GivenLabel) -> bool:
        """Whether the last import said the same, and it is not said anew."""
        before = self._imported.get(label.item_id)
        if before is None or before.annotation != label.annotation:
            return False
        untouched = before is self._last[label.item_id]
        return untouched or label.made is None or label.made <= before.created

    def is_later_than(self, label: GivenLabel) -> bool:
        """Whether the annotator has said something after this label was made."""
        last = self._last.get(label.item_id)
        return last is not None and label.made is not None and label.made < last.created

    def next_action(self, label: GivenLabel, *, practice: bool) -> Action:
        """What to store. Its id depends on the label and on the import before it."""
        before = self._imported.get(label.item_id)
        facts = [self._annotator.id, label.item_id, label.annotation, label.made]
        return Action(
            action_id=_MARK + short_id([*facts, before.action_id if before else None]),
            annotator_id=self._annotator.id,
            item_id=label.item_id,
            role="practice" if practice else "label",
            annotation=label.annotation,
            created=time.time() if label.made is None else label.made,
        )
