"""Which answers the judge's own model wrote, as far as a run knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cai.validation.exchange.published import generators_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.records import Pair
    from cai.store import RunStore

__all__ = ["Authors"]

_JUDGES = ("judge", "judges")
"""Roles of those who judge: one, or the members of a panel, `judges.<name>`."""
_GIVEN = "given:"
"""Begins the fingerprint of answers that were there before the run."""


@dataclass(frozen=True, slots=True)
class Authors:
    """Who answers, revises and judges in a run.

    Args:
        judge: names of the judge's model: its fingerprint, and as a config names it; with a panel
            those of all members.
        policy: fingerprint of whoever answers.
        critic: fingerprint of whoever revises.
        generators: models that wrote given answers, by pair.
    """

    judge: frozenset[str]
    policy: str
    critic: str
    generators: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, store: RunStore) -> Authors:
        """Read it from the facts of a run."""
        found: Mapping[str, str] = store.meta("fingerprints") or {}
        asked = store.meta("asked") or {}
        judge = {name for role, name in found.items() if role.partition(".")[0] in _JUDGES}
        judge |= {str(asked.get("models.judge.model", ""))}
        judge -= {""}
        return cls(
            frozenset(judge | {_short(name) for name in judge}),
            found.get("policy", ""),
            found.get("critic", ""),
            generators_of(store),
        )

    @property
    def given(self) -> bool:
        """Whether the answers were there before the run."""
        return self.policy.startswith(_GIVEN)

    def own(self, pair: Pair) -> Literal["", "first", "second", "both"]:
        """The answers of a pair that the judge's model wrote."""
        if self.given:
            first, second = (self._is_judge(n) for n in self.generators.get(pair.id, ("", "")))
        else:
            first = self._is_judge(self.policy)
            second = self._is_judge(self.critic) if pair.kind == "revision" else first
        if first and second:
            return "both"
        return "first" if first else "second" if second else ""

    def _is_judge(self, name: str) -> bool:
        return bool(name) and bool({name, _short(name)} & self.judge)


def _short(name: str) -> str:
    """The last part of a name, in small letters: `org/Model-7B` → `model-7b`."""
    return name.rstrip("/").rpartition("/")[2].lower()
