"""A model without a model: deterministic answers for tests, documentation and dry runs."""

from __future__ import annotations

import asyncio
import inspect
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cai.hashing import content_hash, unit_interval
from cai.records import Completion, Request, TokenAlternative, Usage

if TYPE_CHECKING:
    from cai.records import Stage

__all__ = ["ScriptedAnswer", "ScriptedEngine"]

Reply = str | Completion | Exception
ScriptedAnswer = Callable[[Request], Reply | Awaitable[Reply]]
"""What a script looks like: a function of the request. An exception may be raised or returned."""

_OPENINGS = ("First,", "In short,", "One way:", "To begin,", "Usually,", "Simply put,")
_VERBS = ("think about", "look closely at", "talk over", "take time for", "write down", "plan")
_ENDS = (
    "Then take one small step.",
    "Ask someone you trust.",
    "Check it once more.",
    "That is all.",
)
_GAPS = ("is vague about", "says too little on", "could be kinder about", "is not quite fair on")


class ScriptedEngine:
    """Answers from a script, or makes up plausible answers that depend on the request alone.

    Without a script the answers have the shape of each stage: short answers, critiques (one in ten
    finds nothing), rewrites, label log-probabilities of a judge that leans to the first slot, and
    scores.

    Example:
        >>> import asyncio
        >>> from cai.records import Message, Request, Sampling
        >>> engine = ScriptedEngine(answer=lambda request: request.messages[-1].content.upper())
        >>> asked = Request((Message("user", "hello"),), Sampling(max_tokens=8))
        >>> asyncio.run(engine.complete(asked)).text
        'HELLO'
    """

    def __init__(
        self,
        answer: ScriptedAnswer | None = None,
        *,
        name: str = "scripted",
        latency_s: float = 0.0,
    ) -> None:
        """Take a script.

        Args:
            answer: returns a text or a completion for a request, or raises or returns an
                exception; may be asynchronous.
            name: part of the fingerprint; engines with different scripts need different names.
            latency_s: seconds that each answer takes.
        """
        self._answer = answer or made_up
        self._latency_s = latency_s
        self.fingerprint = f"scripted/{name}"
        self.by_stage: Counter[Stage] = Counter()
        self.max_in_flight = 0
        self._in_flight = 0

    @property
    def calls(self) -> int:
        """How many requests were answered or failed."""
        return self.by_stage.total()

    async def start(self) -> None:
        """Nothing has to be loaded."""

    async def close(self) -> None:
        """Nothing is held."""

    async def complete(self, request: Request) -> Completion:
        """Answer from the script.

        Raises:
            Exception: whatever the script raises or returns.
        """
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            if self._latency_s:
                await asyncio.sleep(self._latency_s)
            reply = self._answer(request)
            if inspect.isawaitable(reply):
                reply = await reply
        finally:
            self._in_flight -= 1
            self.by_stage[request.stage] += 1
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Completion):
            return reply
        prompt_tokens = sum(len(message.content.split()) for message in request.messages)
        usage = Usage(prompt_tokens, len(reply.split()))
        return Completion(reply, "answered", usage, model=self.fingerprint)

    @staticmethod
    def label(
        p_first: float, mass: float = 1.0, labels: tuple[str, str] = ("A", "B")
    ) -> Completion:
        """A judge's answer with P(first label) = `p_first` and `mass` on both labels together."""
        shares = ((labels[0], p_first * mass), (labels[1], (1 - p_first) * mass))
        ranked = sorted((*shares, ("The", 1 - mass)), key=lambda share: -share[1])
        alternatives = tuple(TokenAlternative(t, math.log(p)) for t, p in ranked if p > 0)
        text = labels[0] if p_first > 0.5 else labels[1]
        return Completion(text, "answered", Usage(0, 1), alternatives, "scripted")

    @staticmethod
    def spread(shares: Mapping[str, float]) -> Completion:
        """An answer whose first token is one of several, each with its probability above 0."""
        ranked = sorted(shares.items(), key=lambda share: -share[1])
        alternatives = tuple(TokenAlternative(t, math.log(p)) for t, p in ranked)
        return Completion(ranked[0][0], "answered", Usage(0, 1), alternatives, "scripted")


def made_up(request: Request) -> Reply:
    """The default script: an answer in the shape of the stage, hashed from the request."""
    if request.stage == "judge":
        verdict = ScriptedEngine.label(_preference(request), mass=0.97)
        asked = request.sampling.top_logprobs
        return replace(verdict, first_logprobs=verdict.first_logprobs[:asked])
    if request.stage == "score":
        return _score(request)
    last = request.messages[-1].content
    words = [word.strip(".,:;?!\"'()<>/") for word in last.split()]
    topic = next((w for w in sorted(words, key=len, reverse=True) if w.isalpha()), "this")
    draw = _Draw(request)
    if request.stage == "reason":
        return f"One answer {draw.pick(_GAPS)} {topic.lower()}. The other one less so."
    if request.stage == "critique":
        if draw.number() < 0.1:
            return "No issues."
        return f"The answer {draw.pick(_GAPS)} {topic.lower()}."
    if request.stage == "revise":
        return (
            f"{draw.pick(_OPENINGS)} {draw.pick(_VERBS)} {topic.lower()} kindly. {draw.pick(_ENDS)}"
        )
    return f"{draw.pick(_OPENINGS)} {draw.pick(_VERBS)} {topic.lower()}. {draw.pick(_ENDS)}"


def _preference(request: Request) -> float:
    """P(first label): each answer has a hashed merit, and the first slot a small advantage."""
    # After a reasoning the label is asked for in a message of its own.
    asked = (m.content for m in reversed(request.messages) if "<answer_a" in m.content)
    last = next(asked, request.messages[-1].content)
    merits = [unit_interval("merit", _quoted(last, f"answer_{x}").strip()) for x in "ab"]
    return 1 / (1 + math.exp(-4 * (merits[0] - merits[1]) - 0.4))


def _quoted(text: str, name: str) -> str:
    """What stands between the tags of a name, which may have a code; empty where there are none."""
    found = re.search(rf"<{name}((?: [0-9a-f]+)?)>(.*?)</{name}\1>", text, re.DOTALL)
    return found[2] if found else ""


def _score(request: Request) -> Completion:
    """A number from 1 to 10 or a yes or no, by the hashed merit of the answer."""
    last = request.messages[-1].content
    merit = unit_interval("merit", _quoted(last, "response").strip())
    if last.endswith("Yes or No."):
        given = ScriptedEngine.label(merit, mass=0.97, labels=("Yes", "No"))
    else:
        near = {str(i): math.exp(-abs(i - 1 - 9 * merit)) for i in range(1, 11)}
        given = ScriptedEngine.spread({i: 0.97 * p / sum(near.values()) for i, p in near.items()})
    asked = request.sampling.top_logprobs
    return replace(given, first_logprobs=given.first_logprobs[:asked])


class _Draw:
    """Choices hashed from a request, one after the other."""

    def __init__(self, request: Request) -> None:
        self._key = content_hash([request.messages, request.sampling, request.sample_index])
        self._count = 0

    def number(self) -> float:
        self._count += 1
        return unit_interval(self._key, self._count)

    def pick(self, choices: tuple[str, ...]) -> str:
        return choices[int(self.number() * len(choices))]
