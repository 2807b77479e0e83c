"""The gate before AI labels: whether people have validated what is about to be trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cai.errors import GateError

if TYPE_CHECKING:
    from cai.store.gate import GateVerdict
    from cai.train.settings import SourceConfig, TrainConfig

__all__ = ["Standing", "Validation", "check_gate", "standing_of"]

_TOLD = (
    "To train on unvalidated labels all the same, add --allow-unvalidated (gate: report in a "
    "config); the model card will say so."
)


@dataclass(frozen=True, slots=True)
class Validation:
    """What people's labels said about AI labels that do not lie in a run.

    Args:
        passed: whether the gate lets the labels through.
        labels: how many human labels that rests on.
        label_noise: estimated share of wrong AI labels, if it was estimated.
    """

    passed: bool
    labels: int
    label_noise: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far people have validated the labels of one source.

    Args:
        validated: whether they may be trained on.
        said: why, in words for the card and for errors.
        labels: pairs that people have labelled.
        noise: share of the labels that people contradict; None where it was not estimated.
    """

    validated: bool
    said: str
    labels: int = 0
    noise: float | None = None


def standing_of(source: SourceConfig, validation: Validation | None) -> Standing:
    """What people have said about the labels of a source.

    Raises:
        StoreError: the run cannot be read.
    """
    if source.run is not None:
        found = _of_run(Path(source.run))
        if found.noise is None and validation is not None:
            return replace(found, noise=validation.label_noise)
        return found
    if source.origin == "human":
        return Standing(validated=True, said="labels by people", noise=0.0)
    if validation is None:
        return Standing(validated=False, said="not validated: people have not been asked")
    said = "passed" if validation.passed else "not passed"
    return Standing(
        validated=validation.passed,
        said=f"gate {said} with {validation.labels} pairs",
        labels=validation.labels,
        noise=validation.label_noise,
    )


def check_gate(config: TrainConfig, standings: list[Standing]) -> None:
    """Refuse sources whose AI labels people have not validated, unless the config allows them.

    Raises:
        GateError: a source is not validated.
    """
    if config.gate == "report":
        return
    for source, standing in zip(config.data, standings, strict=True):
        if not standing.validated:
            raise GateError(
                f"{source.run or source.file}: {standing.said}. {_advice(source)} {_TOLD}"
            )


def _of_run(folder: Path) -> Standing:
    from cai.store import RunStore
    from cai.store.calibrated import read_calibration
    from cai.store.gate import read_gate

    with RunStore.read(folder) as store:
        found, fitted = read_gate(store), read_calibration(store)
    noise = fitted.noise.rate if fitted and fitted.noise else None
    return replace(_by_gate(found), noise=noise)


def _by_gate(found: tuple[GateVerdict, bool] | None) -> Standing:
    if found is None:
        return Standing(validated=False, said="not validated: people have not been asked")
    verdict, holds = found
    if not holds:
        return Standing(
            validated=False,
            said="not validated: labels, plan, run or toolkit have changed since the verdict",
        )
    if verdict.passed:
        return Standing(True, verdict.passed_with, verdict.labels)
    failed = "; ".join(f"{c.name}: {c.found}" for c in verdict.checks if not c.passed)
    return Standing(False, f"gate not passed ({failed})", verdict.labels)


def _advice(source: SourceConfig) -> str:
    if source.run is None:
        return "Train from the run itself, whose gate can be looked up."
    run = source.run
    return (
        f"Have a sample labelled (cai validate plan {run}, cai review {run}), then ask the gate: "
        f"cai validate {run} --gate."
    )
