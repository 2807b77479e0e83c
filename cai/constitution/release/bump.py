"""By how much a version is raised: the least that the changes ask for, or more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import semver

from cai.constitution.diff import Bump, Fact
from cai.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Step",
    "Wish",
    "chosen_bump",
    "chosen_version",
    "fact_lines",
    "first_version",
    "next_version",
    "require_enough",
    "required",
    "step_between",
]

Step = Literal["first", "patch", "minor", "major"]
Wish = Literal["auto", "patch", "minor", "major"]

_ORDER = get_args(Bump)


def required(base: str, facts: Sequence[Fact]) -> Bump | None:
    """The least bump that follows from the changes; None when there are none.

    See `cai.constitution.diff.BUMPS` for each kind of change. Below 1.0.0 a minor bump is enough
    for everything, because `^0.2` ends at 0.3.0.
    """
    found: Bump | None = max((f.bump for f in facts), key=_ORDER.index, default=None)
    early = semver.Version.parse(base).major == 0
    return "minor" if early and found == "major" else found


def chosen_bump(base: str, facts: Sequence[Fact], wish: Wish) -> Bump:
    """What an author wishes, as long as it is enough.

    Raises:
        ConfigError: nothing has changed, or the wish is too small.
    """
    least = required(base, facts)
    if least is None:
        raise ConfigError(
            f"Nothing has changed since {base}: the principles and all that belongs to them are "
            "the same. Comments, layout and changelog of a file are no reason for a release."
        )
    step = least if wish == "auto" else wish
    require_enough(step, base, facts, "Leave --bump out, or raise it.")
    return step


def require_enough(step: Bump, base: str, facts: Sequence[Fact], fix: str) -> None:
    """Refuse a bump that is too small.

    Raises:
        ConfigError: the changes ask for more; the message lists them.
    """
    least = required(base, facts)
    if least and _ORDER.index(step) < _ORDER.index(least):
        raise ConfigError(
            f"A {step} version after {base} is too small; the changes ask for {least}. {fix} "
            "What has changed:\n" + "\n".join(fact_lines(facts))
        )


def fact_lines(facts: Sequence[Fact]) -> list[str]:
    """One line for each change, those that ask for most first."""
    ordered = sorted(facts, key=lambda fact: -_ORDER.index(fact.bump))
    return [f"  {fact.bump:<5}  {fact.sentence}" for fact in ordered]


def chosen_version(base: str, said: str, step: Bump, wish: Wish) -> tuple[Bump, str, str]:
    """The version after a release: the draft's own where it is high enough, and else the next one.

    Args:
        base: the newest release.
        said: the version that the draft says.
        step: what is raised at least, see `chosen_bump`.
        wish: of the author. A number that is named is raised, whatever the draft says.

    Returns:
        What is raised, the version, and a remark where the draft says another one. There is none
        for the newest release, which a draft goes on from, nor below 0.1.0, which says nothing.
    """
    old, own = semver.Version.parse(base), semver.Version.parse(said)
    following = next_version(base, step)
    raised = step_between(base, said)
    if own > old and (
        raised == step or (wish == "auto" and _ORDER.index(raised) > _ORDER.index(step))
    ):
        return raised, said, ""
    if said == base or own < semver.Version(0, 1, 0):
        return step, following, ""
    if own <= old:
        why = f"is not above {base}"
    elif wish == "auto":
        why = f"raises {base} too little"
    else:
        why = f"does not fit --bump {wish}"
    return step, following, f"The draft says 'version: {said}', which {why}: {following} instead."


def next_version(base: str, step: Bump) -> str:
    """The version after a release."""
    version = semver.Version.parse(base)
    bumped = {"major": version.bump_major, "minor": version.bump_minor, "patch": version.bump_patch}
    return str(bumped[step]())


def first_version(said: str) -> str:
    """The version of a first release: what the draft says from 0.1.0 on, and else 1.0.0."""
    version = semver.Version.parse(said)
    return said if version.finalize_version() >= semver.Version(0, 1, 0) else "1.0.0"


def step_between(base: str, version: str) -> Bump:
    """Which number was raised."""
    old, new = semver.Version.parse(base), semver.Version.parse(version)
    if old.major != new.major:
        return "major"
    return "minor" if old.minor != new.minor else "patch"
