"""A run over answers that are there already: nothing is sampled, a judge compares them."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from cai.config import ModelConfig, ModelsConfig
from cai.engines.factory import Engines, open_engine
from cai.engines.given import GivenAnswers
from cai.loop.generation import Generation
from cai.loop.plan import load_templates

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from cai.config import Config
    from cai.records import Prompt, Row

__all__ = ["GivenGeneration"]


class GivenGeneration(Generation):
    """A `Generation` whose samples were given; in all else it is a run like any other."""

    def __init__(
        self,
        config: Config,
        answers: Mapping[Prompt, Sequence[str]],
        *,
        name: str,
        update: bool = False,
    ) -> None:
        """Put the answers in place of policy and critic.

        Args:
            config: the whole config, with as many `loop.samples` as each prompt has answers, no
                `loop.rounds`, and pairs of samples alone. Of its models the judge is used.
            answers: by prompt.
            name: of the file that they came from.
            update: as for `Generation`.

        Raises:
            UsageError: as for `Generation`.
            MissingExtraError: the judge's engine needs packages that are not installed.
        """
        models = config.models
        judge = models.judge or models.critic or models.policy
        # No model answers, so the run must name none: the stand-in's engine loads nothing.
        stand_in = ModelConfig(engine="scripted", model="given-answers")
        kept = ModelsConfig(
            policy=stand_in,
            judge=judge,
            judges=models.judges,
            fallback_judge=models.fallback_judge,
        )
        config = config.model_copy(update={"models": kept})
        # The answers are found by what the policy is asked, whatever template asks it.
        template = load_templates(config)["sample"]
        policy = GivenAnswers({template.render({}, p.messages): a for p, a in answers.items()})
        panel = tuple(map(open_engine, models.judges))
        fallback = open_engine(models.fallback_judge) if models.fallback_judge else None
        engines = Engines(
            policy, policy, panel[0] if panel else open_engine(judge), panel, fallback
        )
        super().__init__(config, prompts=list(answers), engines=engines, update=update)
        self.engines = engines
        self.source = replace(self.source, name=name)

    async def stream(self) -> AsyncGenerator[Row]:
        """Yield rows as they are finished; then the judge, which was opened here, is closed."""
        try:
            async with aclosing(super().stream()) as rows:
                async for row in rows:
                    yield row
        finally:
            await self.engines.close()
