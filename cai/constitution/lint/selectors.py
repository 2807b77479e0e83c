"""Whether `applies_to` can choose any prompt at all.

A prompt carries any set of tags, so each pattern can be looked at on its own: is there a tag that
it matches and that no pattern under `none` does? Patterns are small automata. All are run side by
side over the characters that they tell apart, until one place is found where the wanted pattern has
matched and no forbidden one has (the product construction for the difference of regular languages:
Hopcroft and Ullman, 1979).
"""

from __future__ import annotations

from collections import deque
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.constitution.principle import Selector

__all__ = ["impossible"]

_MOST_PLACES = 2_000
"""Where there are more, it is not decided, and nothing is said."""

_Place = tuple[frozenset[int], ...]


def impossible(*selectors: Selector) -> tuple[str, ...]:
    """The wanted patterns that keep selectors from ever matching together; none where they can.

    Patterns under `any` are returned together, since one of them would be enough.
    """
    barred = tuple(sorted({pattern for s in selectors for pattern in s.none}))
    wanted = [s.any for s in selectors if s.any] + [(one,) for s in selectors for one in s.all]
    return next((group for group in wanted if all(_swallowed(p, barred) for p in group)), ())


@lru_cache(maxsize=4096)
def _swallowed(wanted: str, barred: Sequence[str]) -> bool:
    """Whether each tag that the pattern matches is matched by one of the others, too."""
    if not barred:
        return False
    patterns = [_pieces(one) for one in (wanted, *barred)]
    letters = _letters((wanted, *barred))
    begin: _Place = tuple(_onward(pieces, {0}) for pieces in patterns)
    # A tag has at least one character, so the beginning counts only once it is reached again.
    queue, seen = deque([begin]), set[_Place]()
    while queue:
        place = queue.popleft()
        for letter in letters:
            after = tuple(
                _step(pieces, at, letter) for pieces, at in zip(patterns, place, strict=True)
            )
            if after in seen or not after[0]:
                continue
            ended = [len(pieces) in at for pieces, at in zip(patterns, after, strict=True)]
            if ended[0] and not any(ended[1:]):
                return False
            seen.add(after)
            queue.append(after)
        if len(seen) > _MOST_PLACES:
            return False
    return True


def _pieces(pattern: str) -> list[str]:
    """A pattern cut into `*`, `?`, sets such as `[a-z]`, and single characters."""
    return list(_cut(pattern))


def _cut(pattern: str) -> Iterator[str]:
    i = 0
    while i < len(pattern):
        # As fnmatch reads it: a `]` right at the beginning of a set belongs to it.
        first = i + 2 if pattern[i + 1 : i + 2] == "!" else i + 1
        closed = pattern.find("]", first + 1) if pattern[i] == "[" else -1
        end = closed + 1 if closed >= 0 else i + 1
        yield pattern[i:end]
        i = end


def _letters(patterns: Sequence[str]) -> list[str]:
    """One character of each kind that the patterns tell apart.

    A set such as `[a-z]` begins and ends at characters that are written, so those and what comes
    right after them are enough, with one that comes before all.
    """
    written = {ord(letter) for pattern in patterns for letter in pattern}
    codes = written | {min(code + 1, 0x10FFFF) for code in written} | {max(min(written) - 1, 0)}
    return [chr(code) for code in sorted(codes)]


def _step(pieces: Sequence[str], places: frozenset[int], letter: str) -> frozenset[int]:
    after = set()
    for i in places:
        if i < len(pieces) and pieces[i] == "*":
            after.add(i)
        elif i < len(pieces) and _fits(pieces[i], letter):
            after.add(i + 1)
    return _onward(pieces, after)


def _onward(pieces: Sequence[str], places: set[int]) -> frozenset[int]:
    """The places with those behind a `*`, which may stand for nothing."""
    found = set(places)
    for i in sorted(places):
        while i < len(pieces) and pieces[i] == "*":
            i += 1
            found.add(i)
    return frozenset(found)


@lru_cache(maxsize=65536)
def _fits(piece: str, letter: str) -> bool:
    # A lone bracket stands for itself; fnmatch would read it so, too.
    return fnmatchcase(letter, piece)
