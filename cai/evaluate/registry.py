"""The evaluations by name, for whoever carries out several of them from one config.

An evaluation registers itself with a line in `_HOMES`: the module whose `EVALUATION` says how it is
carried out. That module is imported when the evaluation is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import Field

from cai.config.section import Section
from cai.errors import ConfigError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from cai.evaluate.records import Subject
    from cai.evaluate.results import Result
    from cai.evaluate.session import Session

    Tick = Callable[[str, int], None]
    Measure = Callable[[Session, Sequence[Subject], Any, Tick], Coroutine[Any, Any, Result]]

__all__ = ["Evaluation", "EvaluationSettings", "find_evaluation", "known_evaluations"]

_HOMES = {
    "refusal": "cai.evaluate.registered.refusal",
    "winrate": "cai.evaluate.registered.winrate",
    "adherence": "cai.evaluate.registered.adherence",
    "probes": "cai.evaluate.registered.probes",
    "tax": "cai.evaluate.registered.tax",
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
    subjects are needed.
    """

    settings: type[EvaluationSettings]
    measure: Measure
    read: Callable[[Any], object]
    fewest: int = 1


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
