"""The bullets of a Markdown document, with the headings above them and what belongs to them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cai.constitution.exchange.headings import Headings
from cai.constitution.exchange.ids import is_slug
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

__all__ = ["LABELS", "Item", "Walk"]

LABELS = ("critique", "revise", "judge", "weight", "note")
_LABEL = re.compile(rf"({'|'.join(LABELS)}):\s*(.+)", re.IGNORECASE | re.DOTALL)
_BOLD = ["strong_open", "text", "strong_close", "text"]
_VERBATIM = ("fence", "code_block", "html_block")
_BELOW_TITLE = 4
"""The place of the words of a first paragraph; heading and paragraph are three tokens each."""


@dataclass(eq=False)
class Item:
    """A bullet, or a paragraph of a document without bullets."""

    line: int
    tags: tuple[str, ...]
    group: str
    inside: bool = False
    """Whether it is inside another bullet."""
    key: str = ""
    paragraphs: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    is_label: bool = False

    @property
    def text(self) -> str:
        """Its own words, without those of bullets inside it."""
        return "\n\n".join(self.paragraphs).strip()


class Walk:
    """Goes over the tokens of a document once; `items` are in its order."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.title = ""
        self.summary = ""
        self._items: list[Item] = []
        self._prose: list[str] = []
        self._open: list[Item] = []
        self._headings = Headings()
        self._tokens = tokens
        self._listed = any(token.type == "list_item_open" for token in tokens)
        firsts = [i for i, t in enumerate(tokens) if t.type == "heading_open" and t.tag == "h1"]
        self._titled = firsts == [0]
        for place in range(len(tokens)):
            self._step(place)

    @property
    def items(self) -> list[Item]:
        """Bullets with words of their own, without those that label something of another."""
        return [item for item in self._items if item.text and not item.is_label]

    def warnings(self) -> tuple[str, ...]:
        """What was passed over, and bullets that were not where they are expected."""
        found = []
        prose = [" ".join(one.split()) for one in self._prose if one]
        if prose:
            found.append(
                f"{counted(len(prose), 'paragraph')} outside bullets passed over, the first being "
                f"'{prose[0][:60]}'."
            )
        nested = sum(item.inside for item in self.items)
        if nested:
            found.append(f"{counted(nested, 'bullet')} inside others became principles, too.")
        return tuple(found)

    def _step(self, place: int) -> None:
        token = self._tokens[place]
        if token.type == "list_item_open":
            self._begin(token)
        elif token.type == "list_item_close":
            self._end()
        elif token.type in _VERBATIM:
            self._prose.append(token.content.strip())
        elif token.type == "inline":
            opened = self._tokens[place - 1]
            if opened.type == "heading_open":
                self._heading(opened, token)
            elif self._open:
                self._paragraph(self._open[-1], token)
            elif self._titled and place == _BELOW_TITLE and self._listed:
                self.summary = words(token.children or [])
            elif self._listed or opened.level:
                self._prose.append(words(token.children or []))
            else:
                self._paragraph(self._begin(token), token)
                self._end()

    def _heading(self, opened: Token, token: Token) -> None:
        title, level = words(token.children or []), int(opened.tag[1])
        if self._titled and level == 1:
            self.title = title
        else:
            self._headings.enter(level, title)

    def _begin(self, token: Token) -> Item:
        line = (token.map or [0])[0] + 1
        item = Item(line, self._headings.tags, self._headings.nearest, bool(self._open))
        self._open.append(item)
        self._items.append(item)
        return item

    def _end(self) -> None:
        item = self._open.pop()
        label = _LABEL.fullmatch(item.text) if self._open else None
        if label and label[1].lower() not in self._open[-1].labels:
            self._open[-1].labels[label[1].lower()] = label[2]
            item.is_label = True

    @staticmethod
    def _paragraph(item: Item, token: Token) -> None:
        children = [
            child for child in token.children or [] if child.type != "text" or child.content
        ]
        text = words(children)
        if not item.paragraphs and [child.type for child in children[:4]] == _BOLD:
            key = children[1].content
            if is_slug(key) and children[3].content.startswith(":"):
                item.key, text = key, text.removeprefix(f"{key}:").strip()
        item.paragraphs.append(text)


def words(children: Sequence[Token]) -> str:
    """What inline tokens say, without emphasis and addresses of links."""
    said = ""
    for child in children:
        if child.type == "image":
            said += words(child.children or [])
        elif child.type in ("softbreak", "hardbreak"):
            said += " " if child.type == "softbreak" else "\n"
        else:
            # Marks such as emphasis have no content.
            said += child.content
    return said.strip()
