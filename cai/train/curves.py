"""The curves of a training as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.errors import MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    from cai.train.log import TrainLog

__all__ = ["draw_curves"]

_NEVER = frozenset({"step", "epoch"})
_COLUMNS = 3
_BOUNDS = ("_low", "_high")


def draw_curves(log: TrainLog, path: Path) -> None:
    """Draw every figure that changes over the steps, that of dev (`eval_…`) into the same panel.

    The bounds of an interval (`…_low`, `…_high`) are a band around their figure.

    Args:
        log: of the training.
        path: of the PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("curves", "train") from error
    panels = _panels(log)
    rows = max(1, -(-len(panels) // _COLUMNS))
    figure = Figure(figsize=(4.2 * _COLUMNS, 2.6 * rows), layout="constrained")
    for position, name in enumerate(panels, 1):
        axes = figure.add_subplot(rows, _COLUMNS, position)
        axes.set_title(name.replace("$", r"\$"), fontsize=9)
        axes.set_xlabel("optimiser step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        for column, label, colour in ((name, "training", "C0"), (f"eval_{name}", "dev", "C1")):
            if points := _points(log, column):
                marker = "o" if len(points) < 30 else None
                axes.plot(*zip(*points, strict=True), colour, label=label, marker=marker, ms=3)
                if band := _band(log, column):
                    steps, low, high = zip(*band, strict=True)
                    axes.fill_between(steps, low, high, color=colour, alpha=0.15)
        if _points(log, f"eval_{name}"):
            axes.legend(fontsize=7)
    figure.savefig(path, dpi=90)


def _panels(log: TrainLog) -> list[str]:
    """What is worth a panel: a curve needs two points, and two values."""
    names = dict.fromkeys(
        name.removeprefix("eval_") for row in log.rows for name in row if name not in _NEVER
    )
    return [
        name
        for name in names
        if not (name.endswith(_BOUNDS) and name.rpartition("_")[0] in names)
        and any(
            len({value for _, value in _points(log, column)}) > 1
            for column in (name, f"eval_{name}")
        )
    ]


def _points(log: TrainLog, name: str) -> list[tuple[float, float]]:
    return [(row["step"], row[name]) for row in log.rows if name in row and "step" in row]


def _band(log: TrainLog, name: str) -> list[tuple[float, float, float]]:
    low, high = (f"{name}{bound}" for bound in _BOUNDS)
    return [(row["step"], row[low], row[high]) for row in log.rows if {low, high} <= row.keys()]
