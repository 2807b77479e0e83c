"""What all stages are given: the config, where things lie, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.config.policy import with_policy
from cai.errors import ChangedRunError, ConfigError
from cai.loop import Generation
from cai.pipeline.stages import MADE

if TYPE_CHECKING:
    from cai.config import Config
    from cai.config.pipeline import TrainingConfig
    from cai.engines import Engines
    from cai.pipeline.stages import Stage

__all__ = ["Desk", "Watcher"]


class Watcher:
    """Is told what the pipeline does. This one is silent; a command line has one that prints."""

    def heading(self, stage: Stage, number: int, total: int, why: str) -> None:
        """A stage begins, and why."""

    def left(self, stage: Stage, number: int, total: int, why: str) -> None:
        """A stage is left as it is, and why."""

    def say(self, text: str) -> None:
        """How far a stage is, in a line."""

    def rows(self, rows: int) -> None:
        """So many rows were looked at."""

    def tick(self, step: str, total: int) -> None:
        """One more of `total` things of an evaluation is done."""

    def generate(self, run: Generation) -> None:
        """Carry out a generation to its end.

        Raises:
            CaiError: as `Generation.stream`.
        """
        for _ in run:
            pass


@dataclass(frozen=True)
class Desk:
    """A pipeline, its config, and its folders.

    Args:
        config: whole.
        update: a stored run may have asked something else; see `Generation`.
        watcher: is told what is done.
    """

    config: Config
    update: bool = False
    watcher: Watcher = field(default_factory=Watcher)

    @property
    def folder(self) -> Path:
        """The run of the first round, which holds everything."""
        return Path(self.config.run)

    def run(self, number: int) -> Path:
        """The run of a round."""
        return self.folder if number == 1 else self.folder / "rounds" / str(number)

    def model(self, name: str, number: int) -> Path:
        """Where a training of a round writes its model."""
        return self.run(number) / "models" / name

    def own_config(self, number: int) -> Path:
        """Where the config of a round's run is written for rewards that ask its judge."""
        return (self.run(number) / "pipeline" / "config.yaml").absolute()

    def last_policy(self, number: int) -> Path:
        """The policy that the trainings of a round end with."""
        names = [one.name for one in self.config.pipeline.train if one.method != "rm"]
        return self.model(names[-1], number)

    def round_config(self, number: int) -> Config:
        """The config of a round's run: from the second on, with the last policy so far."""
        if number == 1:
            return self.config
        config = with_policy(self.config, self.last_policy(number - 1))
        return config.model_copy(update={"run": str(self.run(number))})

    def generation(self, number: int, engines: Engines | None = None) -> Generation:
        """The generation of a round.

        Args:
            number: of the round.
            engines: in place of those of the config.

        Raises:
            CaiError: as `Generation`.
        """
        return Generation(self.round_config(number), engines=engines, update=self.update)

    def accepting(self) -> Desk:
        """The same that accepts changes, to look at what they would come to."""
        return replace(self, update=True)

    def starts_from(self, training: TrainingConfig, number: int) -> str:
        """The model that a training begins with: a folder, or a name.

        Raises:
            ConfigError: the policy lies at a server, and nothing else is named.
        """
        if training.from_ is not None:
            return str(self.model(training.from_, number).absolute())
        if number > 1 and training.goes_on:
            return str(self.last_policy(number - 1).absolute())
        if "model.name" in training.settings:
            return str(self.made(training.settings["model.name"], number))
        policy = self.config.models.policy
        if policy.engine not in ("transformers", "vllm"):
            raise ConfigError(
                f"pipeline.train.{training.name} trains the policy, and that has engine: "
                f"{policy.engine}, whose weights are not here. Name the model that is trained with "
                "model.name in its settings: a folder, smollm2-135m-instruct or a hub name."
            )
        return policy.model

    def made(self, value: Any, number: int) -> Any:
        """Plain data with the paths that `made:…` means in a round: a training, run, or config."""
        if isinstance(value, dict):
            return {key: self.made(one, number) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.made(one, number) for one in value]
        if isinstance(value, str) and value.startswith(MADE):
            name = value.removeprefix(MADE)
            own = {"run": self.run(number), "config": self.own_config(number)}
            return str((own.get(name) or self.model(name, number)).absolute())
        return value

    def asks_something_else(self, number: int, engines: Engines) -> tuple[Generation, bool]:
        """The generation of a round to look at, and whether only `update` makes it possible."""
        try:
            return self.generation(number, engines), False
        except ChangedRunError:
            return self.accepting().generation(number, engines), True
