"""What validation hands around: the plan, its items, annotators and what they said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cai.hashing import short_id
from cai.records import Pair, Prompt  # noqa: TC001 - read at run time, to load items

__all__ = [
    "CHOICES",
    "Action",
    "Annotation",
    "Annotator",
    "AnnotatorKind",
    "Choice",
    "Item",
    "RetiredFor",
    "Role",
    "SamplingPlan",
    "Stratum",
    "StratumKey",
    "item_id",
]

AnnotatorKind = Literal["human", "model", "simulated"]
Choice = Literal["first", "second", "tie", "both_bad", "skip"]
CHOICES: tuple[Choice, ...] = ("first", "second", "tie", "both_bad", "skip")
StratumKey = Literal["confidence", "disagreement", "principle", "tag"]
RetiredFor = Literal["promoted", "cases"]
"""Why a prompt group is held out no longer: training was given its labels, or a constitution was
changed because of them."""
Role = Literal["label", "practice", "adjudicate"]
"""`practice` labels have known answers and count for nothing; `adjudicate` settles a dispute."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Pairs that were sampled at one rate: `drawn` of `pairs`, without replacement.

    `cells` are the values of the plan's keys that belong to it, as `cai.validation.sampling` ranks
    and names them.
    """

    name: str
    pairs: int
    drawn: int
    cells: tuple[tuple[tuple[int, str], ...], ...] = ()

    @property
    def inclusion(self) -> float:
        """The probability with which the plan drew each of the pairs."""
        return self.drawn / self.pairs if self.pairs else 0.0


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """Which held-out pairs people are asked about, and why so many.

    Args:
        run_plan: hash of what the run asked when the plan was made.
        seed: of the draw.
        strata: what was drawn from; together all held-out pairs of the run.
        groups: prompt groups that the drawn pairs belong to.
        annotators: how many people the plan counts on.
        overlap: share of the items that all of them label; the rest goes to one each.
        repeats: share of the items that are shown to the same annotator a second time.
        ask_refusals: whether annotators also mark answers that refuse.
        goal: what the size was derived from, in one sentence.
        stratify: the keys by which pairs were divided.
        total: held-out pairs of the run at that time, those of retired groups among them.
    """

    run_plan: str
    seed: int
    strata: tuple[Stratum, ...]
    groups: int
    annotators: int
    overlap: float
    repeats: float
    ask_refusals: bool
    goal: str
    stratify: tuple[StratumKey, ...] = ()
    total: int = 0

    @property
    def id(self) -> str:
        """16 hexadecimal digits that depend on everything in the plan."""
        return short_id(self)

    @property
    def pairs(self) -> int:
        """Held-out pairs that were drawn from."""
        return sum(stratum.pairs for stratum in self.strata)

    @property
    def drawn(self) -> int:
        """Pairs that were drawn."""
        return sum(stratum.drawn for stratum in self.strata)


@dataclass(frozen=True, slots=True)
class Item:
    """One showing of one pair.

    `pair` holds the verdict that the judge had given when the item was drawn; annotators never see
    it. `inclusion` is the probability with which the plan drew the pair. `shared` items go to all
    annotators, the others to one each. `repeat` marks a second showing, which measures how steady
    an annotator is and counts for nothing else. `known` is the answer of a practice item, and `why`
    the sentence that explains it. `about` is shown above the answers; it says why people are asked.

    A pair whose second answer is empty is a single answer: people say whether it is good (`first`)
    or not (`both_bad`).
    """

    item_id: str
    prompt: Prompt
    pair: Pair
    group_id: str
    stratum: str = ""
    inclusion: float = 1.0
    shared: bool = True
    repeat: bool = False
    known: Choice | None = None
    why: str = ""
    about: str = ""

    @property
    def single(self) -> bool:
        """Whether there is one answer and nothing to compare it with."""
        return not self.pair.second


@dataclass(frozen=True, slots=True)
class Annotator:
    """Who labels. Agreement, estimates and the gate count annotators of kind `human` alone."""

    name: str
    kind: AnnotatorKind

    @property
    def id(self) -> str:
        """16 hexadecimal digits that depend on the name alone."""
        return short_id(["annotator", self.name])


@dataclass(frozen=True, slots=True)
class Annotation:
    """What an annotator says of an item; `choice` None takes back what was said before.

    `first` and `second` are the answers as the pair has them. `swapped` says that the second was
    shown in the first place. `confidence` is 1 (guess), 2 (fairly sure) or 3 (certain). `seconds`
    is the time from showing to submitting.
    """

    choice: Choice | None
    swapped: bool = False
    confidence: Literal[1, 2, 3] | None = None
    principle_id: str = ""
    note: str = ""
    flagged: bool = False
    first_refuses: bool | None = None
    second_refuses: bool | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that an annotator did; the last on an item counts.

    `action_id` is chosen by whoever acts, so that an action that is sent twice is stored once.
    `created` is in Unix seconds.
    """

    action_id: str
    annotator_id: str
    item_id: str
    role: Role
    annotation: Annotation
    created: float


def item_id(pair_id: str, *, repeat: bool = False) -> str:
    """The name of an item: the same in every plan, so that labels outlive a plan."""
    return f"{pair_id}-again" if repeat else pair_id
