"""What the models were asked at the end, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.evaluate.words import UNCHECKED, told
from cai.report.blocks import Charts, Fold, Note, Section, Table
from cai.report.charts import Estimate, interval_chart
from cai.report.sections.axes import axes_chart
from cai.store.export_rows import public
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cai.evaluate.results import Evaluator, Figure, Result
    from cai.report.blocks import Block
    from cai.report.charts import Chart
    from cai.report.figures import Figures

__all__ = ["evaluation_section"]

_SHOWN = 12
"""Most estimates in a chart."""
_LEAD = (
    "Each figure has a 95% interval and the number of cases that it rests on. Where the judge is "
    "not above chance on labelled data, a figure is not measurable with this evaluator, and there "
    "is no number."
)


def evaluation_section(figures: Figures) -> Section:
    """The results, one evaluation after the other."""
    blocks: list[Block] = []
    for result in figures.evaluation:
        blocks += _result(result)
    return Section("evaluation", "Evaluation", _LEAD, tuple(blocks))


def _result(result: Result) -> Iterator[Block]:
    name = result.kind
    calls = (
        f"{counted(result.calls, 'call')}, ${result.usd:,.4f}"
        if result.usd
        else (counted(result.calls, "call"))
    )
    asked = ", ".join(result.subjects)
    yield Note(f"{name}: {asked}; {calls}.")
    for reason in dict.fromkeys(e.distrust for e in result.evaluators if e.distrust):
        yield Note(f"{name}: {reason}.", "warn")
    unchecked = [public(e.fingerprint) for e in result.evaluators if not e.checked_on]
    if unchecked:
        yield Note(
            f"{name}: {UNCHECKED}: nobody knows from labelled data how often the judge "
            f"({', '.join(dict.fromkeys(unchecked))}) is right.",
            "warn",
        )
    charts = tuple(one for one in (axes_chart(result), _chart(result)) if one is not None)
    if charts:
        yield Charts(charts)
    whole = [one for one in result.figures if one.group == "all"]
    if single := [one for one in whole if not one.against]:
        yield _by_model(f"{name}: each model", single)
    if compared := [one for one in whole if one.against]:
        yield from _compared(f"{name}: compared with another model", compared)
    if parts := [one for one in result.figures if one.group != "all"]:
        table = _table(f"{name}: in parts, such as categories, areas and principles", parts)
        yield Fold(table.caption, table) if whole else table
    if result.evaluators:
        yield Table(
            f"{name}: who judged",
            ("Judge", "Asked about", "Checked on", "Right [95 % interval]", "n"),
            tuple(_evaluator(one) for one in result.evaluators),
            frozenset({4}),
        )
    for reason in dict.fromkeys(f.unmeasured for f in result.figures if f.unmeasured):
        if reason.startswith("too few:"):
            yield Note(f"{name}: {reason}.")
    for note in result.notes:
        yield Note(f"{name}: {note}")


def _by_model(caption: str, figures: Sequence[Figure]) -> Table:
    """A row for each figure, and a column for each model."""
    models = list(dict.fromkeys(one.subject for one in figures))
    cells = {(one.name, one.subject): f"{told(one)}, n {one.n:,}" for one in figures}
    names = dict.fromkeys(one.name for one in figures)
    rows = tuple((_words(name), *(cells.get((name, m), "") for m in models)) for name in names)
    return Table(caption, ("Figure", *(model or "all" for model in models)), rows)


def _compared(caption: str, figures: Sequence[Figure]) -> Iterator[Block]:
    """Those that have a number; where none has, why."""
    known = [one for one in figures if one.value is not None]
    if known:
        yield _table(caption, known)
    if len(known) < len(figures):
        reasons = dict.fromkeys(told(one) for one in figures if one.value is None)
        missing = counted(len(figures) - len(known), "figure")
        yield Note(f"{caption}: {missing} without a number ({', '.join(reasons)}).")


def _table(caption: str, figures: Iterable[Figure]) -> Table:
    return Table(
        caption,
        ("Figure", "Model", "About", "Value [95 % interval]", "n"),
        tuple((_words(one.name), _who(one), one.group, told(one), f"{one.n:,}") for one in figures),
        frozenset({4}),
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _who(one: Figure) -> str:
    return f"{one.subject} against {one.against}" if one.against else one.subject


def _chart(result: Result) -> Chart | None:
    """Shares of single models over all cases; None where there is none with an interval."""
    found = [
        Estimate(f"{_who(one)}: {_words(one.name)}", one.value, one.low, one.high, _rests_on(one))
        for one in result.figures
        if one.unit == "share" and one.group == "all" and one.subject
        if one.value is not None and one.low is not None and one.high is not None
        if 0.0 <= one.low <= one.high <= 1.0
    ]
    if not found:
        return None
    some = f", {_SHOWN} of {len(found):,}" if len(found) > _SHOWN else ""
    doubt = f" ({UNCHECKED})" if any(one.unchecked for one in result.figures) else ""
    title = f"{result.kind}: shares with 95% intervals{some}{doubt}"
    return interval_chart(f"evaluation-{result.kind}", title, found[:_SHOWN], "Share of cases")


def _rests_on(one: Figure) -> str:
    return f"{one.n:,} cases, {UNCHECKED}" if one.unchecked else f"{one.n:,} cases"


def _evaluator(one: Evaluator) -> tuple[str, ...]:
    right = "not checked"
    if one.checked_on and one.accuracy is not None:
        bounds = "" if one.low is None or one.high is None else f" [{one.low:.1%}, {one.high:.1%}]"
        right = f"{one.accuracy:.1%}{bounds}"
    where = one.checked_on or "nothing"
    return (public(one.fingerprint), one.about or "all", where, right, f"{one.n:,}")
