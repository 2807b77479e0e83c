"""What is to be done again for a new base model, a changed constitution, or an incident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.constitution.diff import diff
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.constitution import Constitution
    from cai.constitution.diff import Diff, PrincipleChange

__all__ = ["Step", "for_base", "for_constitution", "for_incident"]

_WORDS = frozenset({"text", "critique", "revise", "judge", "rubric", "propositions", "examples"})
"""Fields of a principle that requests quote."""
_READ = frozenset({"note"})
"""Fields that no model sees."""


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of `cai run`, or a command, and why it is to be done again."""

    stage: str
    why: str


def for_base(before: str, after: str) -> tuple[Step, ...]:
    """A new base model: everything that came from the old one's words or weights.

    Args:
        before: what the newest checkpoint was trained from.
        after: what the next one will be.
    """
    return (
        Step(
            "generate",
            f"first answers are those of the policy: {after or 'the new model'} in place of "
            f"{before or 'the old one'}; critiques and revisions follow, also where a model of its "
            "own writes them, and so do the judgements",
        ),
        Step("check", "the rows are others"),
        Step("validate", "held-out pairs are others: people label a new sample"),
        Step("train", "weights begin with the new model"),
        Step(
            "evaluate",
            "all of it, with the new model before training as the first subject: the tax is "
            "measured against it, and win rates against the old one cannot be compared",
        ),
    )


def for_constitution(before: Constitution, after: Constitution) -> tuple[Step, ...]:
    """A changed constitution: what depends on the principles that changed, and nothing else."""
    change = diff(before, after)
    if change.same_meaning:
        return ()
    return (
        Step("cai constitution test", "cases with a known outcome, of the principles that changed"),
        Step("generate", "; ".join(_principles(change))),
        Step("check", "where rows have come out differently"),
        Step(
            "validate",
            "labels by people stay with pairs whose answers are the same; a run that has changed "
            "is sampled anew, and labels that still fit count",
        ),
        Step("train", "only where the examples have become others"),
        Step(
            "evaluate",
            "adherence and win rates are judged under the constitution, so the last checkpoint is "
            "judged anew under it, too; refusals, probes and tax can be compared as they are",
        ),
    )


def for_incident(cases: int, prompts: int) -> tuple[Step, ...]:
    """New red-team cases: measured with one part, trained on prompts of the other.

    Args:
        cases: that are kept for measuring.
        prompts: that are added to the prompts of the run.
    """
    return (
        Step(
            "cai evaluate refusal",
            f"of the last checkpoint, with the {cases} cases that are kept back: how bad is it",
        ),
        Step("generate", f"{prompts} prompts are new; all others stay as they are"),
        Step("check", "check.against names the file of the cases: none may be in the data"),
        Step("validate", "new held-out pairs, if any"),
        Step("train", "the examples have become more"),
        Step("evaluate", "refusal with the cases, and everything else for what it cost"),
    )


def _principles(change: Diff) -> Iterator[str]:
    """What the change of each principle makes necessary."""
    moved = [one.id for one in (*change.added, *change.removed)]
    words: list[str] = []
    weighed: list[str] = []
    for one in change.changed:
        fields = _fields(one)
        if fields & _WORDS or one.renamed:
            words.append(one.after.id)
        if fields - _WORDS - _READ:
            weighed.append(one.after.id)
    if words:
        yield f"requests that quote {_some(words)} are asked anew"
    if moved:
        yield f"{_some(moved)} came or went, so draws of principles may move"
    if weighed:
        yield f"draws and sums may move by the weight or scope of {_some(weighed)}"
    whole = [f.field for f in change.whole if f.field in ("preamble", "priorities", "aggregate")]
    if whole:
        yield f"judgements under the whole constitution, by its {listed(whole)}"


def _fields(one: PrincipleChange) -> set[str]:
    return {field.field for field in one.fields}


def _some(names: Sequence[str], most: int = 6) -> str:
    more = len(names) - most
    return listed(names[:most]) + (f" and {more} more" if more > 0 else "")
