"""Whether the questions fit into a model's context (C701, C702), by an estimate of their length.

A question is rendered as a run would ask it, with nothing for the conversation and the answers, and
counted at four characters a token, as English text has them with common tokenizers. Answers count
with the most that the config lets them have, so what is left for the conversation is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.constitution.lint.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle
    from cai.templates import Template

__all__ = ["LEAST_CONVERSATION", "Question", "context_findings", "questions"]

LEAST_CONVERSATION = 256
"""Tokens that should be left for the conversation: a question with a paragraph or two of text, or
three or four short turns."""

_CHARACTERS = 4
_PER_MESSAGE = 4
"""Tokens that a chat template puts around each message."""
_EMPTY = ("conversation", "response", "answer_a", "answer_b", "critique", "reasoning")
_FIX = "Use a model with a longer context, a shorter template, or a lower max_tokens."


@dataclass(frozen=True, slots=True)
class Question:
    """A kind of question, and how long what is filled in and what comes back may be, in tokens."""

    template: Template
    answers: int
    reply: int
    said: str
    """What the answers are, for people: `two answers of up to 512`."""

    @property
    def name(self) -> str:
        """`judge/default`."""
        return f"{self.template.stage}/{self.template.name}"

    def tokens(self, values: dict[str, Any]) -> int:
        """The estimated length of the question itself."""
        empty = {name: "" for name in _EMPTY if name in self.template.inputs}
        messages = self.template.render(empty | values)
        characters = sum(len(message.content) for message in messages)
        return -(-characters // _CHARACTERS) + _PER_MESSAGE * len(messages)


def questions(
    config: Config, judging: Template, critique: Template, revise: Template
) -> tuple[Question, ...]:
    """What a run asks about principles; the judge's question first.

    Args:
        config: how long answers may be, and whether there are revisions.
        judging: the template of the judge, with its switches set.
        critique: that of the critique stage; not used with `loop.direct`.
        revise: that of the revise stage.
    """
    loop, judge = config.loop, config.judge
    answer = max(loop.sample.max_tokens, loop.revision.max_tokens if loop.rounds else 0)
    one = f"an answer of up to {answer:,}"
    # A reasoning comes back, and then goes in with the question for the label.
    thought = judge.reasoning.max_tokens if judge.mode == "reasoning" else 0
    if judging.stage == "score":
        found = [Question(judging, answer, 1, one)]
    else:
        found = [Question(judging, 2 * answer, thought + 1, f"two answers of up to {answer:,}")]
    if loop.rounds and not loop.direct:
        found.append(Question(critique, answer, loop.critique.max_tokens, one))
    if loop.rounds:
        told = 0 if loop.direct else loop.critique.max_tokens
        said = one if loop.direct else f"{one} and a critique of up to {told:,}"
        found.append(Question(revise, answer + told, loop.revision.max_tokens, said))
    return tuple(found)


def context_findings(
    constitution: Constitution, context: int, asked: Sequence[Question], *, whole: bool
) -> list[Finding]:
    """Questions that leave too little of the context for the conversation.

    Args:
        constitution: its principles are asked about.
        context: of the model, in tokens.
        asked: from `questions`.
        whole: whether all principles stand in one question of the judge, as with
            `judge.scope: constitution`.
    """
    found: list[Finding] = []
    for question in asked:
        if whole and "principles" in question.template.inputs:
            found += _whole(constitution, context, question)
        else:
            found += _each(constitution, context, question)
    return found


def _each(constitution: Constitution, context: int, question: Question) -> Iterator[Finding]:
    lengths = {
        p.id: max(question.tokens(values) for values in _values(question, p))
        for p in sorted(constitution.principles, key=lambda p: p.id)
    }
    over = {one: n for one, n in lengths.items() if _short(n, context, question)}
    if over and len(over) == len(lengths) and len(over) > 1:
        account = _account(min(lengths.values()), context, question)
        yield Finding(
            "C701",
            "error",
            "",
            f"No principle fits the context, not even the shortest: {account}.",
            _FIX,
            "principles",
        )
        return
    for one, tokens in over.items():
        yield Finding(
            "C701",
            "error",
            one,
            f"It is too long for the context: {_account(tokens, context, question)}.",
            f"Shorten its wordings or examples. {_FIX}",
        )


def _whole(constitution: Constitution, context: int, question: Question) -> Iterator[Finding]:
    ranked = constitution.ranked
    tokens = question.tokens({"principles": list(ranked)})
    if _short(tokens, context, question):
        yield Finding(
            "C702",
            "error",
            "",
            f"All {len(ranked)} principles in one question are too long for the context: "
            f"{_account(tokens, context, question)}.",
            f"Set judge.scope: drawn or each, or leave out principles. {_FIX}",
            "principles",
        )


def _values(question: Question, principle: Principle) -> list[dict[str, Any]]:
    """What the template is asked to show of one principle, once for each question."""
    inputs = question.template.inputs
    if "proposition" in inputs:
        told = [one.text for one in principle.propositions] or [""]
        return [{"proposition": text} for text in told]
    return [{"principles": [principle]} if "principles" in inputs else {"principle": principle}]


def _left(tokens: int, context: int, question: Question) -> int:
    return context - tokens - question.answers - question.reply


def _short(tokens: int, context: int, question: Question) -> bool:
    return _left(tokens, context, question) < LEAST_CONVERSATION


def _account(tokens: int, context: int, question: Question) -> str:
    left = _left(tokens, context, question)
    rest = f"leaves {left:,}" if left >= 0 else f"is {-left:,} too many, and leaves nothing"
    return (
        f"of {context:,} tokens, {question.name} takes about {tokens:,}; with {question.said} "
        f"and {question.reply:,} for the reply, that {rest} for the conversation, which wants "
        f"{LEAST_CONVERSATION:,}"
    )
