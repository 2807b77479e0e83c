"""Walking a prompt on the memory of a run, with marked stand-ins where the memory ends.

Nothing is asked. A request that was answered once gets its stored answer; any other is counted, and
gets a stand-in. The text of a stand-in carries a mark that no stored text has, so it can be seen of
a later request that it follows from one that is not answered yet.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cai.engines.memo import Answer
from cai.loop.judging import judging_stage, open_jury
from cai.loop.rehearse import evenly, filler, request_tokens
from cai.loop.walk import Desk, Walk
from cai.records import Completion, TokenAlternative

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cai.loop.plan import Plan
    from cai.loop.rehearse import Lane
    from cai.records import Prompt, Request, Row, Stage
    from cai.store import RunStore

__all__ = ["Known", "Ledger", "MemoryWalks", "NewCall", "Outlook"]


@dataclass(frozen=True)
class Outlook:
    """What is assumed of answers that are still to come.

    Args:
        clean: share of critiques that find nothing to mend.
        logprobs: whether the model of a role gives log-probabilities, by role.
        lengths: tokens of an answer, by stage; half of what is allowed where it says nothing.
    """

    clean: float
    logprobs: Mapping[str, bool]
    lengths: Mapping[Stage, int]


@dataclass(frozen=True, slots=True)
class NewCall:
    """A request that was never answered; `parents` are the stand-ins whose texts are in it."""

    number: int
    lane: Lane
    prompt_tokens: int
    max_tokens: int
    parents: tuple[int, ...]


@dataclass(slots=True)
class Known:
    """Answered requests of a lane: how many, their tokens as estimated, and as they were."""

    calls: int = 0
    estimated: int = 0
    actual: int = 0


@dataclass(slots=True)
class Ledger:
    """What one walk asked for, by request id, and by lane what of it was answered.

    `doubts` are stand-ins for critiques, after which nothing might have been asked.
    """

    new: dict[str, NewCall] = field(default_factory=dict)
    known: dict[Lane, set[str]] = field(default_factory=dict)
    doubts: int = 0


class MemoryWalks:
    """Walks prompts one after the other."""

    def __init__(self, store: RunStore, plan: Plan, outlook: Outlook, secret: bytes) -> None:
        """Use the memory of a run under a plan, which may be another one than the run's.

        Args:
            store: has the answers.
            plan: with the fingerprint of every model.
            outlook: what is assumed of the others.
            secret: of the run; see `cai.loop.secret`.
        """
        self._store = store
        self._outlook = outlook
        self._mark = f"standin{secrets.token_hex(6)}n"
        self._marks = re.compile(rf"{self._mark}(\d+)z")
        self._labels = plan.templates[judging_stage(plan.config)].labels
        self._nothing = plan.templates["critique"].nothing
        self._skips = bool(self._nothing) and plan.config.loop.skip_when_clean
        self._clean = evenly(outlook.clean)
        self._known: dict[Lane, Known] = {}
        self._ledger = Ledger()
        self._answers: dict[str, Completion] = {}
        callers: dict[str, Any] = {
            role: _Caller(self, role, plan.asked[f"models.{role}.fingerprint"])
            for role in ("policy", "critic", *plan.judges)
        }
        self._desk = Desk(
            plan=plan,
            policy=callers["policy"],
            critic=callers["critic"],
            judge=open_jury(plan, callers, secret=secret),
        )

    @property
    def known(self) -> Mapping[Lane, Known]:
        """Answered requests of all walks so far."""
        return self._known

    async def walk(self, prompt: Prompt) -> tuple[Row, Ledger]:
        """Walk one prompt; the row holds texts of stand-ins where something is to be asked."""
        self._ledger, self._answers = Ledger(), {}
        row = await Walk(self._desk, prompt).run()
        return row, self._ledger

    def answer(self, role: str, request_id: str, request: Request) -> Completion:
        """From memory, or from a stand-in; the same request gets the same answer in a walk."""
        found = self._answers.get(request_id)
        if found is not None:
            return found
        lane = (request.stage, role)
        found = self._store.completion(request_id)
        if found is None:
            found = self._stand_in(lane, request_id, request)
        else:
            self._ledger.known.setdefault(lane, set()).add(request_id)
            known = self._known.setdefault(lane, Known())
            known.calls += 1
            known.estimated += request_tokens(request)
            known.actual += found.usage.prompt_tokens
        self._answers[request_id] = found
        return found

    def _stand_in(self, lane: Lane, request_id: str, request: Request) -> Completion:
        number, most = len(self._ledger.new), request.sampling.max_tokens
        parents = {int(n) for m in request.messages for n in self._marks.findall(m.content)}
        self._ledger.new[request_id] = NewCall(
            number, lane, request_tokens(request), most, tuple(sorted(parents))
        )
        stage, role = lane
        if stage in ("judge", "score"):
            return self._label(role, number, request)
        if stage == "critique" and self._skips:
            self._ledger.doubts += 1
            if next(self._clean):
                return _answered(self._nothing)
        length = self._outlook.lengths.get(stage, max(1, most // 2))
        return _answered(f"{self._mark}{number}z {filler(min(length, most))}")

    def _label(self, role: str, number: int, request: Request) -> Completion:
        """A clear verdict: of two requests in a row, such as both orders, for the same answer."""
        # The end of a scale may be the beginning of another number.
        inner = self._labels[1:-1] if len(self._labels) > 3 else self._labels
        likely, other = (inner[0], inner[-1]) if number % 2 == 0 else (inner[-1], inner[0])
        if not (request.sampling.top_logprobs and self._outlook.logprobs[role]):
            return _answered(likely)
        alternatives = (TokenAlternative(likely, -0.1054), TokenAlternative(other, -2.3026))
        return Completion(likely, "answered", first_logprobs=alternatives)


class _Caller:
    """Stands in for a model behind the memo."""

    def __init__(self, walks: MemoryWalks, role: str, fingerprint: str) -> None:
        self._walks = walks
        self._role = role
        self._fingerprint = fingerprint

    async def ask(self, request: Request) -> Answer:
        request_id = request.identity(self._fingerprint)
        return Answer(request_id, self._walks.answer(self._role, request_id, request))


def _answered(text: str) -> Completion:
    outcome: Literal["answered"] = "answered"
    return Completion(text, outcome)
