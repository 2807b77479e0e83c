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


def draw_curves(log: TrainLog, path: Path) -> None:
    """Draw every figure of a log over its steps; those of dev (`eval_…`) into the same panel.

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
    names = dict.fromkeys(
        name.removeprefix("eval_") for row in log.rows for name in row if name not in _NEVER
    )
    # A curve needs two points; what was measured once is on the card.
    panels = [n for n in names if max(len(_points(log, n)), len(_points(log, f"eval_{n}"))) > 1]
    rows = max(1, -(-len(panels) // _COLUMNS))
    figure = Figure(figsize=(4.2 * _COLUMNS, 2.6 * rows), layout="constrained")
    for position, name in enumerate(panels, 1):
        axes = figure.add_subplot(rows, _COLUMNS, position)
        axes.set_title(name.replace("$", r"\$"), fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        for column, label in ((name, "training"), (f"eval_{name}", "dev")):
            if points := _points(log, column):
                marker = "o" if len(points) < 30 else None
                axes.plot(*zip(*points, strict=True), label=label, marker=marker, markersize=3)
        if _points(log, f"eval_{name}"):
            axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def _points(log: TrainLog, name: str) -> list[tuple[float, float]]:
    return [(row["step"], row[name]) for row in log.rows if name in row and "step" in row]
