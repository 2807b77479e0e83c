"""From one answer of a judge to a score: the scale, and what may be read from it.

The score is the mean of the labels' places under the probabilities of the first token, normalised
over the labels (direct-RLAIF: Lee et al. 2023, arXiv:2309.00267). It is given on [0, 1]; the paper
puts it on [−1, 1], which is 2s − 1.

A tokenizer that writes "10" as "1" and "0" hides it: the first token "1" then stands for both. The
log-probabilities of one token cannot tell how much of it goes on to a "0", so it is an argument
here, `longer`; `cai.judge.pointwise` finds it out from short samples.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

from cai.errors import ConfigError
from cai.judge.labels import label_mass, word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.engines.memo import Answer
    from cai.records import Completion, TokenAlternative

__all__ = ["Scale", "Score", "ScoreOutcome", "count_scores", "longer_share", "read_score"]

ScoreOutcome = Literal["answered", "refused", "unparsed", "truncated"]


@dataclass(frozen=True, slots=True)
class Score:
    """A judge's opinion of one answer: a value with a pedigree, or an honest non-answer.

    `value` is from 0 to 1, and None unless the outcome is `answered`. `mass` is the probability of
    all labels together among all tokens, or the share of samples that named one. `missed` is the
    most probability, among all labels, that those may have which were not in the returned top-k;
    of two labels the missing one is put at that bound, of more it is put at 0. `votes` is the
    number of short samples that were taken.
    """

    outcome: ScoreOutcome
    request_id: str
    value: float | None = None
    mass: float | None = None
    missed: float = 0.0
    votes: int = 0
    more_request_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """Labels in lower case and their places from 0 to 1.

    `split` has the positions of the one label with which another begins, and of that other: of
    "1" and "10". `top` is the largest number, or empty for words. `span` is the difference between
    the ends in the scale's own points: 9 for 1 to 10, and 1 for words.
    """

    labels: tuple[str, ...]
    points: tuple[float, ...]
    split: tuple[int, int] | None = None
    top: str = ""
    span: int = 1

    @classmethod
    def of(cls, labels: Sequence[str]) -> Self:
        """Make a scale of the labels of a template.

        Numbers go from the least (0) to the greatest (1); of two words the first is 1, the second
        0.

        Raises:
            ConfigError: there is no such scale.
        """
        folded = tuple(label.casefold() for label in labels)
        if all(label.isdecimal() for label in folded) and len(folded) > 1:
            numbers = [int(label) for label in folded]
            low, high = min(numbers), max(numbers)
            points = tuple((number - low) / (high - low) for number in numbers)
            splits = [
                (i, j)
                for i, short in enumerate(folded)
                for j, long in enumerate(folded)
                if i != j and long.startswith(short)
            ]
            if len(splits) <= 1:
                return cls(folded, points, splits[0] if splits else None, str(high), high - low)
        elif len(folded) == 2 and not any(label.isdecimal() for label in folded):
            return cls(folded, (1.0, 0.0))
        raise ConfigError(
            f"A template of the stage score has the labels {list(labels)}. Allowed are whole "
            "numbers of which at most one begins with another, such as 1 to 10, or two words, the "
            "better one first, such as Yes and No. Change 'labels:' in its front matter."
        )

    def read(self, text: str) -> int | None:
        """The position of the label that a short answer names, or None.

        Strict: the label must be the first word, and no other label may follow. "7/10" and "7 out
        of 10" are a 7.
        """
        if self.top:
            text = re.sub(rf"\s*(?:/|out of)\s*{self.top}\b", "", text, count=1)
        said = [word(part).casefold() for part in text.split()]
        if not said or said[0] not in self.labels:
            return None
        others = set(self.labels) - {said[0]}
        return None if others.intersection(said) else self.labels.index(said[0])

    def masses(self, alternatives: Sequence[TokenAlternative]) -> list[float]:
        """The probability of each label as the next token, over the variants that spell it."""
        return [
            math.fsum(math.exp(a.logprob) for a in alternatives if _folded(a) == label)
            for label in self.labels
        ]

    def whole(self, alternatives: Sequence[TokenAlternative]) -> bool:
        """Whether the longer label of `split` is seen to be one token."""
        if self.split is None:
            return True
        longer = self.labels[self.split[1]]
        return any(_folded(a) == longer for a in alternatives)

    def doubt(self, alternatives: Sequence[TokenAlternative]) -> float:
        """The share of the labels' probability that may belong to either label of `split`."""
        masses = self.masses(alternatives)
        if self.split is None or self.whole(alternatives) or not any(masses):
            return 0.0
        return masses[self.split[0]] / sum(masses)


def read_score(
    answer: Answer, scale: Scale, min_mass: float, *, longer: float | None = None
) -> Score:
    """Read the first token of one answer; a refusal or an unclear answer stays what it is.

    Args:
        answer: of a judge that was asked for log-probabilities.
        scale: its labels.
        min_mass: least probability of all labels together.
        longer: the share of the shorter label of `scale.split` that goes on to the longer one;
            None where the longer one is a token of its own.
    """
    completion, asked = answer.completion, answer.request_id
    if completion.outcome == "refused":
        return Score("refused", asked)
    masses = scale.masses(completion.first_logprobs)
    mass = math.fsum(masses)
    if not mass:
        return Score("truncated" if _cut(completion) else "unparsed", asked, mass=0.0)
    if mass < min_mass:
        return Score("unparsed", asked, mass=mass)
    if len(masses) == 2 and not scale.top:
        return _of_two(answer, scale, mass)
    points = list(scale.points)
    absent = masses.count(0.0)
    if scale.split and longer is not None:
        short, long = scale.split
        points[short] += longer * (points[long] - points[short])
        absent -= 1
    # Normalised by the same sum, so that rounding cannot leave the scale.
    value = math.fsum(m * p for m, p in zip(masses, points, strict=True)) / mass
    least = math.exp(min(a.logprob for a in completion.first_logprobs))
    return Score("answered", asked, min(value, 1.0), mass, absent * least / (mass + absent * least))


def _of_two(answer: Answer, scale: Scale, mass: float) -> Score:
    folded = [replace(a, token=_folded(a)) for a in answer.completion.first_logprobs]
    first, second = scale.labels
    found = label_mass(folded, (first, second))
    if found is None:
        raise AssertionError("a label with a mass is among the alternatives")
    bound = {"first": found.first, "second": found.second}.get(found.bounded, 0.0)
    missed = bound / (found.first + found.second)
    return Score("answered", answer.request_id, found.p_first, mass, missed)


def count_scores(answers: Sequence[Answer], scale: Scale, min_mass: float) -> Score:
    """Put short samples together, where the judge gives no log-probabilities.

    Numbers are averaged. Of two words, the share of the first is estimated as by
    `cai.judge.votes`. Below `min_mass`, the share of samples that name a label, or without any,
    there is no value: `refused` or `truncated` if at least half of the samples were.

    Args:
        answers: at least one, in the order of their sample index.
        scale: the labels.
        min_mass: least share of samples that must name a label.
    """
    given: list[int] = []
    refused = cut = 0
    for completion in (answer.completion for answer in answers):
        if completion.outcome == "refused":
            refused += 1
        elif (position := scale.read(completion.text)) is not None:
            given.append(position)
        else:
            cut += _cut(completion)
    taken, mass = len(answers), len(given) / len(answers)
    first, *more = (answer.request_id for answer in answers)
    ids = tuple(more)
    if not given or mass < min_mass:
        silence: ScoreOutcome = (
            "refused" if 2 * refused >= taken else "truncated" if 2 * cut >= taken else "unparsed"
        )
        return Score(silence, first, mass=mass, votes=taken, more_request_ids=ids)
    if scale.top:
        value = math.fsum(scale.points[i] for i in given) / len(given)
    else:
        value = (given.count(0) + 0.5) / (len(given) + 1)
    return Score("answered", first, value, mass, votes=taken, more_request_ids=ids)


def longer_share(answers: Sequence[Answer], scale: Scale) -> float:
    """Of samples that name either label of `scale.split`, the share that names the longer one.

    Without such samples it is ½, which is wrong by no more than that.
    """
    short, long = scale.split or (0, 0)
    read = [
        scale.read(answer.completion.text)
        for answer in answers
        if answer.completion.outcome != "refused"
    ]
    either = read.count(short) + read.count(long)
    return read.count(long) / either if either else 0.5


def _folded(alternative: TokenAlternative) -> str:
    return word(alternative.token).casefold()


def _cut(completion: Completion) -> bool:
    return completion.outcome == "truncated" and not completion.text.strip()
