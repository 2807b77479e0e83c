"""Whether a change keeps within a limit: surely worse, perhaps worse, or held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cai.evaluate.tax.report import ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.evaluate.results import Figure
    from cai.evaluate.tax.report import Change

__all__ = ["Verdict", "judged_changes"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a limit says to one change.

    `worse`: the whole 95 % interval lies below −limit; this fails. `doubtful`: the estimate does,
    the interval does not. `held`: neither. `unmeasured`: nothing can be said; `fails` where the
    limit then was not checked at all.
    """

    subject: str
    against: str
    group: str
    state: Literal["worse", "doubtful", "held", "unmeasured"]
    fails: bool
    text: str


def judged_changes(
    changes: Sequence[Change], further: Iterable[Figure], limit: float
) -> list[Verdict]:
    """Hold each change against a limit.

    A change in all that is not measurable fails, as does one in any area where the subject fell
    silent: a limit that was not checked is not kept. An area in which both models guess does not.

    Args:
        changes: of `tax_changes`.
        further: figures of other benchmarks; those of a difference in points, of which higher is
            better, are judged.
        limit: the largest loss that is accepted, in points of percent.
    """
    verdicts = []
    for one in changes:
        names = (one.subject, one.against, one.area)
        interval = one.paired.interval
        if one.unmeasured or interval is None:
            fails = one.silent or one.area == ALL
            verdicts.append(Verdict(*names, "unmeasured", fails, one.unmeasured))
        else:
            verdicts.append(
                _held_against(names, interval.estimate, interval.low, interval.high, limit)
            )
    for figure in further:
        if figure.against and figure.unit == "points" and figure.better == "higher":
            names = (figure.subject, figure.against, f"{figure.group} {figure.name}")
            if figure.value is None or figure.low is None or figure.high is None:
                verdicts.append(Verdict(*names, "unmeasured", True, figure.unmeasured))
            else:
                verdicts.append(_held_against(names, figure.value, figure.low, figure.high, limit))
    return verdicts


def _held_against(
    names: tuple[str, str, str], value: float, low: float, high: float, limit: float
) -> Verdict:
    subject, against, group = names
    shown = (
        f"{subject} against {against}, {group}: {100 * value:+.1f} points "
        f"[{100 * low:+.1f}, {100 * high:+.1f}], limit -{limit:g}"
    )
    if 100 * high < -limit:
        return Verdict(*names, "worse", True, f"{shown}. It surely lost more.")
    if 100 * value < -limit:
        return Verdict(
            *names,
            "doubtful",
            False,
            f"{shown}. It seems to have lost more, but that may be chance.",
        )
    return Verdict(*names, "held", False, shown)
