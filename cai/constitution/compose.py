"""Putting a constitution together: parents, families, removals, changes, and its own principles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cai.constitution.families import family_folders, require_matches, selected
from cai.constitution.models import Constitution, chosen_by
from cai.errors import ConfigError, nearest
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from cai.constitution.files import ConstitutionFile, Override
    from cai.constitution.principle import Principle

__all__ = ["Part", "compose", "merge"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Part:
    """Principles by id that come from one place, with the name of that place for each."""

    principles: Mapping[str, Principle]
    origins: Mapping[str, str]

    @classmethod
    def of(cls, principles: Iterable[Principle], origin: str) -> Part:
        """Principles that all come from the same place."""
        found = {p.id: p for p in principles}
        return cls(found, dict.fromkeys(found, origin))

    def without(self, patterns: Sequence[str]) -> Part:
        """The same without the principles that a pattern chooses."""
        kept = {
            one: p
            for one, p in self.principles.items()
            if not any(chosen_by(pattern, p) for pattern in patterns)
        }
        return Part(kept, {one: self.origins[one] for one in kept})


def merge(parts: Iterable[Part], where: str) -> Part:
    """All principles of the parts. Which part is merged with which first makes no difference.

    A principle that comes twice in the very same words, as through a common grandparent, counts
    once, and the first origin is kept.

    Raises:
        ConfigError: an id comes with two meanings; the message names both places.
    """
    principles: dict[str, Principle] = {}
    origins: dict[str, str] = {}
    for part in parts:
        for one, principle in part.principles.items():
            if one not in principles:
                principles[one], origins[one] = principle, part.origins[one]
            elif principles[one].meaning() != principle.meaning():
                raise ConfigError(
                    f"{where}: principle '{one}' comes with two meanings: from '{origins[one]}' "
                    f"and from '{part.origins[one]}'. Remove both with 'remove: [{one}]' and write "
                    "it under 'principles', or take it from one place only."
                )
    return Part(principles, origins)


def compose(
    file: ConstitutionFile,
    path: Path,
    parent_of: Callable[[str], Constitution],
    principles_root: Path | None = None,
) -> Constitution:
    """Put every principle in place.

    Parents come first, then families; from both together `remove` takes away and `override`
    changes. The file's own principles are added last and may not repeat an id.

    Args:
        file: as written.
        path: where it lies; families are searched beside it.
        parent_of: loads an entry of `extends`.
        principles_root: see `cai.constitution.load_constitution`.

    Raises:
        ConfigError: an entry chooses nothing, an id comes twice, or there is no principle.
    """
    parents = [parent_of(ref) for ref in file.extends]
    folders = family_folders(path, principles_root)
    parts = [
        *(Part.of(parent.principles, parent.label) for parent in parents),
        *(Part.of(selected(i, path, folders), f"family {i.family}") for i in file.include),
    ]
    reached = sorted({one for part in parts for one in part.principles})
    available = [p for part in parts for p in part.principles.values()]
    _require_chosen("remove", file.remove, available, path)
    inherited = merge((part.without(file.remove) for part in parts), str(path))
    inherited = _overridden(inherited, file.override, reached, path)
    own = _own(file, inherited, path)
    whole = {**inherited.principles, **own.principles}
    if not whole:
        raise ConfigError(
            f"{path}: there is no principle. Add an entry under 'include', 'extends' or "
            "'principles'."
        )
    ordered = sorted(whole)
    _require_chosen("priorities", file.priorities, whole.values(), path)
    return Constitution(
        name=file.name,
        version=file.version,
        summary=file.summary,
        principles=tuple(whole[one] for one in ordered),
        preamble=file.preamble or _last([p.preamble for p in parents], ""),
        priorities=file.priorities or _last([p.priorities for p in parents], ()),
        aggregate=file.aggregate or _last([p.aggregate for p in parents], None),
        origins={one: {**inherited.origins, **own.origins}[one] for one in ordered},
    )


def _own(file: ConstitutionFile, inherited: Part, path: Path) -> Part:
    ids = [p.id for p in file.principles]
    for one in ids:
        if ids.count(one) > 1:
            raise ConfigError(
                f"{path}: principle '{one}' comes twice under 'principles'. An id may occur once. "
                "Remove one, or give it another id."
            )
        if one in inherited.principles:
            raise ConfigError(
                f"{path}: principle '{one}' comes twice: from '{inherited.origins[one]}' and from "
                "'its own principles'. To change it, write it under 'override'; to replace it, "
                f"add 'remove: [{one}]'; otherwise give it another id."
            )
    return Part.of(file.principles, "own")


def _overridden(
    part: Part, overrides: Sequence[Override], reached: Sequence[str], path: Path
) -> Part:
    principles = dict(part.principles)
    for override in overrides:
        chosen = [one for one, p in principles.items() if chosen_by(override.id, p)]
        if not chosen:
            gone = " It is under 'remove'." if override.id in reached else ""
            raise ConfigError(
                f"{path}: override of '{override.id}': no parent or family brings such a "
                f"principle.{gone} Known: {listed(sorted(principles))}."
                f"{nearest(override.id, principles)} Correct the id, or remove the entry."
            )
        for one in chosen:
            principles[one] = principles[one].model_copy(update=override.changes)
    return Part(principles, part.origins)


def _require_chosen(
    key: str, patterns: Iterable[str], principles: Iterable[Principle], path: Path
) -> None:
    known = list(principles)
    for pattern in patterns:
        if pattern.startswith("tag:"):
            tags = sorted({tag for p in known for tag in p.tags})
            require_matches("tag", [pattern[4:]], tags, f"{path}: {key}")
        else:
            require_matches("id", [pattern], sorted({p.id for p in known}), f"{path}: {key}")


def _last(given: Sequence[_T], otherwise: _T) -> _T:
    """What the last parent that says something says."""
    return next((one for one in reversed(given) if one), otherwise)
