"""A report on a judge, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.cli.tables import print_heading, print_table, print_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cai.validation.bias import JudgeReport
    from cai.validation.bias.length import LengthFit
    from cai.validation.bias.principles import PrincipleInfluence
    from cai.validation.exchange import Published
    from cai.validation.statistics.intervals import Interval

__all__ = ["points", "print_judge", "print_taken", "share"]

_SHOWN = 12
"""Most principles in the table."""


def print_taken(published: Published, taken: int | None) -> None:
    """What of a file is used."""
    left_out = sorted(published.left_out.items())
    print_heading("Labelled pairs")
    print_table(
        ("What", "How much"),
        [
            ("Format", published.format),
            ("Read", f"{published.read:,}"),
            *((f"Left out: {why}", f"{count:,}") for why, count in left_out),
            ("Taken", f"{len(published.comparisons) if taken is None else taken:,}"),
        ],
    )


def print_judge(run: Path, report: JudgeReport) -> None:
    """Verdicts, accuracy, order, length, self-preference and principles."""
    splits = f", {' and '.join(report.splits)} alone" if report.splits else ""
    print_heading(f"Judge {report.judge} in {run}{splits}")
    print_table(("What", "How much"), _verdicts(report))
    if report.accuracy.n:
        print_heading("Right by the gold labels")
        print_table(("What", "Estimate", "Pairs"), _accuracy(report), numbers=(2,))
    print_heading("Order")
    _print_order(report)
    print_heading("Length")
    _print_length(report)
    print_heading("Its own answers")
    _print_own(report)
    _print_principles(report.principles, gold=bool(report.accuracy.n))


def share(interval: Interval | None) -> str:
    """A share with its interval."""
    if interval is None:
        return "not run"
    return f"{interval.estimate:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def points(interval: Interval | None) -> str:
    """A difference of shares with its interval, in percentage points."""
    if interval is None:
        return "not run"
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.estimate:+.1f} points [{low:+.1f}, {high:+.1f}]"


def _verdicts(report: JudgeReport) -> list[tuple[str, str]]:
    gold, cost = report.gold, report.cost
    by = f", by {gold.kind} annotators" if gold.kind else ""
    divided = f", {gold.disputed:,} disputed" if gold.disputed else ""
    usd = cost.usd_per_1000_pairs
    price = "unknown price" if usd is None else f"${usd:,.4f}" if usd else "free"
    return [
        ("Pairs judged", f"{report.pairs:,}"),
        ("Verdicts", _counts(report.outcomes)),
        ("Single answers", _counts(report.answers)),
        *([("Not judged", _counts(report.not_judged))] if report.not_judged else []),
        ("Gold labels", f"{gold.pairs:,}{by} ({gold.ties:,} ties{divided})"),
        ("Calls of the judge", f"{cost.calls:,}, {cost.tokens:,} tokens"),
        ("Price of 1,000 pairs", price),
    ]


def _accuracy(report: JudgeReport) -> list[tuple[str, str, int]]:
    found, rules = report.accuracy, report.length_rules
    return [
        ("Verdicts of the run", share(found.verdict), found.n),
        ("The same, ties left out", share(found.decided), found.decided_n),
        ("Both orders averaged", share(found.both), found.both_n),
        ("One order, mean over both", share(found.single), found.both_n),
        ("Both − one", points(found.difference), found.both_n),
        ("Gold answer is longer", share(rules.gold_longer), rules.gold_longer_n),
        ("Gold answer is shorter", share(rules.gold_shorter), rules.gold_shorter_n),
        ("Rule: the longer wins", share(rules.longer), rules.n),
        ("Judge − that rule", points(rules.over_longer), rules.n),
        ("Rule: the shorter wins", share(rules.shorter), rules.n),
        ("Judge − that rule", points(rules.over_shorter), rules.n),
    ]


def _print_order(report: JudgeReport) -> None:
    found = report.orders
    mass = "none" if found.mean_mass is None else f"{found.mean_mass:.3f}"
    print_table(
        ("What", "Estimate", "Of"),
        [
            ("Both orders name the same", share(found.consistency), found.consistency_n),
            ("Prefers what is shown first", share(found.first_slot), found.first_slot_n),
            ("Mean probability of the labels", mass, ""),
        ],
        numbers=(2,),
    )


def _print_length(report: JudgeReport) -> None:
    print_table(
        ("What", "Estimate"),
        [("Prefers the longer answer", share(report.length_rules.prefers_longer))],
    )
    if report.length_fits:
        print_table(
            ("Preference for", "By", "Pairs", "Mean", "At equal length", "Slope"),
            [_fit(fit) for fit in report.length_fits],
            numbers=(2,),
        )
        print_text(
            "Slope: log-odds that a far longer answer gains, three quarters of it at a typical "
            "difference; above 0 the judge likes length."
        )


def _fit(fit: LengthFit) -> tuple[str, str, int, str, str, str]:
    slope = fit.slope
    return (
        *(fit.name, fit.target, fit.n, f"{fit.raw:.1%}"),
        share(fit.at_zero) if fit.at_zero else "",
        f"{slope.estimate:+.2f} [{slope.low:+.2f}, {slope.high:+.2f}]",
    )


def _print_own(report: JudgeReport) -> None:
    own = report.own
    if own.n:
        print_table(
            ("What", "Estimate", "Pairs"),
            [
                ("Judge prefers its own", share(own.judge), own.n),
                ("Gold label prefers it", share(own.gold), own.gold_n),
                ("Judge − gold", points(own.excess), own.gold_n),
            ],
            numbers=(2,),
        )
    if own.not_run:
        print_text(f"Not run: {own.not_run}.")


def _print_principles(found: tuple[PrincipleInfluence, ...], *, gold: bool) -> None:
    if not found:
        return
    print_heading("Principles")
    print_table(
        ("Principle", "Pairs", "Right" if gold else "", "|p − ½|", "Flips"),
        [
            (
                *(one.principle, one.n, share(one.accuracy) if gold else ""),
                *("" if one.sureness is None else f"{one.sureness:.3f}", str(one.flips)),
            )
            for one in found[:_SHOWN]
        ],
        numbers=(1, 3),
    )
    if len(found) > _SHOWN:
        print_text(f"{len(found) - _SHOWN:,} more principles, of fewer pairs: see --json.")


def _counts(counts: Mapping[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda count: (-count[1], count[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ranked) or "none"
