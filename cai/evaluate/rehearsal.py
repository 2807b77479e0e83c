"""Going through evaluations with stand-ins for models: which requests they make, and how long.

The evaluations, templates and ways of judging are the real ones, and so is the memo: a question
that two evaluations share counts once. Only answers are made up. The counts are those of a run in
which every model answers every request and no two answers are the same; empty, refused and equal
answers need fewer.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from cai.engines import Engines, ScriptedEngine
from cai.evaluate.session import Session
from cai.judge.votes import VOTE_TOKENS
from cai.loop.rehearse import filler, request_tokens
from cai.records import TokenAlternative

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from cai.config import Config, ModelConfig
    from cai.constitution.models import Constitution
    from cai.engines import Engine
    from cai.evaluate.records import Subject
    from cai.evaluate.session import Judges
    from cai.judge.pairwise import Asking
    from cai.records import Completion, Prompt, Request, Stage

__all__ = ["Rehearsal", "Requests", "Who"]

Who = tuple[str, "Stage"]
"""The name of a subject or the role of a judge, and what it is asked for."""

_LENGTH = 0.5
"""Assumed length of an answer, as a share of the most tokens that it may have."""

_LETTERS = (("A", -0.4), ("B", -1.8), ("C", -2.6), ("D", -3.0), ("E", -3.4), ("F", -3.8))
"""Log-probabilities of letters, for questions with options."""


@dataclass(frozen=True, slots=True)
class Requests:
    """How many there are, tokens read by a rule of thumb, and the most that may be generated."""

    calls: int = 0
    read: int = 0
    most: int = 0

    def __add__(self, other: Requests) -> Requests:
        """Both together."""
        return Requests(self.calls + other.calls, self.read + other.read, self.most + other.most)


class Rehearsal(Session):
    """A session that asks nobody and counts what it would have asked.

    Args:
        config: as for a session; its budgets do not count.
        constitution: to be judged under.
        folder: empty, and of no use afterwards.
        dev: prompts in place of those of the run's split dev, where that is not there yet.
    """

    def __init__(
        self,
        config: Config,
        constitution: Constitution,
        folder: Path,
        dev: tuple[Prompt, ...] | None = None,
    ) -> None:
        freely = {"budget_usd": None, "budget_tokens": None, "durable": False}
        runtime = config.runtime.model_copy(update=freely)
        super().__init__(config.model_copy(update={"runtime": runtime}), constitution, folder)
        self.dev = dev
        self._counted: dict[Who, Requests] = {}
        self._engines: dict[str, _StandIn] = {}

    def counted(self) -> dict[Who, Requests]:
        """What was asked since the last time, by who was asked what."""
        found, self._counted = self._counted, {}
        return found

    @asynccontextmanager
    async def asking(
        self, subject: Subject, *, engine: Engine | None = None
    ) -> AsyncGenerator[Asking]:
        """As `Session.asking`, with a stand-in."""
        del engine
        given = self._stand_in(subject.name, subject.model)
        async with super().asking(subject, engine=given) as caller:
            yield caller

    @asynccontextmanager
    async def judges(
        self, *, engines: Engines | None = None, **more: Any
    ) -> AsyncGenerator[Judges]:
        """As `Session.judges`, with stand-ins."""
        del engines
        roles = self.config.models.roles
        judging = {
            role: self._stand_in(role, model)
            for role, model in roles.items()
            if role not in ("policy", "critic")
        }
        panel = tuple(engine for role, engine in judging.items() if role.startswith("judges."))
        first = panel[0] if panel else judging["judge"]
        given = Engines(first, first, first, panel, judging.get("fallback_judge"))
        async with super().judges(engines=given, **more) as judges:
            yield judges

    def _stand_in(self, who: str, model: ModelConfig) -> _StandIn:
        # Once for each name, so that answers of two subjects differ, as those of two models do.
        if who not in self._engines:
            self._engines[who] = _StandIn(who, model, self._add)
        return self._engines[who]

    def _add(self, who: str, request: Request) -> None:
        one = Requests(1, request_tokens(request), request.sampling.max_tokens)
        key = (who, request.stage)
        self._counted[key] = self._counted.get(key, Requests()) + one


class _StandIn(ScriptedEngine):
    """Answers from nothing but the request, as no other one does."""

    def __init__(self, who: str, model: ModelConfig, add: Any) -> None:
        super().__init__(name=f"{model.model}/{who}")
        self._who, self._add = who, add
        self._scripted = model.engine == "scripted"
        self._numbers = count(1)

    async def complete(self, request: Request) -> Completion:
        """Count a request, and make up its answer."""
        self._add(self._who, request)
        said = await super().complete(request)
        # A scripted model answers here as it would there.
        if self._scripted or request.stage != "sample":
            return said
        if request.sampling.top_logprobs:
            letters = tuple(TokenAlternative(letter, p) for letter, p in _LETTERS)
            return replace(said, text="A", first_logprobs=letters[: request.sampling.top_logprobs])
        if request.sampling.max_tokens <= VOTE_TOKENS:
            return replace(said, text="A")
        length = max(1, round(_LENGTH * request.sampling.max_tokens))
        return replace(said, text=f"{self._who} {next(self._numbers)} {filler(length)}")
