"""What the models of a config call themselves, as far as a stored run tells it without a start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.config import asked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cai.config import Config, ModelConfig
    from cai.engines import Engines

__all__ = ["foreseen", "named_engines", "section_of"]


def foreseen(
    config: Config, before: Config | None, fingerprints: Mapping[str, str]
) -> dict[str, str]:
    """The fingerprint of each role.

    A model whose section is unchanged keeps the one that is stored, as does one that played
    another role. Models at servers and scripted ones are called as the config calls them. Any other
    has a name here that no stored answer has: what it is called is known when it has started.

    Args:
        config: names the models.
        before: the config of the stored run; None where there is no run.
        fingerprints: of the stored run, by role.
    """
    then = dict(before.models.roles) if before else {}
    told = {role: name for role, name in fingerprints.items() if role in then}
    found = {}
    for role, model in config.models.roles.items():
        played = [role] if role in told else []
        played += [other for other in told if other != role]
        same = (told[r] for r in played if section_of(then[r]) == section_of(model))
        found[role] = next(same, None) or _by_name(model) or f"not started/{role}"
    return found


def section_of(model: ModelConfig) -> dict[str, Any]:
    """The keys of a model that may decide what it is called."""
    return {key: value for key, value in asked(model).items() if key != "logprobs"}


def _by_name(model: ModelConfig) -> str | None:
    from cai.engines import open_engine

    if model.engine not in ("openai", "scripted"):
        return None
    # Engines of servers are made without reaching them.
    return open_engine(model).fingerprint


def named_engines(fingerprints: Mapping[str, str]) -> Engines:
    """Engines that answer nothing of use and have these fingerprints, to make a plan with."""
    from cai.engines import Engines, ScriptedEngine

    def named(role: str) -> ScriptedEngine:
        engine = ScriptedEngine()
        engine.fingerprint = fingerprints[role]
        return engine

    panel = tuple(named(role) for role in fingerprints if role.startswith("judges."))
    return Engines(
        named("policy"),
        named("critic"),
        panel[0] if panel else named("judge"),
        panel,
        named("fallback_judge") if "fallback_judge" in fingerprints else None,
    )
