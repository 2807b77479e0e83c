"""What an evaluation found, as figures that reports, comparisons and `cai drift` read.

Every evaluation writes one file `<kind>.json` into its folder. It is a projection of the store:
with the same config it can be written again, and nothing is asked twice.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cai.errors import UsageError
from cai.evaluate.floor import TooFew
from cai.loading import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.validation.statistics.intervals import Interval

__all__ = [
    "EVALUATION",
    "Evaluator",
    "Figure",
    "Result",
    "figure",
    "read_result",
    "read_results",
    "write_result",
]

EVALUATION = "evaluation"
"""Folder in a run for the results of `cai run`, which reports show."""

Kind = Literal[
    "refusal",
    "winrate",
    "adherence",
    "probes",
    "two-turn",
    "reward-model",
    "rewards",
    "tax",
    "answers",
]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its 95 % interval.

    `subject` is the model (empty: of no single one), `against` the model that it is compared with,
    `group` what it is about (`all`, a category, a principle). `better` says which direction is
    good. Where `unmeasured` is not empty there is no number, and it says why. `rests_on` names what
    evaluators were asked (`Evaluator.about`) for this figure; empty: whatever was asked. `people`
    is for figures that labels by people correct, which stand whatever the evaluator is worth.
    `unchecked`: it rests on an evaluator that nobody has tried on labelled cases.
    """

    name: str
    subject: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    group: str = "all"
    against: str = ""
    unit: Literal["share", "points", "score", "count"] = "share"
    better: Literal["higher", "lower", ""] = ""
    unmeasured: str = ""
    rests_on: tuple[str, ...] = ()
    unchecked: bool = False


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Who judged, and how often that judge is right where the right answer is known.

    `checked_on` names the labelled data; empty when nobody checked. `low` is the lower end of the
    95 % interval of `accuracy`, `chance` what guessing would reach. `about` is what it was asked,
    where it was asked several things; `balanced` says that the accuracy is the mean over classes.
    `n` cases had a verdict, and `unjudged` had none.
    """

    fingerprint: str
    checked_on: str = ""
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    chance: float = 0.5
    about: str = ""
    balanced: bool = False
    unjudged: int = 0

    @property
    def distrust(self) -> str:
        """Why its figures are none; empty where the judge is above chance, or was not checked."""
        if not self.checked_on or (self.low is not None and self.low > self.chance):
            return ""
        mean = " (mean over classes)" if self.balanced else ""
        if self.accuracy is None:
            found = f"how often it is right cannot be told from {self.n} labelled cases"
        elif self.low is None:
            found = f"right in {self.accuracy:.1%} of {self.n} labelled cases{mean}, which are too "
            found += "few or too much alike for an interval"
        else:
            found = f"right in {self.accuracy:.1%} of {self.n} labelled cases{mean}, where "
            found += f"guessing reaches {self.chance:.0%}"
        return f"not measurable with this evaluator: {found}"

    def concerns(self, figure: Figure) -> bool:
        """Whether a figure is worth no more than this evaluator."""
        rests = figure.rests_on
        return "people" not in rests and (not rests or not self.about or self.about in rests)


@dataclass(frozen=True, slots=True)
class Result:
    """All figures of one evaluation. `inputs` is a hash of what was asked."""

    kind: Kind
    subjects: tuple[str, ...]
    figures: tuple[Figure, ...]
    evaluators: tuple[Evaluator, ...] = ()
    notes: tuple[str, ...] = ()
    inputs: str = ""
    calls: int = 0
    usd: float = 0.0
    format: Literal[1] = 1
    details: dict[str, Any] = field(default_factory=dict)
    """Rows behind the figures, as the evaluation likes; for people and for charts."""
    constitution: str = ""
    """Hash of the constitution that answers were judged under; empty where none was."""

    def distrusted(self) -> Result:
        """The same with figures that rest on an untrustworthy evaluator taken away.

        Those that rest on one that nobody has checked say so.
        """
        from dataclasses import replace

        def checked(one: Figure) -> Figure:
            asked = [e for e in self.evaluators if e.concerns(one)]
            reason = next((e.distrust for e in asked if e.distrust), "")
            if not reason:
                unknown = any(not e.checked_on for e in asked) and one.unit != "count"
                return replace(one, unchecked=True) if unknown else one
            told = one.unmeasured or reason
            return replace(one, value=None, low=None, high=None, unmeasured=told)

        return replace(self, figures=tuple(map(checked, self.figures)))


def figure(name: str, subject: str, interval: Interval | TooFew | None, **more: Any) -> Figure:
    """A figure from an interval; without one it is unmeasured, and `more` should say why."""
    if isinstance(interval, TooFew):
        few: dict[str, Any] = {"n": interval.n, "unmeasured": interval.reason}
        return Figure(name, subject, None, **{**more, **few})
    if interval is None:
        return Figure(name, subject, None, **{"unmeasured": "too few cases", **more})
    found = (interval.estimate, interval.low, interval.high, interval.n)
    return Figure(name, subject, *found, **more)


def write_result(result: Result, folder: Path) -> Path:
    """Write `<kind>.json`; the file is replaced as a whole."""
    import orjson

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.kind}.json"
    temporary = path.with_suffix(".json.tmp")
    temporary.write_bytes(
        orjson.dumps(asdict(result), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )
    temporary.replace(path)
    return path


def read_results(folder: Path) -> Sequence[Result]:
    """The results in a folder, by kind.

    Raises:
        UsageError: a file is none of a result.
    """
    return [read_result(path) for path in sorted(folder.glob("*.json"))]


def read_result(path: Path) -> Result:
    """The result in a file.

    Raises:
        UsageError: the file is none of a result.
    """
    from pydantic import ValidationError

    try:
        return load(Result, path.read_bytes())
    except ValidationError as error:
        raise UsageError(
            f"{path} is no result of an evaluation: {error.error_count()} keys are wrong. "
            "Remove it, or run the evaluation again."
        ) from error
