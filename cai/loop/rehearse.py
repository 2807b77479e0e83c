"""Walking prompts with stand-ins for answers: which requests a config makes, and how long they are.

Nothing is asked. The walk, the templates and the judge are the real ones, so the count of calls
follows every setting of the loop; only the answers are made up, of a length that is assumed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

from cai.engines.memo import Answer
from cai.loop.judging import judging_stage, open_jury
from cai.loop.walk import Desk, Walk
from cai.records import Completion, TokenAlternative
from cai.store.spending import ROLE_OF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.loop.plan import Plan
    from cai.loop.source import PromptSource
    from cai.records import Prompt, Request, Stage

__all__ = [
    "SCENARIOS",
    "Lane",
    "Scenario",
    "StandIn",
    "Tally",
    "evenly",
    "filler",
    "rehearse",
    "request_tokens",
    "spread",
]

Lane = tuple["Stage", str]
"""A stage and the role that answers it; the members of a panel answer the same stage."""

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
_WORD = "word "


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is assumed of the answers.

    Args:
        length: of an answer, as a share of the most tokens that its stage allows.
        clean: share of critiques that find nothing to mend.
        logprobs: whether a server gives log-probabilities when it is not known, and whether "10"
            is one token, which saves a judge with scores from 1 to 10 further samples.
    """

    length: float
    clean: float
    logprobs: bool


SCENARIOS: tuple[Scenario, Scenario, Scenario] = (
    Scenario(length=0.125, clean=1.0, logprobs=True),
    Scenario(length=0.5, clean=0.2, logprobs=True),
    Scenario(length=1.0, clean=0.0, logprobs=False),
)
"""Low, likely and high."""


@dataclass
class Tally:
    """What some prompts would ask: requests and tokens by lane, and pairs that are judged."""

    prompts: int = 0
    pairs: int = 0
    calls: dict[Lane, int] = field(default_factory=dict)
    prompt_tokens: dict[Lane, int] = field(default_factory=dict)
    completion_tokens: dict[Lane, int] = field(default_factory=dict)

    def add(self, lane: Lane, request: Request, generated: int) -> None:
        """Count a request and the tokens of its answer."""
        self.calls[lane] = self.calls.get(lane, 0) + 1
        read = request_tokens(request)
        self.prompt_tokens[lane] = self.prompt_tokens.get(lane, 0) + read
        self.completion_tokens[lane] = self.completion_tokens.get(lane, 0) + generated


def request_tokens(request: Request) -> int:
    """Tokens of a prompt by a rule of thumb: four characters each, and four for every message.

    Tokenizers differ: English text comes out within some 20 % for most of them, other languages
    and code have more tokens.
    """
    characters = sum(len(message.content) for message in request.messages)
    messages = len(request.messages)
    return round(characters / _CHARACTERS_PER_TOKEN) + _TOKENS_PER_MESSAGE * messages


def spread(source: PromptSource, most: int) -> list[Prompt]:
    """At most so many prompts, evenly spread over those of the run.

    The order is such that the first few are spread over the file, too.
    """
    rows = min(source.rows, source.limit or source.rows)
    stride = max(1, -(-rows // most))
    found = list(islice(source.read(), 0, rows, stride))
    bits = max(1, (len(found) - 1).bit_length())
    mirrored = (int(f"{i:0{bits}b}"[::-1], 2) for i in range(2**bits))
    return [found[i] for i in mirrored if i < len(found)]


def rehearse(
    plan: Plan,
    prompts: Sequence[Prompt],
    scenario: Scenario,
    most_calls: int | None = None,
) -> Tally:
    """Walk prompts in their order, until there are none left or enough requests were made.

    Args:
        plan: what is asked; its hash is not used.
        prompts: at least one.
        scenario: what is assumed of the answers.
        most_calls: stops after the prompt that reaches so many requests; walks all when absent.
    """
    return asyncio.run(_rehearse(plan, prompts, scenario, most_calls))


async def _rehearse(
    plan: Plan,
    prompts: Sequence[Prompt],
    scenario: Scenario,
    most_calls: int | None,
) -> Tally:
    tally = Tally()
    models = plan.config.models.roles
    # Only servers may keep log-probabilities to themselves.
    judges = {
        role: StandIn(
            plan, scenario, tally, scenario.logprobs or models[role].engine != "openai", role
        )
        for role in plan.judges
    }
    writer = StandIn(plan, scenario, tally, logprobs=False)
    # Nothing is sent, so any secret does: what counts is the length of the codes.
    jury = open_jury(plan, judges, secret=b"rehearsal")
    desk = Desk(plan=plan, policy=writer, critic=writer, judge=jury)
    for prompt in prompts:
        row = await Walk(desk, prompt).run()
        tally.prompts += 1
        tally.pairs += sum(pair.verdict is not None for pair in row.pairs)
        if most_calls is not None and sum(tally.calls.values()) >= most_calls:
            break
    return tally


class StandIn:
    """Takes the place of a model behind the memo."""

    def __init__(
        self, plan: Plan, scenario: Scenario, tally: Tally, logprobs: bool, role: str = ""
    ) -> None:
        """Answer as a scenario has it.

        Args:
            plan: its templates have the labels.
            scenario: what is assumed of the answers.
            tally: counts the requests.
            logprobs: whether log-probabilities are given.
            role: that is counted; the one of the stage when empty.
        """
        self._labels = plan.templates[judging_stage(plan.config)].labels
        self._nothing = plan.templates["critique"].nothing
        self._scenario = scenario
        self._tally = tally
        self._logprobs = logprobs
        self._role = role
        self._clean = evenly(scenario.clean)
        self._scored: dict[object, Answer] = {}

    async def ask(self, request: Request) -> Answer:
        """Count the request, and answer with filler that differs from all answers before."""
        if request.stage != "score":
            return self._answer(request)
        # An answer is in several pairs, and the memo knows its scores from the first of them.
        key = (request.messages, request.sampling, request.sample_index)
        if key not in self._scored:
            self._scored[key] = self._answer(request)
        return self._scored[key]

    def _answer(self, request: Request) -> Answer:
        length = max(1, round(request.sampling.max_tokens * self._scenario.length))
        self._tally.add((request.stage, self._role or ROLE_OF[request.stage]), request, length)
        number = sum(self._tally.calls.values())
        text = f"{number} {filler(length)}"
        alternatives: tuple[TokenAlternative, ...] = ()
        outcome: Literal["answered"] = "answered"
        if request.stage in ("judge", "score"):
            text = self._labels[0]
            if request.sampling.top_logprobs and self._logprobs:
                other = -1 if self._scenario.logprobs else 1
                alternatives = (
                    TokenAlternative(self._labels[0], -0.5),
                    TokenAlternative(self._labels[other], -0.93),
                )
        elif request.stage == "critique" and self._nothing and next(self._clean):
            text = self._nothing
        return Answer(str(number), Completion(text, outcome, first_logprobs=alternatives))


def evenly(share: float) -> Iterator[bool]:
    """True in this share of cases, evenly spread, without end."""
    due = 0.5
    while True:
        due += share
        yield due >= 1.0
        due %= 1.0


def filler(tokens: int) -> str:
    """A text that counts as so many tokens."""
    return _WORD * (tokens * _CHARACTERS_PER_TOKEN // len(_WORD))
