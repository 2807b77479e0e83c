"""`cai judge calibrate`: fit the judge's probabilities to people's labels of dev prompts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from cai.validation.calibration import Calibration
    from cai.validation.statistics.intervals import Interval

__all__ = ["MethodName", "calibrate"]


class MethodName(StrEnum):
    """Maps that can be fitted."""

    auto = "auto"
    temperature = "temperature"
    platt = "platt"
    isotonic = "isotonic"


def calibrate(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    method: Annotated[
        MethodName,
        typer.Option(help="Which map; 'auto' takes the one that foretells unseen labels best."),
    ] = MethodName.auto,
    draws: Draws = 2000,
) -> None:
    """Fit a map from the judge's probabilities to what people say, and keep it in the run.

    Labels by people on dev prompts are used, and no held-out ones. The share of AI labels that
    people contradict is kept as well: cai train dpo takes it for loss robust or cdpo.

    Example: cai judge calibrate runs/published --method temperature
    """
    from cai.store import RunStore
    from cai.validation.calibration import calibrate as fit
    from cai.validation.settings import settings_of

    # Opening would make a run of a folder that is none.
    RunStore.read(run).close()
    with RunStore.open(run) as store:
        found = fit(store, method.value, gold=settings_of(store).gold, draws=draws)
    _print(run, found)


def _print(run: Path, found: Calibration) -> None:
    from cai.cli.judge.tables import share
    from cai.cli.tables import print_heading, print_table, print_text
    from cai.validation.statistics.intervals import Interval

    stored, noise = found.stored, found.stored.noise
    fitted = stored.map
    slope = f", slope {fitted.slope:.3f}" if fitted.method in ("temperature", "platt") else ""
    print_heading(f"Calibration of the judge in {run}")
    rate = "not run: fewer than 20 of these verdicts name a winner"
    if noise:
        rate = share(Interval(noise.rate, noise.low, noise.high)) + f" of {noise.n:,} pairs"
    print_table(
        ("What", "How much"),
        [
            ("Labels by people on dev pairs", f"{stored.n:,} of {stored.groups:,} prompt groups"),
            ("Map", f"{fitted.method}{slope}"),
            ("AI labels that people contradict", rate),
        ],
    )
    print_table(
        ("On unseen prompts", "Before", "After"),
        [
            ("Calibration error", _figure(found.before.ece), _figure(found.after.ece)),
            (
                "  of these pairs, chance included",
                *(f"{one.ece_of_pairs:.3f}" for one in (found.before, found.after)),
            ),
            ("Brier score", _figure(found.before.brier), _figure(found.after.brier)),
            ("Log loss", _figure(found.before.nll), _figure(found.after.nll)),
        ],
    )
    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in found.losses.items())
    print_text(f"Log loss by method, cross-fitted: {losses}.")


def _figure(interval: Interval | None) -> str:
    if interval is None:
        return "not run"
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
