"""What the run store says about itself: small records that its methods return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cai.records import Completion, Prompt, Request, Split, Stage

__all__ = ["Admitted", "ListedRow", "ModelCalls", "StageTotals", "StoredCall"]


@dataclass(frozen=True, slots=True)
class StoredCall:
    """One answered call, as it was asked."""

    request_id: str
    fingerprint: str
    request: Request
    completion: Completion


@dataclass(frozen=True, slots=True)
class Admitted:
    """A prompt that has its place in the store. `plan` and `status` are of its row, if any.

    `repeated` says that this start of the run read the same prompt before.
    """

    prompt: Prompt
    split: Split
    plan: str | None
    status: str | None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class StageTotals:
    """Calls and tokens of one stage."""

    stage: Stage
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """How many calls of a stage one revision of a model answered.

    `fingerprint` is the model that was asked for, `model` what answered, as it names itself.
    """

    stage: Stage
    fingerprint: str
    model: str
    calls: int


@dataclass(frozen=True, slots=True)
class ListedRow:
    """A prompt of the run in its place. `number` counts from 1 and never changes."""

    number: int
    prompt_id: str
    split: Split
    status: Literal["done", "failed", "waiting"]
