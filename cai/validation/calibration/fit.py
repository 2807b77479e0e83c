"""Fitting a run's judge to the labels that people gave to pairs of dev prompts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from cai.errors import UsageError
from cai.hashing import content_hash
from cai.store.calibrated import (
    CalibrationMap,
    CalibrationMethod,
    LabelNoise,
    StoredCalibration,
    write_calibration,
)
from cai.validation.bias.means import share_interval
from cai.validation.bias.orders import credit
from cai.validation.bias.pairs import read_judged
from cai.validation.calibration.maps import fit_isotonic, fit_platt, fit_temperature
from cai.validation.calibration.scores import Scores, cross_fit, log_loss, scores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from cai.store import RunStore
    from cai.validation.bias.records import JudgedPair
    from cai.validation.table import GoldMethod

    Floats = NDArray[np.float64]

__all__ = ["METHODS", "Calibration", "MethodChoice", "calibrate"]

MethodChoice = Literal["auto", "temperature", "platt", "isotonic"]
METHODS: tuple[MethodChoice, ...] = get_args(MethodChoice)

_FEWEST = 20
"""Labelled dev pairs without which no map is fitted, and decided ones without which the noise of
their labels is not estimated."""


def _untouched(_p: Floats, _target: Floats) -> CalibrationMap:
    return CalibrationMap()


_FITS: Mapping[CalibrationMethod, Callable[..., CalibrationMap]] = {
    "identity": _untouched,
    "temperature": fit_temperature,
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted, and how good it is on pairs whose prompts it has not seen.

    Args:
        stored: the map, as the run keeps it, fitted on all labels.
        before: of the judge's own probabilities.
        after: of calibrated ones, each by a map without the pair's prompt group.
        losses: cross-fitted log loss of every method that was tried.
    """

    stored: StoredCalibration
    before: Scores
    after: Scores
    losses: Mapping[CalibrationMethod, float]


def calibrate(
    store: RunStore,
    method: MethodChoice = "auto",
    *,
    gold: GoldMethod = "majority",
    folds: int = 5,
    draws: int = 2000,
    seed: int = 0,
) -> Calibration:
    """Fit a map from p to what people say, and keep it in the run with the label noise.

    Labels by people on dev prompts alone: held-out ones stay unseen. `auto` takes the method with
    the least cross-fitted log loss, p itself among them; that loss is then a little too good, as
    the best of four.

    Args:
        store: the run, open for writing.
        method: which map.
        gold: how several labels of a pair become one.
        folds: of the cross-fit.
        draws: bootstrap samples of each interval.
        seed: of the draws.

    Raises:
        UsageError: the method is unknown, or people have labelled too few dev pairs.
        StoreError: the run cannot be read or written, or is a shard.
    """
    if method not in METHODS:
        raise UsageError(f"Got the method '{method}'. Allowed: {', '.join(METHODS)}.")
    judged = read_judged(store, "calibration", method=gold, kinds=("human",))
    pairs = [pair for pair in judged.pairs if pair.p is not None and pair.gold is not None]
    groups = [pair.group for pair in pairs]
    _check(store, len(pairs), len(set(groups)))
    p, target = np.array([q.p for q in pairs]), np.array([q.gold for q in pairs])
    chosen, after_p, losses = _best(p, target, groups, method, folds)
    options = {"draws": draws, "seed": seed}
    before = scores(p, target, groups, **options)
    after = scores(after_p, target, groups, **options)
    stored = StoredCalibration(
        map=_FITS[chosen](p, target),
        n=len(pairs),
        groups=len(set(groups)),
        labels=content_hash(sorted([q.id, q.group, q.p, q.gold] for q in pairs)),
        plan=store.meta("plan"),
        epoch=store.meta("epoch"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        figures={"before": asdict(before), "after": asdict(after), "losses": losses},
        noise=_noise(pairs, **options),
    )
    write_calibration(store, stored)
    return Calibration(stored, before, after, losses)


def _best(
    p: Floats, target: Floats, groups: list[str], method: MethodChoice, folds: int
) -> tuple[CalibrationMethod, Floats, dict[CalibrationMethod, float]]:
    """The method, its cross-fitted probabilities, and the log loss of every method tried."""
    tried = tuple(_FITS) if method == "auto" else ("identity", method)
    fitted = {name: cross_fit(p, target, groups, _FITS[name], folds) for name in tried}
    losses = {name: log_loss(values, target) for name, values in fitted.items()}
    chosen = min(losses, key=lambda name: losses[name]) if method == "auto" else method
    return chosen, fitted[chosen], losses


def _noise(pairs: list[JudgedPair], *, draws: int, seed: int) -> LabelNoise | None:
    """Share of verdicts with a winner that people contradict; a tie of theirs is half of one."""
    decided = [q for q in pairs if q.outcome in ("first", "second") and q.gold is not None]
    groups = [pair.group for pair in decided]
    wrong = [1.0 - credit(float(q.outcome == "first"), float(q.gold or 0.0)) for q in decided]
    if len(decided) < _FEWEST:
        return None
    found = share_interval(wrong, groups, draws=draws, seed=seed)
    if found is None:
        return None
    return LabelNoise(found.estimate, found.low, found.high, len(decided), len(set(groups)))


def _check(store: RunStore, labels: int, groups: int) -> None:
    if labels >= _FEWEST and groups >= 2:
        return
    raise UsageError(
        f"Got {labels} pairs of dev prompts with a verdict and a label by people, of {groups} "
        f"prompt groups, in {store.folder}. Allowed: at least {_FEWEST} labelled pairs of dev "
        "prompts, of at least 2 prompt groups. Labels of held-out prompts are not used to fit "
        "anything: label more pairs of dev prompts, or import the pairs (cai import) into a new "
        "run folder with a larger share in dev, --set split.dev=0.5; a run keeps its split."
    )
