"""From the config to engines: one per model, shared by the roles that name the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cai.errors import CaiError, ConfigError, MissingExtraError

if TYPE_CHECKING:
    from cai.config import ModelConfig, ModelsConfig
    from cai.engines.base import Engine

__all__ = ["Engines", "open_engine", "open_engines", "open_judges"]


@dataclass(frozen=True)
class Engines:
    """The models of a run by role. One object may play several roles.

    A panel `judges` compares answers in place of `judge`, which is its first member where a config
    describes it. `fallback_judge` is asked where they refuse.
    """

    policy: Engine
    critic: Engine
    judge: Engine
    judges: tuple[Engine, ...] = ()
    fallback_judge: Engine | None = None

    @property
    def judging(self) -> dict[str, Engine]:
        """Those that judge, by role: `judge`, or `judges.0` …, and `fallback_judge`."""
        judging = {f"judges.{i}": e for i, e in enumerate(self.judges)} or {"judge": self.judge}
        if self.fallback_judge is not None:
            judging["fallback_judge"] = self.fallback_judge
        return judging

    @property
    def roles(self) -> dict[str, Engine]:
        """All of them by role, as `ModelsConfig.roles` names them."""
        return {"policy": self.policy, "critic": self.critic, **self.judging}

    @property
    def distinct(self) -> tuple[Engine, ...]:
        """Each engine once, in the order of the roles."""
        return tuple({id(e): e for e in self.roles.values()}.values())

    async def start(self) -> None:
        """Start all; stops those that started when one cannot.

        The message of an error begins with the roles of the engine that cannot start.

        Raises:
            FatalEngineError: as the engine's `start`.
            MissingExtraError: as the engine's `start`.
        """
        try:
            for engine in self.distinct:
                try:
                    await engine.start()
                except CaiError as error:
                    players = [role for role, its in self.roles.items() if its is engine]
                    raise _for_roles(error, players) from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close all, even when one fails to; the first failure is raised afterwards."""
        closing = (engine.close() for engine in self.distinct)
        for failure in await asyncio.gather(*closing, return_exceptions=True):
            if failure is not None:
                raise failure


def open_engine(config: ModelConfig) -> Engine:
    """The engine that a config describes, not yet started.

    Raises:
        ConfigError: keys of the config do not go together.
        MissingExtraError: the packages that the engine needs are not installed.
    """
    if config.engine == "scripted":
        from cai.engines.scripted import ScriptedEngine

        return ScriptedEngine(name=config.model)
    if config.engine == "openai":
        from cai.engines.openai import OpenAIEngine

        return OpenAIEngine(
            config.model,
            base_url=config.base_url,
            api_key_env=config.api_key_env,
            timeout_s=config.timeout_s,
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
            billing=config.billing,
            api=config.api,
        )
    if config.base_url is not None:
        raise ConfigError(
            f"The engine '{config.engine}' runs in this process and takes no base_url (got "
            f"{config.base_url}). Set engine: openai to ask that server, or remove base_url."
        )
    if config.engine == "vllm":
        return _open_vllm(config)
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtraError("The engine 'transformers'", "local")
    from cai.engines.transformers import TransformersEngine

    return TransformersEngine(
        config.model,
        revision=config.revision,
        dtype=config.dtype,
        device=config.device,
        batch_size=config.batch_size,
        trust_remote_code=config.trust_remote_code,
    )


def _open_vllm(config: ModelConfig) -> Engine:
    from cai.engines.inprocess.vllm_options import missing_vllm

    if find_spec("vllm") is None:
        raise missing_vllm()
    from cai.engines.vllm import VllmEngine

    return VllmEngine(
        config.model,
        revision=config.revision,
        dtype=config.dtype,
        device=config.device,
        # The default suits the other engine; vLLM's own is larger.
        batch_size=config.batch_size if "batch_size" in config.model_fields_set else None,
        trust_remote_code=config.trust_remote_code,
        options=config.vllm,
    )


def open_engines(models: ModelsConfig) -> Engines:
    """Engines for all roles; roles with equal configs share one.

    Raises:
        ConfigError: as `open_engine`; the message begins with the roles.
        MissingExtraError: as `open_engine`; the message begins with the roles.
    """
    configs = models.roles
    opened: dict[ModelConfig, Engine] = {}
    for config in configs.values():
        if config in opened:
            continue
        try:
            opened[config] = open_engine(config)
        except CaiError as error:
            players = [role for role, its in configs.items() if its == config]
            raise _for_roles(error, players) from error
    judges = tuple(opened[config] for config in models.judges)
    fallback = models.fallback_judge
    return Engines(
        opened[configs["policy"]],
        opened[configs["critic"]],
        judges[0] if judges else opened[configs["judge"]],
        judges,
        opened[fallback] if fallback else None,
    )


def open_judges(models: ModelsConfig) -> Engines:
    """Engines for the roles that judge; no other model is opened.

    Raises:
        ConfigError: as `open_engine`.
        MissingExtraError: as `open_engine`.
    """
    judges = tuple(map(open_engine, models.judging))
    judge, panel = judges[0], judges if models.judges else ()
    fallback = open_engine(models.fallback_judge) if models.fallback_judge else None
    return Engines(judge, judge, judge, panel, fallback)


def _for_roles(error: CaiError, players: list[str]) -> CaiError:
    """The same kind of error, with a message that begins with the roles."""
    *others, last = players
    who = f"{', '.join(others)} and {last}" if others else last
    # Built without __init__, which differs between the classes. The original may be raised again
    # by its engine, and must not collect a prefix each time.
    named = type(error).__new__(type(error), f"The model for {who}: {error}")
    named.__dict__.update(error.__dict__)
    return named
