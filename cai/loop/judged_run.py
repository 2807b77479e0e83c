"""How a stored run judges: its config, its constitution, and how several verdicts became one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cai.config import parse_config
from cai.constitution.models import Constitution
from cai.errors import ConfigError
from cai.hashing import content_hash
from cai.judge.repool import Pooling
from cai.loop.judging import FALLBACK, aggregate_of
from cai.yaml import parse_model

if TYPE_CHECKING:
    from typing import Self

    from cai.config import Config
    from cai.constitution.models import Aggregate
    from cai.store import RunStore

__all__ = ["JudgedRun"]

_DECIDES = (
    *("constitution", "judge.", "loop.seed", "models.fallback_judge", "models.judge"),
    *("prompts.principles", "reading", "templates.judge", "templates.score"),
)
"""Beginnings of the keys of `asked` that decide a verdict under one principle …"""
_DECIDES_NOT = ("judge.aggregate", "judge.principles", "judge.scope")
"""… and keys that decide only under which principles there are verdicts, and how they add up."""


@dataclass(frozen=True)
class JudgedRun:
    """The judge of a run.

    Args:
        config: of the run.
        constitution: of the run.
        fingerprints: of the models, by role.
        digest: of all that decides a verdict under one principle, except the pair.
    """

    config: Config
    constitution: Constitution
    fingerprints: dict[str, str]
    digest: str

    @classmethod
    def of(cls, store: RunStore) -> Self:
        """Read it from the store.

        Raises:
            ConfigError: config or constitution do not fit this version of the toolkit.
        """
        facts = store.meta("constitution")
        if not isinstance(facts, dict):
            raise ConfigError(f"{store.path} names no constitution. Name the folder of a run.")
        facts = {key: value for key, value in facts.items() if key != "hash"}
        asked = store.meta("asked") or {}
        decides = {
            key: value
            for key, value in asked.items()
            if key.startswith(_DECIDES) and key not in _DECIDES_NOT
        }
        return cls(
            parse_config(store.meta("config"), f"the config in {store.path}"),
            parse_model(Constitution, facts, f"the constitution in {store.path}"),
            dict(store.meta("fingerprints") or {}),
            content_hash(decides),
        )

    @property
    def judges(self) -> dict[str, str]:
        """The fingerprint of every role that judges; a panel stands in the place of the one."""
        found = {r: f for r, f in self.fingerprints.items() if r not in ("policy", "critic")}
        if any(role.startswith("judges.") for role in found):
            found.pop("judge", None)
        return found

    @property
    def asks_several(self) -> bool:
        """Whether the run asks in several questions, under one principle each, where it can."""
        judge = self.config.judge
        return judge.scope == "each" or (judge.scope == "drawn" and judge.principles > 1)

    @property
    def pooling(self) -> Pooling:
        """How the verdicts of the run are put together."""
        judge = self.config.judge.model_copy(
            update={"aggregate": aggregate_of(self.config, self.constitution)}
        )
        return Pooling.of(judge, self.constitution, self.fingerprints.get(FALLBACK, ""))

    def every(self) -> JudgedRun:
        """The same judge, asked under each principle in a question of its own."""
        judge = self.config.judge.model_copy(
            update={"scope": "each", "aggregate": self._aggregate_of_all()}
        )
        return replace(self, config=self.config.model_copy(update={"judge": judge}))

    def _aggregate_of_all(self) -> Aggregate:
        how = aggregate_of(self.config, self.constitution)
        # Heavier principles are drawn more often. Over all of them that is a weighted mean.
        return "weighted" if how == "mean" and self.config.judge.scope == "drawn" else how
