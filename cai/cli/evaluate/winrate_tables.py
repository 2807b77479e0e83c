"""The tables and the chart of `cai evaluate winrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.evaluate.words import UNCHECKED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cai.evaluate.results import Evaluator, Figure, Result

__all__ = ["print_winrates", "write_chart"]

_OF_A_PAIR = (
    *("win rate", "tie share", "preference", "length-controlled win rate"),
    *("length-controlled preference", "length effect", "order consistency", "without verdict"),
)


def print_winrates(result: Result) -> None:
    """Win rates first, then what they rest on."""
    from cai.cli.tables import print_heading, print_table
    from cai.evaluate.winrate.figures import LEAST_GROUPS

    def those(*names: str) -> list[Figure]:
        return [one for one in result.figures if one.name in names]

    pairs = {(one["first"], one["second"]) for one in result.details["comparisons"]}
    rates = those("win rate")
    of_pairs = [
        f
        for f in those(*_OF_A_PAIR)
        if (f.subject, f.against) in pairs and not f.group.startswith(("tag ", "principle "))
    ]
    _print("Win rates", of_pairs)
    _print("Win rates over all others", [f for f in rates if f.against == "all others"])
    _print(
        "Differences of win rates, prompt by prompt, in points of percent",
        those("win rate difference"),
    )
    _print("Strengths, in points of Elo", those("Elo"))
    # Starter prompts have dozens of tags that only a few of them carry.
    tagged = [f for f in rates if f.group.startswith("tag ") and f.n >= LEAST_GROUPS]
    _print(f"Win rates by tag, of tags in {LEAST_GROUPS} or more prompt groups", tagged)
    _print("Win rates by principle", [f for f in rates if f.group.startswith("principle ")])
    _print("Comparisons that an interval of this width needs", those("comparisons needed"))
    print_heading("Outcomes for the first of both")
    print_table(
        ("First", "Second", "Outcomes"),
        [
            (one["first"], one["second"], _counts(one["outcomes"]))
            for one in result.details["comparisons"]
        ],
    )
    _print_judge(result.evaluators)


def write_chart(result: Result, path: Path) -> None:
    """Draw the axes to an SVG file, or say why there is nothing to draw."""
    from cai.cli.tables import print_text
    from cai.report.rendering import render_svg
    from cai.report.sections.axes import axes_chart

    chart = axes_chart(result)
    if chart is None:
        print_text(f"Nothing to draw to {path}: no subject has a strength on both axes.")
        return
    path.write_bytes(render_svg(chart))
    print_text(f"Chart in {path}.")


def _print(title: str, figures: Iterable[Figure]) -> None:
    """A table of figures and, below it, why some of them have no number."""
    from cai.cli.tables import print_heading, print_table, print_text

    figures = list(figures)
    if not figures:
        return
    print_heading(title)
    print_table(
        ("Figure", "Subject", "Against", "About", "Value [95 % interval]", "n"),
        [(f.name, f.subject, f.against, f.group, _told(f), f.n) for f in figures],
        numbers=(5,),
    )
    for reason in dict.fromkeys(f.unmeasured for f in figures if f.unmeasured):
        print_text(f"Not measured: {reason}")


def _print_judge(evaluators: Iterable[Evaluator]) -> None:
    from cai.cli.tables import print_heading, print_table

    rows = []
    for one in evaluators:
        if not one.checked_on:
            rows.append((one.fingerprint, "not checked", "", 0, 0))
            continue
        low, high = one.low, one.high
        ends = "" if low is None or high is None else f" [{low:.1%}, {high:.1%}]"
        right = "no verdict" if one.accuracy is None else f"{one.accuracy:.1%}{ends}"
        rows.append((one.fingerprint, right, one.checked_on, one.n, one.unjudged))
    print_heading("The judge")
    print_table(
        ("Judge", "Right [95 % interval]", "In labelled pairs of", "Verdicts", "None"),
        rows,
        numbers=(3, 4),
    )


def _told(one: Figure) -> str:
    """A figure with its interval."""
    if one.value is None:
        return one.unmeasured.partition(":")[0] if ":" in one.unmeasured else "not measured"
    if one.unit == "count":
        return f"{one.value:,.0f}"
    doubt = f" ({UNCHECKED})" if one.unchecked else ""
    if one.low is None or one.high is None:
        return f"{_shown(one, one.value)}{doubt}"
    return f"{_shown(one, one.value)} [{_shown(one, one.low)}, {_shown(one, one.high)}]{doubt}"


def _shown(one: Figure, value: float) -> str:
    if one.unit == "share":
        return f"{value:.1%}"
    if one.unit == "points":
        return f"{100 * value:+.1f}"
    # Nothing is shown as -0.
    return f"{round(value):+d}" if one.name == "Elo" else f"{value:+.2f}"


def _counts(outcomes: dict[str, int]) -> str:
    words = {"first": "won", "second": "lost"}
    return ", ".join(f"{count:,} {words.get(name, name)}" for name, count in outcomes.items())
