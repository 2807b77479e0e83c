"""Headings of a document as tags: which apply to the principles below them."""

from __future__ import annotations

from cai.constitution.exchange.ids import is_slug, slug

__all__ = ["Headings"]


class Headings:
    """The headings above the current place, from the outermost to the nearest."""

    def __init__(self) -> None:
        self._path: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> None:
        """A heading begins; those of its level and below end."""
        self._path = [one for one in self._path if one[0] < level]
        self._path.append((level, title))

    @property
    def tags(self) -> tuple[str, ...]:
        """A tag for each heading. A heading such as `honesty, tone` that lists tags gives each."""
        tags: list[str] = []
        for _, title in self._path:
            listed = [part.strip() for part in title.split(",")]
            tags += listed if all(map(is_slug, listed)) else [slug(title)]
        return tuple(dict.fromkeys(filter(None, tags)))

    @property
    def nearest(self) -> str:
        """The heading right above, or nothing."""
        return self._path[-1][1] if self._path else ""
