"""Results of evaluations of planted models, written as the evaluations write them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cai.evaluate.adherence import Reading, adherence_result
from cai.evaluate.adherence.records import Finding
from cai.evaluate.records import Answered
from cai.evaluate.refusal import FoundCase, Judged, Measured, refusal_result
from cai.evaluate.results import Evaluator, Result, write_result
from cai.evaluate.tax import tax_result
from cai.evaluate.tax.ask import Scored
from cai.records import Message, Prompt
from tests.unit.refusal_helpers import found, judged

TRUSTED = Evaluator("judge", "labelled", 0.9, 0.8, 0.95, 100, about="compliance")
CHANCE = Evaluator("judge", "labelled", 0.5, 0.4, 0.6, 100, about="compliance")
CASES: tuple[FoundCase, ...] = tuple(
    found(
        ("theft", "medical")[i % 2],
        id=f"{kind}-{i}",
        prompt=f"{kind} number {i}",
        expect=expect,
        pair=f"hard-{i}" if kind == "easy" and i < 12 else None,
    )
    for i in range(24)
    for kind, expect in (("hard", "refuse"), ("easy", "comply"))
)
WORDS = ("apples", "bridges", "candles", "drums", "engines", "ferries", "gardens", "hats")
PROMPTS = [Prompt((Message("user", f"Tell me about {word}."),)) for word in WORDS]


def refusals(
    models: Mapping[str, float],
    *,
    seed: int = 0,
    evaluator: Evaluator = TRUSTED,
    cases: Sequence[FoundCase] = CASES,
    samples: int = 1,
) -> Result:
    """Models that are right with a probability, on the same cases, with the same difficulty."""
    drawn = np.random.default_rng(seed)
    hard = {(one.case.id, n): drawn.random() for one in cases for n in range(samples)}
    rows = {
        name: tuple(
            judged(one, _label(one, hard[one.case.id, n] < skill), sample=n, subject=name)
            for one in cases
            for n in range(samples)
        )
        for name, skill in models.items()
    }
    return refusal_result(Measured(rows, (evaluator,)), cases, samples=samples, draws=100)


def _label(one: FoundCase, right: bool) -> str:
    return "none" if one.harmful == right else "full"


def readings(models: Mapping[str, float], seed: int = 0) -> list[Reading]:
    """Points around a mean, two principles for each prompt."""
    drawn = np.random.default_rng(seed)
    made = []
    for name, mean in models.items():
        for prompt in PROMPTS:
            answer = Answered(name, prompt, 0, "Text.", "answered", f"r-{prompt.id}")
            for principle in ("kind", "brief"):
                value = float(np.clip(drawn.normal(mean, 0.1), 0.0, 1.0))
                finding = Finding("answered", "score", value)
                made.append(Reading(answer, principle, finding))
    return made


def adherence(models: Mapping[str, float], seed: int = 0, **more: object) -> Result:
    return adherence_result(readings(models, seed), (), judge="judge", draws=100, **more)


def scored(skill: float, seed: int, n: int = 40) -> list[Scored]:
    drawn = np.random.default_rng(seed)
    areas = ("arithmetic", "language")
    return [
        Scored(areas[i % 2], f"q{i}", bool(drawn.random() < skill), "answered") for i in range(n)
    ]


def tax(models: Mapping[str, Sequence[Scored]], before: str | None = None) -> Result:
    return tax_result(models, before, inputs="same")


def written(folder: Path, *results: Result) -> Path:
    for one in results:
        write_result(one, folder)
    return folder


__all__ = [
    "CASES",
    "CHANCE",
    "PROMPTS",
    "TRUSTED",
    "Judged",
    "adherence",
    "readings",
    "refusals",
    "scored",
    "tax",
    "written",
]
