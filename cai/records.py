"""The typed records that rooms hand to each other. All are frozen; none holds a bare dict.

A record is plain data: `cai.hashing.canonical_json` writes it and `load` reads it back, so the run
store keeps records as JSON and nothing is pickled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from cai.hashing import content_hash, short_id
from cai.loading import load

__all__ = [
    "AnswerScore",
    "Completion",
    "CompletionOutcome",
    "JudgeVerdict",
    "JudgedOutcome",
    "Label",
    "Message",
    "OrderVerdict",
    "Pair",
    "PairKind",
    "PrincipleVerdict",
    "Prompt",
    "Reasoning",
    "Request",
    "Response",
    "Revision",
    "RevisionOutcome",
    "Role",
    "Row",
    "Sampling",
    "Split",
    "Stage",
    "TokenAlternative",
    "Usage",
    "Verdict",
    "VerdictOutcome",
    "load",
]

Role = Literal["system", "user", "assistant"]
Stage = Literal["sample", "critique", "revise", "reason", "judge", "score"]
"""`reason` is a judge that thinks before it names a label; `score` asks it about one answer."""
Split = Literal["train", "dev", "held_out", "quarantine"]
"""`quarantine` is for a prompt that resembles prompts of two different splits: nobody uses it."""

CompletionOutcome = Literal["answered", "refused", "truncated"]
RevisionOutcome = Literal[
    "revised",  # usable
    "unchanged",  # the same text again
    "leaked",  # talks about the revision ("Here is a revised response"), could not be stripped
    "truncated",  # hit the token limit
    "refused",  # declined to revise
    "empty",  # nothing left
    "skipped",  # the critique found nothing to mend
]
VerdictOutcome = Literal["first", "second", "tie", "refused", "unparsed", "truncated"]
Label = Literal["first", "second", "tie"]
PairKind = Literal["revision", "samples", "contrast"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation that ends with a user turn and waits for an answer.

    `id` is a hash of the messages alone, so the same conversation has the same id in every file.
    `source` says where it was read (file name and line), for people; it is part of no hash.
    """

    messages: tuple[Message, ...]
    tags: tuple[str, ...] = ()
    source: str = ""

    @property
    def id(self) -> str:
        """16 hexadecimal digits that depend on the messages alone."""
        return short_id([[m.role, m.content] for m in self.messages])


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to decode. `top_logprobs` = 0 asks for no log-probabilities.

    `seed` makes the draw repeatable where the engine allows it; `temperature` 0 is greedy.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One call to a model, complete and deterministic.

    `shared` is the number of leading messages that all requests of the stage have in common
    (instructions and few-shot examples). Engines may compute them once. It changes no answer and
    is therefore no part of the identity, and neither is `stage`.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    sample_index: int = 0
    response_schema: dict[str, Any] | None = None
    shared: int = 0
    stage: Stage = "sample"

    def identity(self, fingerprint: str) -> str:
        """The request id: SHA-256 of everything that determines the answer.

        Args:
            fingerprint: names the model (not the URL or replica that serves it).
        """
        return content_hash(
            {
                "model": fingerprint,
                "messages": [[m.role, m.content] for m in self.messages],
                "sampling": self.sampling,
                "schema": self.response_schema,
                "sample_index": self.sample_index,
            }
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `cached_tokens` of the prompt were not computed again."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TokenAlternative:
    """A token that could have come next, as text, with its natural-log probability."""

    token: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered.

    `first_logprobs` are the most probable alternatives for the first generated token, best first,
    at most `Sampling.top_logprobs` of them; empty when none were asked for or given.
    `model` is the exact revision that answered, as the server or the weights name it.
    """

    text: str
    outcome: CompletionOutcome
    usage: Usage = Usage()
    first_logprobs: tuple[TokenAlternative, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A first answer to a prompt: `raw` is what was generated, `text` what the loop goes on with.

    They differ when the answer was truncated: `text` is then cut back to its last whole sentence,
    or empty. An answer with an empty `text` is unusable.
    """

    text: str
    raw: str
    outcome: CompletionOutcome
    request_id: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One round of critique and revision of one response.

    `text` is the best text after the round: the revision if `outcome` is `revised`, otherwise the
    text that went in. `stripped` is leaked scaffolding that was cut off, if any.
    """

    round: int
    principle_id: str
    outcome: RevisionOutcome
    text: str
    critique: str = ""
    raw: str = ""
    stripped: str = ""
    critique_request_id: str = ""
    revise_request_id: str = ""


JudgedOutcome = Literal["answered", "refused", "unparsed", "truncated"]


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a judge thought before it named a label, and the label.

    `outcome` is that of the label, or of the text where that was refused, cut off or empty; then no
    label was asked for. `raw` is the probability of the label of the answer shown first, as it was
    read; `p` is `raw` within the bounds of `judge.clamp`. The other fields are those of
    `OrderVerdict`; `request_id` is that of the text, `more_request_ids` are those of the label.
    """

    outcome: JudgedOutcome
    text: str
    request_id: str
    raw: float | None = None
    p: float | None = None
    mass: float | None = None
    bounded: bool = False
    votes: int = 0
    more_request_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """What a judge said of one answer of a pair, looked at on its own.

    `value` is from 0 to 1: the place on the scale, or the probability that `statement`, one of the
    principle's propositions, is true. `weight` is what the statement counts for. `mass`, `missed`
    and `votes` are those of `cai.judge.Score`.
    """

    answer: Literal["first", "second"]
    outcome: JudgedOutcome
    request_id: str
    value: float | None = None
    mass: float | None = None
    missed: float = 0.0
    votes: int = 0
    more_request_ids: tuple[str, ...] = ()
    statement: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class OrderVerdict:
    """A judge's answer in one order of presentation.

    `p_shown_first` is the probability of the label of the answer that was shown first, normalised
    over both labels; None when there is no verdict. `mass` is the total probability of both labels
    among all tokens. `bounded` says that one label was missing from the returned top-k and was
    replaced by its upper bound, the probability of the k-th token.

    `votes` is the number of short samples that were taken because the judge gave no
    log-probabilities, and 0 when it gave them. `mass` is then the share of samples that named a
    label; `request_id` is the first sample's, `more_request_ids` are those of the others.

    A judge that reasons first leaves its `reasonings`; `p_shown_first` is then the mean of their
    clamped probabilities, and the request ids are those of all texts and labels.
    """

    order: Literal["ab", "ba"]
    outcome: JudgedOutcome
    request_id: str
    p_shown_first: float | None = None
    mass: float | None = None
    bounded: bool = False
    votes: int = 0
    more_request_ids: tuple[str, ...] = ()
    reasonings: tuple[Reasoning, ...] = ()


@dataclass(frozen=True, slots=True)
class PrincipleVerdict:
    """Both orders under one principle: p(first ≻ second) = ½ [p_AB + (1 − p_BA)].

    `principle_ids` holds one id, or all of them when the whole constitution was shown. With
    `judge.orders: first` there is one order, and p is its probability. A judge that looks at one
    answer at a time leaves `scores` and no orders.

    `judge` names who judged where that is not the one judge of the run: a member of a panel, or
    the fallback judge. `superseded` says that the fallback judge's word counts in its place.
    """

    principle_ids: tuple[str, ...]
    outcome: VerdictOutcome
    orders: tuple[OrderVerdict, ...]
    p: float | None = None
    scores: tuple[AnswerScore, ...] = ()
    judge: str = ""
    superseded: bool = False

    @property
    def flipped(self) -> bool | None:
        """Whether the two orders, read as hard labels, name different winners.

        None when one of them gave no verdict, was not asked, or is undecided (exactly 0.5).
        """
        shown = [order.p_shown_first for order in self.orders]
        firsts = [p > 0.5 for p in shown if p is not None and p != 0.5]
        return firsts[0] == firsts[1] if len(firsts) == 2 else None


@dataclass(frozen=True, slots=True)
class JudgeVerdict:
    """What one judge of several said of a pair, under all principles together."""

    name: str
    outcome: VerdictOutcome
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which of two answers is better: a probability with a pedigree, or an honest non-answer.

    `principles` has a verdict for each question, with a panel one from each judge. `judges` sums up
    each judge of a panel; it is empty where there is one judge.
    """

    outcome: VerdictOutcome
    principles: tuple[PrincipleVerdict, ...]
    p: float | None = None
    judges: tuple[JudgeVerdict, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether the verdict names a winner."""
        return self.outcome in ("first", "second")

    @property
    def judged_by(self) -> tuple[str, ...]:
        """Names of those whose word counts; the empty name is the one judge of the run."""
        return tuple(dict.fromkeys(v.judge for v in self._counting))

    @property
    def disagreement(self) -> float | None:
        """Standard deviation of p over principles and judges; None with fewer than two.

        It is that of the whole population, divided by n, from 0 to 0.5.
        """
        given = [v.p for v in self._counting if v.p is not None]
        if len(given) < 2:
            return None
        mean = math.fsum(given) / len(given)
        return math.sqrt(math.fsum((p - mean) ** 2 for p in given) / len(given))

    @property
    def dissent(self) -> float | None:
        """Share of principles and judges that name the other winner; None without a winner."""
        if not self.decided:
            return None
        other = _SWAPPED[self.outcome]
        given = [v.outcome for v in self._counting]
        return given.count(other) / len(given) if given else None

    @property
    def entropy(self) -> float | None:
        """How uncertain p leaves us, in bits: 0 when it is 0 or 1, 1 when it is 0.5."""
        if self.p is None:
            return None
        return -math.fsum(q * math.log2(q) for q in (self.p, 1.0 - self.p) if q > 0.0)

    @property
    def _counting(self) -> tuple[PrincipleVerdict, ...]:
        return tuple(v for v in self.principles if v.p is not None and not v.superseded)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt and the verdict on them.

    `note` says why a pair was not judged (for example `identical`), or, beside a verdict, why it is
    set aside: no preference is made of it (for example `revision not confirmed`). `constructed` is
    the p that was set because of how the answers were made, where no judge was asked; the note is
    then `by construction`.
    """

    prompt_id: str
    kind: PairKind
    first: str
    second: str
    first_name: str
    second_name: str
    verdict: Verdict | None = None
    note: str = ""
    constructed: float | None = None

    @property
    def id(self) -> str:
        """16 hexadecimal digits; the same for both orientations of the same two texts."""
        return short_id([self.prompt_id, self.kind, *sorted((self.first, self.second))])

    @property
    def p(self) -> float | None:
        """The judge's probability that first is better than second, or None."""
        return self.verdict.p if self.verdict else None

    @property
    def soft_label(self) -> float | None:
        """The p that training takes: the judge's, or the one that was set by construction."""
        return self.verdict.p if self.verdict else self.constructed

    @property
    def is_preference(self) -> bool:
        """Whether it has a winner to train on: judged and not set aside, or by construction."""
        if self.verdict is None:
            return self.constructed is not None
        return self.verdict.decided and self.verdict.p is not None and not self.note

    def swap(self) -> Pair:
        """The same pair seen from the other side."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            first_name=self.second_name,
            second_name=self.first_name,
            verdict=_swap_verdict(self.verdict) if self.verdict else None,
            constructed=_rest(self.constructed),
        )

    def oriented(self) -> Pair:
        """The same pair with a soft label ≥ 0.5, so that `first` is the chosen answer."""
        label = self.soft_label
        return self.swap() if label is not None and label < 0.5 else self


@dataclass(frozen=True, slots=True)
class Row:
    """Everything that the loop made of one prompt.

    `revisions` has one chain of rounds for each revised sample: `revisions[i]` begins at
    `samples[i]`. `plan` is the hash of all that determined the row except the prompt. `contrast`
    has the answer that the policy gave with the constitution in its prompt, where one was asked.
    """

    prompt: Prompt
    plan: str
    samples: tuple[Response, ...] = ()
    revisions: tuple[tuple[Revision, ...], ...] = ()
    pairs: tuple[Pair, ...] = ()
    error: str = ""
    contrast: tuple[Response, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the row was given up; `error` says why."""
        return bool(self.error)


_SWAPPED: dict[VerdictOutcome, VerdictOutcome] = {"first": "second", "second": "first"}
_SWAPPED_ORDER: dict[Literal["ab", "ba"], Literal["ab", "ba"]] = {"ab": "ba", "ba": "ab"}
_SWAPPED_ANSWER: dict[Literal["first", "second"], Literal["first", "second"]] = {
    "first": "second",
    "second": "first",
}


def _swap_verdict(verdict: Verdict) -> Verdict:
    return replace(
        verdict,
        outcome=_other(verdict.outcome),
        p=_rest(verdict.p),
        principles=tuple(
            replace(
                v,
                outcome=_other(v.outcome),
                p=_rest(v.p),
                orders=tuple(replace(o, order=_SWAPPED_ORDER[o.order]) for o in reversed(v.orders)),
                scores=tuple(replace(s, answer=_SWAPPED_ANSWER[s.answer]) for s in v.scores),
            )
            for v in verdict.principles
        ),
        judges=tuple(replace(j, outcome=_other(j.outcome), p=_rest(j.p)) for j in verdict.judges),
    )


def _other(outcome: VerdictOutcome) -> VerdictOutcome:
    return _SWAPPED.get(outcome, outcome)


def _rest(p: float | None) -> float | None:
    return None if p is None else 1.0 - p
