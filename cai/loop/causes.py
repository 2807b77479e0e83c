"""Why a request of a walk is not answered yet: which change made it so, itself or by its inputs.

A row says of each of its calls which step it is of. Whether the step follows from an answer that is
still to come is seen by the marks of stand-ins in its request, and by what came before it in the
row. Where it does not, the same step of the stored row tells what is different now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.loop.changes import NEW, RETAGGED, UNFINISHED, UNKNOWN
from cai.loop.steps import Step, steps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from cai.loop.changes import Change, Changes
    from cai.loop.memory import Ledger, NewCall
    from cai.loop.plan import TemplateKey
    from cai.records import Row, Stage

__all__ = ["Cause", "causes"]

_DRESS = ("judge.preamble", "judge.few_shot", "judge.quoting")
_ASKED_BY: Mapping[Stage, tuple[str, ...]] = {
    "sample": ("loop.seed", "loop.sample."),
    "critique": ("loop.seed", "loop.critique."),
    "revise": ("loop.seed", "loop.revision.", "loop.direct"),
    "reason": ("judge.mode", "judge.reasoning.", *_DRESS),
    "judge": ("judge.mode", "judge.top_logprobs", *_DRESS),
    "score": ("judge.mode", "judge.top_logprobs", *_DRESS),
}
"""Settings that are in every request of a stage, or decide its template."""

_MADE_BY = {
    "sample": ("loop.samples", "loop.pairs"),
    "round": (
        *("loop.rounds", "loop.revise", "loop.unrevised", "loop.samples", "loop.direct"),
        "loop.skip_when_clean",
    ),
    "revision": (
        *("loop.pairs", "loop.revised.", "loop.rounds", "loop.revise", "loop.unrevised"),
        *("loop.samples", "loop.direct"),
    ),
    "samples": ("loop.pairs", "loop.samples", "loop.pairing"),
    "contrast": ("loop.pairs", "loop.contrast."),
}
"""Settings that decide whether a step is there, by kind of step or pair."""

_JUDGED_BY = ("judge.scope", "judge.principles", "prompts.principles", "judge.fallback_on")
_MORE_BY = ("judge.orders", "judge.votes", "judge.reasonings")


@dataclass(frozen=True, slots=True)
class Cause:
    """A change, and whether a request follows from others that it touches."""

    change: Change
    follows: bool


def causes(
    changes: Changes, row: Row, ledger: Ledger, stored: Row | None, *, new: bool
) -> list[Cause]:
    """Why each new call of a walk is asked, in the order of the ledger.

    Args:
        changes: between the stored run and the plan of the walk.
        row: what the walk made.
        ledger: what it asked for.
        stored: the row that the run has of the prompt, under the plan that the changes begin from.
        new: whether the run has never seen the prompt.
    """
    if not ledger.new:
        return []
    return _Causes(changes, row, ledger, stored, new=new).found()


class _Causes:
    def __init__(
        self, changes: Changes, row: Row, ledger: Ledger, stored: Row | None, *, new: bool
    ) -> None:
        self._changes = changes
        self._calls = {call.number: call for call in ledger.new.values()}
        self._whole: Change | None = None if stored else NEW if new else UNFINISHED
        self._steps: dict[int, Step] = {}
        self._before: dict[int, tuple[int, ...]] = {}
        self._then = {step.place: step for step in steps(stored)} if stored else {}
        groups: dict[tuple[object, ...], list[tuple[str, ...]]] = {}
        for step in self._then.values():
            groups.setdefault(step.pair, []).append(step.principles)
        self._groups = groups
        earlier: dict[int | None, list[int]] = {}
        for step in steps(row):
            numbers = [ledger.new[one].number for one in step.request_ids if one in ledger.new]
            for number in numbers:
                self._steps.setdefault(number, step)
                self._before.setdefault(number, tuple(earlier.get(step.chain, ())))
            if step.chain is not None and step.kind != "judged":
                earlier.setdefault(step.chain, []).extend(numbers)
        self._found: dict[int, Cause] = {}

    def found(self) -> list[Cause]:
        return [self._cause(number) for number in sorted(self._calls)]

    def _cause(self, number: int) -> Cause:
        if number not in self._found:
            call = self._calls[number]
            # A stand-in that is quoted is earlier than what quotes it, so this comes to an end.
            earlier = (*call.parents, *self._before.get(number, ()))
            parent = next((one for one in earlier if one < number), None)
            if parent is not None:
                self._found[number] = Cause(self._cause(parent).change, follows=True)
            else:
                self._found[number] = Cause(self._direct(call, self._step_of(call)), follows=False)
        return self._found[number]

    def _step_of(self, call: NewCall) -> Step | None:
        """Its own, or the closest of its lane: no row tells of a probe that brought nothing."""
        if call.number in self._steps:
            return self._steps[call.number]
        alike = [n for n in self._steps if self._calls[n].lane == call.lane]
        closest = min(alike, key=lambda n: abs(n - call.number), default=None)
        return None if closest is None else self._steps[closest]

    def _direct(self, call: NewCall, step: Step | None) -> Change:
        changes, (stage, role) = self._changes, call.lane
        if self._whole:
            return self._whole
        named: tuple[TemplateKey, ...] = (stage, "judge") if stage == "reason" else (stage,)
        if step and step.kind == "contrast":
            named = ("contrast", "sample")
        found = (
            changes.model(role)
            or changes.setting(*_ASKED_BY[stage])
            or changes.template(*named)
            or (self._of_step(step) if step else None)
            or changes.setting(f"models.{role}.", *_MORE_BY, *_JUDGED_BY)
            or changes.constitution()
            or changes.template("critique", "revise")
        )
        if found is None and "prompts" in changes.keys:
            return RETAGGED
        return found or UNKNOWN

    def _of_step(self, step: Step) -> Change | None:
        changes = self._changes
        same = self._then.get(step.place)
        if same is not None and set(step.request_ids) <= set(same.request_ids):
            # It was answered then, and the answer is gone.
            return UNKNOWN
        if step.kind == "sample":
            return changes.setting(*_MADE_BY["sample"])
        if step.kind == "contrast":
            if same is None:
                return changes.setting(*_MADE_BY["sample"])
            # It shows all principles that the prompt is under.
            return changes.principle(*changes.principles) or changes.constitution()
        then = self._groups.get(step.pair, [])
        if not then:
            return changes.setting(*_MADE_BY[step.made_by])
        if same is None and step.principles in then:
            return changes.setting(*_MORE_BY, *_MADE_BY[step.made_by])
        return self._of_principles(step.principles, then)

    def _of_principles(
        self, now: tuple[str, ...], then: Sequence[tuple[str, ...]]
    ) -> Change | None:
        """The change that brought these principles here, or that reworded one of them."""
        changes = self._changes
        if now in then:
            # With several in one question, weights decide their order.
            several = changes.principle(*now) if len(now) > 1 else None
            return changes.reworded(*now) or several or changes.constitution()
        before = [one for group in then for one in group]
        others = (*_without(now, before), *_without(before, now))
        return (
            changes.setting(*_JUDGED_BY)
            or changes.moved(*others)
            or changes.principle(*others, *now)
            or changes.constitution()
        )


def _without(some: Iterable[str], others: Collection[str]) -> list[str]:
    return [one for one in some if one not in others]
