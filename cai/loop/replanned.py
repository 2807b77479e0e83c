"""What a comparison of a plan with its store comes to: rows, calls and the reasons for them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from cai.loop.changes import NEW, RETAGGED, UNFINISHED, UNKNOWN, Change
from cai.loop.figures import Range
from cai.loop.steps import steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.loop.causes import Cause
    from cai.loop.changes import Changes
    from cai.loop.memory import Known, Ledger, NewCall
    from cai.loop.rehearse import Lane
    from cai.records import Row, Stage

__all__ = ["Effect", "Fate", "LaneTally", "Outcome", "Replanned", "RowFates", "Tally"]

Fate = Literal["same", "altered", "asking", "failing"]


@dataclass(frozen=True, slots=True)
class Effect:
    """A change and the calls that it makes necessary, by stage.

    `direct` are requests that it puts in place of others; `follows` are those that quote answers to
    them, or are made because of them.
    """

    change: Change
    direct: dict[Stage, Range]
    follows: dict[Stage, Range]


@dataclass(frozen=True, slots=True)
class RowFates:
    """What becomes of rows. All are whole numbers, unless only a part of the prompts was walked.

    `kept` rows are not touched. `same` ones are made anew from stored answers and come out as they
    were; `altered` ones come out differently. `asking` ones need calls, `new` prompts among them.
    `failing` ones cannot be made. `gone` prompts are no longer in the prompt file.
    """

    kept: int
    same: float
    altered: float
    asking: float
    failing: float
    new: int
    gone: int

    @property
    def settled(self) -> int:
        """Rows for which nothing is asked."""
        return round(self.kept + self.same + self.altered)


@dataclass(slots=True)
class LaneTally:
    """Calls of a lane in three walks: low, likely and high; tokens as estimated and as allowed."""

    calls: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    prompt_tokens: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    max_tokens: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a walk of one prompt came to: new calls with their causes, and pairs judged anew."""

    calls: tuple[tuple[NewCall, Cause], ...]
    pairs: int

    @classmethod
    def of(cls, row: Row, ledger: Ledger, causes: Sequence[Cause]) -> Self:
        """Put them together."""
        judged = (step for step in steps(row) if step.kind == "judged") if ledger.new else ()
        anew = {s.pair for s in judged if not ledger.new.keys().isdisjoint(s.request_ids)}
        return cls(tuple(zip(ledger.new.values(), causes, strict=True)), len(anew))


class Tally:
    """Adds up what walks came to."""

    def __init__(self) -> None:
        self.fates: defaultdict[str, float] = defaultdict(float)
        self.lanes: dict[Lane, LaneTally] = {}
        self.valid: defaultdict[Lane, float] = defaultdict(float)
        self.effects: dict[tuple[Change, bool, Stage], list[float]] = {}
        self.pairs = [0.0, 0.0, 0.0]
        self.affected = 0

    def count(self, ledger: Ledger, weight: float, fate: Fate) -> None:
        """Count one prompt.

        Args:
            ledger: of its walk for the high value.
            weight: how many prompts it stands for.
            fate: what becomes of its row.
        """
        self.fates[fate] += weight
        self.affected += bool(ledger.new)
        for lane, ids in ledger.known.items():
            self.valid[lane] += weight * len(ids)

    def add(self, low: Outcome, likely: Outcome, high: Outcome, *, weight: float) -> None:
        """Count the calls of one prompt, which are the same three times where they are certain."""
        for i, outcome in enumerate((low, likely, high)):
            for call, cause in outcome.calls:
                tally = self.lanes.setdefault(call.lane, LaneTally())
                tally.calls[i] += weight
                tally.prompt_tokens[i] += weight * call.prompt_tokens
                tally.max_tokens[i] += weight * call.max_tokens
                key = (cause.change, cause.follows, call.lane[0])
                self.effects.setdefault(key, [0.0, 0.0, 0.0])[i] += weight
            self.pairs[i] += weight * outcome.pairs


@dataclass(frozen=True)
class Replanned:
    """What a plan changes in the store of its run.

    `walked` of `walkable` prompts were walked; where they are fewer, figures stand for all, with a
    margin. `valid` are answered calls that the walked rows are made of, by lane. `effects` has
    every change, with the calls that it makes necessary. `known` is what was learned of the tokens
    of each lane. `pairs` are those that are judged anew, in part at least.
    """

    walked: int
    walkable: int
    rows: RowFates
    valid: Mapping[Lane, float]
    effects: tuple[Effect, ...]
    lanes: Mapping[Lane, LaneTally]
    known: Mapping[Lane, Known]
    pairs: Range
    margin: float

    @classmethod
    def of(
        cls,
        tally: Tally,
        changes: Changes,
        *,
        known: Mapping[Lane, Known],
        counts: Mapping[str, int],
        walked: int,
    ) -> Self:
        """Put together what was counted.

        Args:
            tally: of the walks.
            changes: between the run and the plan.
            known: what was learned of tokens.
            counts: prompts that are `kept`, `new`, `gone` and `known` without being kept.
            walked: how many prompts were walked.
        """
        walkable = counts["new"] + counts["known"]
        margin = 0.0
        if walked < walkable and tally.affected:
            # Affected prompts are rare events: two standard errors of a count n are 2 √n.
            margin = min(1.0, 2.0 * tally.affected**-0.5)
        there = {change for change, _, _ in tally.effects}
        there |= {NEW} if counts["new"] else set()
        if (
            not counts["new"]
            and not counts["gone"]
            and {"prompts", "prompts.mix"} & {*changes.keys}
        ):
            there.add(RETAGGED)
        others = (NEW, UNFINISHED, RETAGGED, UNKNOWN)
        listed = (*changes.all, *(change for change in others if change in there))
        return cls(
            walked=walked,
            walkable=walkable,
            rows=RowFates(
                kept=counts["kept"],
                same=tally.fates["same"],
                altered=tally.fates["altered"],
                asking=tally.fates["asking"],
                failing=tally.fates["failing"],
                new=counts["new"],
                gone=counts["gone"],
            ),
            valid=dict(tally.valid),
            effects=tuple(_effect(change, tally, margin) for change in listed),
            lanes=tally.lanes,
            known=known,
            pairs=Range.spanned(tally.pairs, margin),
            margin=margin,
        )


def _effect(change: Change, tally: Tally, margin: float) -> Effect:
    def part(follows: bool) -> dict[Stage, Range]:
        return {
            stage: Range.spanned(values, margin)
            for (one, follow, stage), values in tally.effects.items()
            if one == change and follow is follows
        }

    return Effect(change, part(False), part(True))
