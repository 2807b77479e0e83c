"""The evaluations by name, for whoever carries out several of them from one config.

An evaluation registers itself with a line in `_HOMES`: the module whose `EVALUATION` says how it is
carried out. That module is imported when the evaluation is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from cai.config.section import Section
from cai.errors import ConfigError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from cai.evaluate.records import Subject
    from cai.evaluate.results import Result
    from cai.evaluate.session import Session

    Tick = Callable[[str, int], None]
    Measure = Callable[..., Coroutine[Any, Any, Result]]

__all__ = ["Evaluation", "EvaluationSettings", "find_evaluation", "known_evaluations"]

_HOMES = {
    "refusal": "cai.evaluate.registered.refusal",
    "winrate": "cai.evaluate.registered.winrate",
    "adherence": "cai.evaluate.registered.adherence",
    "probes": "cai.evaluate.registered.probes",
    "two-turn": "cai.evaluate.registered.two_turn",
    "tax": "cai.evaluate.registered.tax",
    "reward-model": "cai.evaluate.registered.reward_model",
}


class EvaluationSettings(Section):
    """What all evaluations can be told; subclasses add keys of their own."""

    limit: int | None = Field(default=None, ge=1)
    """Only so many cases, questions or prompts."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How an evaluation is carried out.

    `settings` are its keys. `measure` takes a session, the subjects, the settings, and a function
    that it calls after each answer with the name of the step and how many it has. It returns the
    result, which is not written yet and says nothing of calls and dollars. `read` reads the files
    that the settings name, so that one that is missing is found before anything is asked. `fewest`
    subjects are needed. Those of an evaluation `of` reward models are such, whose `measure` also
    takes `score`: from a subject, the most tokens that it is shown, and prompts with answers to
    their rewards.
    """

    settings: type[EvaluationSettings]
    measure: Measure
    read: Callable[[Any], object]
    fewest: int = 1
    of: Literal["policies", "reward models"] = "policies"

    async def rehearse(
        self, session: Session, subjects: Sequence[Subject], settings: EvaluationSettings
    ) -> None:
        """Carry it out for what the session is asked; nobody is asked about reward models."""
        if self.of == "policies":
            await self.measure(session, subjects, settings, lambda step, total: None)


def known_evaluations() -> tuple[str, ...]:
    """Names of all evaluations."""
    return tuple(_HOMES)


def find_evaluation(name: str) -> Evaluation:
    """The evaluation of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in _HOMES:
        raise ConfigError(
            f"There is no evaluation '{name}'. Allowed: {', '.join(_HOMES)}.{nearest(name, _HOMES)}"
        )
    found: Evaluation = import_module(_HOMES[name]).EVALUATION
    return found
