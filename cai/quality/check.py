"""What a check is: a class with a name that sees every sample once and then says what it found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from cai.errors import UsageError, nearest
from cai.quality.records import Example, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cai.quality.opinions import SecondOpinion
    from cai.quality.records import Level, Sample
    from cai.quality.scorers import Scorer
    from cai.quality.texts import Texts

__all__ = ["Book", "Check", "Options", "excerpt", "known_checks", "register", "select"]

_EXAMPLES = 5
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asks of the checks."""

    against: tuple[Path, ...] = ()
    """Evaluation files that must not be in the data."""
    ngram: int = 13
    """Words in a row that count as a leak."""
    scorer: Scorer | None = None
    """Says which answer is better, for the check of inverted labels."""
    presidio: bool = False
    """Also look for names and addresses, with the extra `pii`."""
    second: SecondOpinion | None = None
    """A judge in place of the scorer."""

    def __post_init__(self) -> None:
        """Refuse two opinions where one counts.

        Raises:
            UsageError: there is a scorer and a judge.
        """
        if self.scorer is not None and self.second is not None:
            raise UsageError(
                "Got a scorer and a judge for label-inversion. Allowed: one of them. Leave out "
                "--scorer or --judge-config, and check again with the other."
            )


@dataclass(slots=True)
class Book:
    """Where each row stands and how it begins, by its index: for examples at the end."""

    places: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Note the next row."""
        self.places.append(sample.place)
        self.texts.append(excerpt(sample.question, 80))


class Check(ABC):
    """Sees every sample once, in order, and finishes with one finding.

    A subclass counts with `hit`. `see` is not called for broken samples unless `broken` is set.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    fix: ClassVar[str]
    level: ClassVar[Level] = "warning"
    drops: ClassVar[bool] = True
    """Whether it points at rows that can be left out; others are about the file as a whole."""
    broken: ClassVar[bool] = False
    apart: ClassVar[bool] = False
    """Whether it is done in the second process, where there is one: about half of the work is."""

    def __init__(self, options: Options, book: Book) -> None:
        self.options = options
        self.book = book
        self.seen = 0
        self.hits: dict[int, str] = {}
        self.kept: set[int] = set()
        self._examples: list[Example] = []

    @classmethod
    def ready(cls, options: Options) -> bool:
        """Whether the user gave all that the check needs."""
        del options
        return True

    @abstractmethod
    def see(self, sample: Sample, texts: Texts) -> None:
        """Look at one sample."""

    def end(self) -> Level | None:
        """Last work, when all samples were seen; may name the level of the finding."""
        return None

    def close(self) -> None:
        """Give back what the check holds open, also after an error."""
        return

    def figures(self) -> Iterable[tuple[str, str]]:
        """Further numbers, after `end`."""
        return ()

    def hit(self, index: int, reason: str, text: str = "", other: str = "") -> None:
        """Count a row once; `text` is what to show, and how the row begins when absent."""
        if index in self.hits:
            return
        self.hits[index] = reason
        if len(self._examples) < _EXAMPLES:
            shown = excerpt(text) if text else self.book.texts[index]
            self._examples.append(Example(self.book.places[index], shown, other))

    def finish(self) -> Finding:
        """The finding: `level` of the class when rows were hit, unless `end` says otherwise."""
        level = self.end()
        return Finding(
            check=self.name,
            about=self.about,
            level=level or (self.level if self.hits else "ok"),
            count=len(self.hits),
            of=self.seen,
            fix=self.fix,
            figures=tuple(self.figures()),
            examples=tuple(self._examples),
            drops=self._drops(),
        )

    def _drops(self) -> Mapping[int, str]:
        if not self.drops:
            return {}
        return {index: why for index, why in self.hits.items() if index not in self.kept}


_CHECKS: dict[str, type[Check]] = {}


def register(check: type[Check]) -> type[Check]:
    """Class decorator: make a check known by its name."""
    _CHECKS[check.name] = check
    return check


def known_checks() -> Mapping[str, type[Check]]:
    """All checks by name, in the order in which they are reported."""
    from cai.quality import checks

    # Whoever imported one of them first must not decide their order.
    order = checks.load()
    place = {module: number for number, module in enumerate(order)}
    return dict(sorted(_CHECKS.items(), key=lambda item: place.get(item[1].__module__, len(place))))


def select(
    options: Options, only: Sequence[str] = (), skip: Sequence[str] = ()
) -> tuple[type[Check], ...]:
    """The checks to run: all that are ready, or those in `only`, without those in `skip`.

    Raises:
        UsageError: a name is unknown, or a check in `only` lacks what it needs.
    """
    known = known_checks()
    for name in (*only, *skip):
        if name not in known:
            raise UsageError(
                f"Unknown check '{name}'. Allowed: {', '.join(known)}.{nearest(name, known)}"
            )
    for name in only:
        if not known[name].ready(options):
            raise UsageError(f"The check '{name}' needs more: {known[name].fix}")
    wanted = only or [name for name, check in known.items() if check.ready(options)]
    return tuple(known[name] for name in known if name in wanted and name not in skip)


def excerpt(text: str, length: int = _SHOWN) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: length * 2].split())
    return line if len(line) <= length else line[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
