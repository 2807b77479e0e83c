"""The influence of principles: tables, and JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cai.cli.judge.tables import share
from cai.cli.tables import print_heading, print_table, print_text
from cai.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

    from cai.loop.asked_price import AskingPrice
    from cai.loop.judged_run import JudgedRun
    from cai.validation.bias.couples import Couple
    from cai.validation.bias.influence import Effect, Influence
    from cai.validation.statistics.intervals import Interval

__all__ = ["print_influence", "print_price", "print_why", "write_influence"]

_SHOWN = 20
"""Most couples in the table; the JSON has all."""


def print_influence(run: Path, judged: JudgedRun, found: Influence) -> None:
    """Print what was looked at, the principles by influence, the couples, and what to do."""
    from cai.validation.bias.influence_words import EFFECTS, advice

    print_heading(f"Influence of principles in {run}")
    print_table(("What", "How much"), _basis(judged, found))
    if not found.several:
        print_heading("Principles")
        print_table(
            ("Principle", "Pairs", "Bits of label", "Bits of p"),
            [(one.principle, one.pairs, *_entropies(one)) for one in found.principles],
            numbers=(1, 2, 3),
        )
        return
    print_heading("Principles, by influence")
    print_table(
        (
            *("Principle", "Pairs", "Changed without it", "Decided", "Agrees with all"),
            *("with the others", "Bits of label", "Bits of p"),
        ),
        [_effect(one) for one in found.principles],
        numbers=(1, 6, 7),
    )
    for line in EFFECTS:
        print_text(f"- {line}")
    _print_couples(found)
    print_heading("What to do")
    print_text(advice(found))


def _basis(judged: JudgedRun, found: Influence) -> list[tuple[str, str]]:
    asked = "asked about every principle" if found.source == "asked" else "judged by the run"
    rows = [
        ("Constitution", judged.constitution.label),
        ("Pairs", f"{found.pairs:,} {asked}, of {counted(found.groups, 'prompt group')}"),
        ("Pairs with several principles", f"{found.several:,}"),
        ("Put together by", f"{found.aggregate}; a tie within 0.5 ± {found.tie_band:g}"),
    ]
    if found.own is not None:
        rows.append(("The run's own label is the same", share(found.own)))
    return rows


def _effect(one: Effect) -> tuple[object, ...]:
    return (
        *(one.principle, one.pairs, _share(one.changed), _share(one.decided)),
        *(_share(one.agrees), _share(one.agrees_others), *_entropies(one)),
    )


def _print_couples(found: Influence) -> None:
    from cai.validation.bias.influence_words import COUPLES, RELATIONS

    related = [one for kind in RELATIONS for one in found.related(kind)]
    print_heading("Redundant and conflicting principles")
    if not related:
        print_text(
            f"None, of {counted(found.compared, 'couple')} with at least {found.least:,} pairs in "
            "which both name a winner."
        )
        return
    print_table(
        ("Relation", "Principles", "Pairs", "Same winner", "κ", "r"),
        [(RELATIONS[one.relation], *_couple(one)) for one in related[:_SHOWN]],
        numbers=(2, 5),
    )
    if len(related) > _SHOWN:
        print_text(f"{len(related) - _SHOWN:,} more: see --json.")
    for line in COUPLES:
        print_text(f"- {line}")


def _couple(one: Couple) -> tuple[object, ...]:
    r = "" if one.correlation is None else f"{one.correlation:+.2f}"
    return (" – ".join(one.names), one.decided, _share(one.same_interval), _kappa(one), r)


def _kappa(one: Couple) -> str:
    if one.kappa is None:
        return "not defined"
    line, found = f"{one.kappa:.2f}", one.kappa_interval
    return line if found is None else f"{line} [{found.low:.2f}, {found.high:.2f}]"


def print_why(judged: JudgedRun, found: Influence) -> None:
    """Say why no principle can be left out."""
    judge = judged.config.judge
    if not found.pairs:
        why = "the run has judged no pair yet"
    elif judge.scope == "constitution":
        why = "the run shows all principles in one question (judge.scope: constitution)"
    elif judge.scope == "drawn" and judge.principles == 1:
        why = "the run draws one principle for each pair (judge.scope: drawn, principles: 1)"
    else:
        why = "no pair has a probability under more than one principle"
    print_text(f"No principle can be left out: {why}.")


def print_price(run: Path, price: AskingPrice | str) -> None:
    """What it takes to ask about every principle; or why that is not known."""
    print_heading("To ask about every principle")
    if isinstance(price, str):
        print_text(f"What asking would take is not known. {price}")
        return
    if not price.pairs:
        print_text("There is no judged pair of the splits train and dev to ask about.")
        return
    print_table(
        ("What", "Low", "Likely", "High"),
        [
            ("Calls", *(f"{v:,.0f}" for v in _values(price.calls))),
            ("Tokens", *(f"{v:,.0f}" for v in _values(price.tokens))),
            ("Dollars", *_dollars(price)),
        ],
        numbers=(1, 2, 3),
    )
    print_text(
        f"For {counted(price.pairs, 'pair')}; change that with --limit. Ask with: "
        f"cai constitution influence {run} --ask"
    )


def _values(found: Any) -> tuple[float, float, float]:
    return found.low, found.likely, found.high


def _dollars(price: AskingPrice) -> tuple[str, str, str]:
    if price.free:
        return ("free",) * 3
    if price.usd is None:
        return ("unknown",) * 3
    low, likely, high = (f"{v:,.4f}" for v in _values(price.usd))
    return low, likely, high


def write_influence(
    file: Path, found: Influence, judged: JudgedRun, price: AskingPrice | str | None
) -> None:
    """Write all figures as JSON."""
    from cai.hashing import canonical_json
    from cai.validation.bias.influence_words import advice

    record: dict[str, Any] = {
        "constitution": {"label": judged.constitution.label, "hash": judged.constitution.hash},
        "influence": asdict(found),
        "advice": advice(found),
    }
    if price is not None and not isinstance(price, str):
        record["asking"] = {
            **asdict(price),
            "calls": asdict(price.calls),
            "tokens": asdict(price.tokens),
            "usd": asdict(price.usd) if price.usd else None,
        }
    file.write_bytes(canonical_json(record))


def _share(interval: Interval | None) -> str:
    return "" if interval is None else share(interval)


def _entropies(one: Effect) -> tuple[str, str]:
    bits = (one.label_entropy, one.p_entropy)
    label, p = ("" if value is None else f"{value:.2f}" for value in bits)
    return label, p
