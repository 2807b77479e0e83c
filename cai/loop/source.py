"""Where the prompts of a run come from: a file or a list in Python, and files mixed in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from cai.errors import InputError
from cai.hashing import content_hash
from cai.records import Message, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cai.config import PromptsConfig

__all__ = ["MixedFile", "PromptSource", "open_source"]


@dataclass(frozen=True, slots=True)
class MixedFile:
    """What a source says of one file that is mixed in; `prompts` are those that it gives."""

    path: str
    sha256: str
    share: float
    tags: tuple[str, ...]
    principles: tuple[str, ...]
    prompts: int


@dataclass(frozen=True)
class PromptSource:
    """Prompts that can be read again and again.

    `hash` is of all of them, whatever the limit; `rows` and `unique` count them before the limit;
    `total` is how many different prompts the run is going to see.
    """

    name: str
    hash: str
    rows: int
    unique: int
    total: int
    read: Callable[[], Iterable[Prompt]]
    limit: int | None = None
    mix: tuple[MixedFile, ...] = ()

    def batches(self, size: int) -> Iterator[list[Prompt]]:
        """Yield the prompts in order, `size` at a time, up to the limit."""
        prompts = islice(self.read(), self.limit)
        while batch := list(islice(prompts, size)):
            yield batch

    def facts(self) -> dict[str, Any]:
        """What the store keeps."""
        return {
            "path": self.name,
            "sha256": self.hash,
            "rows": self.rows,
            "unique": self.unique,
            **({"mix": [asdict(one) for one in self.mix]} if self.mix else {}),
        }


def open_source(config: PromptsConfig, given: Sequence[Prompt | str] | None) -> PromptSource:
    """Read all prompts once, so that a broken one is found before anything is asked.

    Args:
        config: names the file, its format, the limit, and what is mixed in.
        given: prompts from Python, in place of the file.

    Raises:
        InputError: a file is missing, one of its rows is broken, or it is too small for its share.
    """
    source = _open_main(config, given)
    if not config.mix:
        return source
    from cai.loop.mix import mixed

    return mixed(source, config)


def _open_main(config: PromptsConfig, given: Sequence[Prompt | str] | None) -> PromptSource:
    if given is not None:
        prompts = [_prompt(item, i) for i, item in enumerate(given)]
        if not prompts:
            raise InputError("The list of prompts is empty. Give at least one.")
        ids = [prompt.id for prompt in prompts]
        unique = len(set(ids))
        total = len(set(ids[: config.limit]))
        return PromptSource(
            *("(given in Python)", content_hash(ids), len(ids), unique, total),
            read=lambda: prompts,
            limit=config.limit,
        )
    from cai.intake import count_prompts, read_prompts

    summary = count_prompts(config.path, config.format)
    return PromptSource(
        name=config.path.rpartition("/")[2],
        hash=summary.sha256,
        rows=summary.rows,
        unique=summary.unique,
        total=min(summary.unique, config.limit or summary.unique),
        read=lambda: read_prompts(config.path, config.format),
        limit=config.limit,
    )


def _prompt(item: Prompt | str, position: int) -> Prompt:
    if isinstance(item, Prompt):
        return item
    if not isinstance(item, str) or not item.strip():
        raise InputError(f"prompts[{position}]: expected a text or a cai.Prompt, got {item!r:.60}.")
    return Prompt((Message("user", item),), source=f"prompts[{position}]")
