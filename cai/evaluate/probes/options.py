"""Asking a subject to choose among options, and reading how probable it finds each.

The probabilities are those of the letters as the first token, which is exact and takes one token;
from a model that gives no log-probabilities short samples are taken. Small models prefer a letter
whatever it stands for, so each question is asked once for each rotation of its options, and the
probabilities of an option are averaged: each then has each letter once. No judge is asked, so
there is nothing to check a judge on.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cai.errors import RowEngineError
from cai.evaluate.probes.content import filled
from cai.hashing import content_hash, unit_interval
from cai.judge.labels import spells
from cai.judge.votes import VOTE_TOKENS
from cai.loop.plan import load_templates
from cai.records import Message, Request, Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.config import Config
    from cai.evaluate.probes.content import OptionExample
    from cai.judge.asking import Asking
    from cai.records import Completion, TokenAlternative

__all__ = [
    "Choice",
    "OptionAsker",
    "averaged",
    "example_turns",
    "letters",
    "listed_options",
    "rotations",
]

_PRIOR = 0.5
"""Added to the votes for each option (Jeffreys' prior), as for judges: see `cai.judge.votes`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How probable a subject finds each letter; None without a reading, and `outcome` says why."""

    outcome: Literal["answered", "refused", "unparsed", "unasked"]
    shares: tuple[float, ...] | None = None
    request_id: str = ""


class OptionAsker:
    """One subject behind the memo, asked for letters."""

    def __init__(
        self,
        caller: Asking,
        config: Config,
        examples: Sequence[Message] = (),
        *,
        logprobs: Literal["auto", "never"] = "auto",
    ) -> None:
        """Use the sample template of a config, and `judge.top_logprobs`, `min_mass` and `votes`.

        Args:
            caller: the subject.
            config: of the session.
            examples: turns before every question; see `example_turns`.
            logprobs: of the subject; `never` takes samples at once.
        """
        self._caller = caller
        self._template = load_templates(config)["sample"]
        self._examples = tuple(examples)
        self._config = config.judge
        self._seed = config.loop.seed
        self._logprobs = logprobs

    async def choose(self, turns: Sequence[Message], count: int) -> Choice:
        """The probabilities of the first `count` letters, which the last turn asks for.

        Raises:
            FatalEngineError: the subject cannot be asked any more; what was answered is kept.
        """
        messages = self._template.render({}, [*self._examples, *turns])
        labels = letters(count)
        try:
            if self._logprobs == "auto":
                top = self._config.top_logprobs
                asked = Sampling(max_tokens=1, temperature=0.0, top_logprobs=top)
                answer = await self._caller.ask(self._request(messages, asked, 0))
                if answer.completion.first_logprobs or answer.completion.outcome == "refused":
                    return self._read(answer.completion, answer.request_id, labels)
            return await self._vote(messages, labels)
        except RowEngineError:
            return Choice("unasked")

    def _read(self, completion: Completion, request_id: str, labels: Sequence[str]) -> Choice:
        if completion.outcome == "refused":
            return Choice("refused", request_id=request_id)
        shares = _shares(completion.first_logprobs, labels, self._config.min_mass)
        return Choice("answered" if shares else "unparsed", shares, request_id)

    async def _vote(self, messages: tuple[Message, ...], labels: Sequence[str]) -> Choice:
        question = content_hash([[m.role, m.content] for m in messages])
        draws = [unit_interval(self._seed, "probe", question, i) for i in range(self._config.votes)]
        answers = await asyncio.gather(
            *(
                self._caller.ask(
                    self._request(messages, Sampling(VOTE_TOKENS, seed=int(draw * 2**31)), index)
                )
                for index, draw in enumerate(draws)
            )
        )
        named = [_named(answer.completion.text, labels) for answer in answers]
        votes = [named.count(label) for label in labels]
        given, first = sum(votes), answers[0].request_id
        if not given or given < self._config.min_mass * len(answers):
            refused = sum(answer.completion.outcome == "refused" for answer in answers)
            return Choice("refused" if 2 * refused >= len(answers) else "unparsed", None, first)
        total = given + _PRIOR * len(labels)
        return Choice("answered", tuple((vote + _PRIOR) / total for vote in votes), first)

    def _request(self, messages: tuple[Message, ...], sampling: Sampling, index: int) -> Request:
        shared = self._template.shared + len(self._examples)
        return Request(messages, sampling, sample_index=index, shared=shared, stage="sample")


def example_turns(ask: str, examples: Sequence[OptionExample]) -> tuple[Message, ...]:
    """Questions of a file and their letters as turns, with the layout of its questions."""
    turns: list[Message] = []
    for one in examples:
        shown = listed_options(one.options)
        turns.append(Message("user", filled(ask, question=one.question, options=shown)))
        turns.append(Message("assistant", letters(len(one.options))[one.answer]))
    return tuple(turns)


def letters(count: int) -> tuple[str, ...]:
    """`A`, `B` … for so many options."""
    return tuple(chr(ord("A") + i) for i in range(count))


def listed_options(options: Sequence[str]) -> str:
    """One option a line, each after its letter."""
    lettered = zip(letters(len(options)), options, strict=True)
    return "\n".join(f"({letter}) {option}" for letter, option in lettered)


def rotations(count: int) -> list[tuple[int, ...]]:
    """Orders of options in which each has each place once; of two, both orders."""
    return [tuple((i + shift) % count for i in range(count)) for shift in range(count)]


def averaged(
    choices: Sequence[Choice], orders: Sequence[tuple[int, ...]]
) -> tuple[float, ...] | None:
    """The mean probability of each option over its places; None where a choice is missing.

    Args:
        choices: one for each order.
        orders: the positions of the options in the order shown.
    """
    shown = [choice.shares for choice in choices if choice.shares is not None]
    if not shown or len(shown) < len(choices):
        return None
    both = list(zip(shown, orders, strict=True))
    return tuple(
        math.fsum(shares[order.index(option)] for shares, order in both) / len(both)
        for option in range(len(orders[0]))
    )


def _shares(
    alternatives: Sequence[TokenAlternative], labels: Sequence[str], min_mass: float
) -> tuple[float, ...] | None:
    """Normalised over the labels; one that is not in sight has at most the least in sight.

    That bound errs towards even odds, as in `cai.judge.labels`.
    """
    masses = [
        math.fsum(math.exp(a.logprob) for a in alternatives if spells(a.token, label))
        for label in labels
    ]
    there = [mass for mass in masses if mass]
    if not there or math.fsum(there) < min_mass:
        return None
    bound = min(math.exp(min(a.logprob for a in alternatives)), *there)
    masses = [mass or bound for mass in masses]
    return tuple(mass / math.fsum(masses) for mass in masses)


def _named(text: str, labels: Sequence[str]) -> str | None:
    """The letter that a short answer names: its first word, and no other letter after it."""
    said = text.split()
    found = [label for label in labels if said and spells(said[0], label)]
    if not found or any(spells(word, other) for word in said[1:] for other in labels):
        return None
    return found[0]
