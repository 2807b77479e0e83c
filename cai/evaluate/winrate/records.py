"""What the judge said of the answers of two subjects, as numbers; no texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from cai.evaluate.records import Answered
    from cai.records import Prompt

__all__ = ["CREDIT", "Axis", "Contest", "Duel", "DuelOutcome", "Under"]

DuelOutcome = Literal[
    "first", "second", "tie", "identical", "refused", "unparsed", "truncated", "no answer", "failed"
]
"""`identical` answers are a tie that nobody is asked about. With `no answer` one of both has no
text to judge; `failed` is a question that could not be asked. The others are the judge's."""

CREDIT: dict[str, float] = {"first": 1.0, "tie": 0.5, "identical": 0.5, "second": 0.0}
"""What an outcome counts for the first answer; those that are not here are no verdict."""

_SWAPPED: dict[DuelOutcome, DuelOutcome] = {"first": "second", "second": "first"}


class Under(NamedTuple):
    """The verdict under one principle, or under several that were shown together.

    `credit` is what it counts for the first answer, with a panel the mean over judges, and None
    without a verdict. `flips` are the questions whose two orders name different winners, of
    `orders` in which both name one.
    """

    principle: str
    credit: float | None
    flips: int = 0
    orders: int = 0


@dataclass(frozen=True, slots=True)
class Duel:
    """Two answers to a prompt. All numbers are those of the subject `first`.

    Args:
        prompt_id: of the prompt.
        group: of near-duplicate prompts.
        tags: of the prompt.
        first: name of a subject.
        second: name of the other.
        lengths: characters of both answers.
        outcome: who won, or why nobody did.
        p: the judge's probability that the first answer is better; None without a verdict.
        under: by principle.
        error: why it failed.
    """

    prompt_id: str
    group: str
    tags: tuple[str, ...]
    first: str
    second: str
    lengths: tuple[int, int]
    outcome: DuelOutcome
    p: float | None = None
    under: tuple[Under, ...] = ()
    error: str = ""

    @property
    def credit(self) -> float | None:
        """1 for a win of the first, ½ for a tie, 0 for a loss; None without a verdict."""
        return CREDIT.get(self.outcome)

    def seen_from(self, subject: str) -> Duel:
        """The same with this subject as the first.

        Raises:
            ValueError: it takes no part.
        """
        if subject == self.first:
            return self
        if subject != self.second:
            raise ValueError(f"{subject} is neither {self.first} nor {self.second}")
        return replace(
            self,
            first=self.second,
            second=self.first,
            lengths=self.lengths[::-1],
            outcome=_SWAPPED.get(self.outcome, self.outcome),
            p=None if self.p is None else 1.0 - self.p,
            under=tuple(
                one._replace(credit=None if one.credit is None else 1.0 - one.credit)
                for one in self.under
            ),
        )


@dataclass(frozen=True, slots=True)
class Axis:
    """A good by which subjects are compared on its own: the principles of a tag."""

    name: str
    principles: tuple[str, ...]


@dataclass(frozen=True)
class Contest:
    """Who answered what, and which subjects are compared.

    Args:
        subjects: names, in the order of tables.
        pairs: names of those that are compared; of a pair the first is looked at.
        base: the subject that all others are compared with; empty where all meet all.
        prompts: each once.
        groups: group of each prompt, by its id.
        answers: one for each prompt, in their order, by subject.
        asked: what determines the answers, for the hash of the result.
    """

    subjects: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    base: str
    prompts: tuple[Prompt, ...]
    groups: dict[str, str]
    answers: dict[str, tuple[Answered, ...]]
    asked: tuple[object, ...] = ()
