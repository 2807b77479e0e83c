"""Ranges of versions, as npm means them: `1.2`, `^1.2`, `~1.2.3`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import semver

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Range", "highest", "parse_range"]

# Nine digits are enough for a version, and few enough for Python to read at once.
_NUMBER = r"(0|[1-9]\d{0,8})"
_RANGE = re.compile(
    rf"([\^~]?){_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(-[0-9A-Za-z.-]+)?)?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Range:
    """Versions from `low` up to, and without, `high`."""

    low: semver.Version
    high: semver.Version

    def admits(self, version: str | semver.Version) -> bool:
        """Whether a version lies in the range. Pre-releases of `high` do not."""
        return self.low <= semver.Version.parse(str(version)) < self.high


def parse_range(text: str) -> Range | None:
    """The range that a text means, None when it is no range.

    | text | from | below |
    | --- | --- | --- |
    | `1`, `~1`, `^1` | 1.0.0 | 2.0.0 |
    | `1.2`, `~1.2` | 1.2.0 | 1.3.0 |
    | `~1.2.3` | 1.2.3 | 1.3.0 |
    | `^1.2` | 1.2.0 | 2.0.0 |
    | `^0.2`, `^0.2.3` | 0.2.0, 0.2.3 | 0.3.0 |
    | `^0.0.3` | 0.0.3 | 0.0.4 |

    A caret lets everything change but the first number that is not 0. Three numbers without a
    sign are one version and no range. Rules: node-semver, "Advanced Range Syntax".
    """
    found = _RANGE.fullmatch(text)
    if not found:
        return None
    sign, *numbers, pre = found.groups()
    given = [int(number) for number in numbers if number is not None]
    if not sign and len(given) == 3:
        return None
    low = ".".join(map(str, given + [0] * (3 - len(given))))
    # What is left out may be anything, pre-releases too; "-0" is the lowest of them.
    low += (pre or "") if len(given) == 3 else "-0"
    if not semver.Version.is_valid(low):
        return None
    fixed = _fixed(given) if sign == "^" else min(len(given), 2)
    high = [*given[: fixed - 1], given[fixed - 1] + 1]
    high += [0] * (3 - len(high))
    return Range(semver.Version.parse(low), semver.Version.parse("{}.{}.{}-0".format(*high)))


def highest(versions: Iterable[str]) -> str | None:
    """The highest release; the highest pre-release only when there is nothing else.

    Args:
        versions: semantic versions in any order.
    """
    parsed = sorted(map(semver.Version.parse, versions))
    releases = [version for version in parsed if version.prerelease is None]
    found = releases or parsed
    return str(found[-1]) if found else None


def _fixed(given: list[int]) -> int:
    """How many of the leading numbers a caret holds fast."""
    return next((i for i, number in enumerate(given, 1) if number), len(given))
