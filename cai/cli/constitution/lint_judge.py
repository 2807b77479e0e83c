"""Asking a judge for contradictions, with progress, and what its word is worth."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cai.constitution.lint.contradictions import contradiction_finding, known_pairs, rule_pairs
from cai.loop.contradictions import compare_rules
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.cli.constitution.lint_checks import Wanted
    from cai.config import Config
    from cai.constitution import Constitution
    from cai.constitution.lint import Finding
    from cai.loop.contradictions import Compared, RulePair

__all__ = ["Asked", "ask_about"]

_STEPS = 10
"""Lines of progress."""
_RIGHT = 0.8
"""Share of the known pairs that a judge must get right to be believed. Of 12 that is 10, which a
coin does with a probability of 0.02; and a judge that always says the same gets half."""
_SHOWN = 5
"""Pairs of a judge that is not believed that are named."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a judge said of the pairs of a constitution.

    `said` are the pairs that it called contradictory in both orders, with P(contradict), those
    likeliest first; `torn` counts those where it did so in one order alone, and `silent` those that
    it did not answer in both. `right` of `known` pairs with a known answer it got right in both.
    """

    folder: Path
    judge: str
    pairs: int
    said: list[Compared]
    torn: int
    silent: int
    known: int
    right: int

    @property
    def believed(self) -> bool:
        """Whether its word is worth being listed."""
        return self.right >= _RIGHT * self.known

    @property
    def findings(self) -> list[Finding]:
        """C802 for each pair that it called contradictory, if it is believed."""
        return [contradiction_finding(*one.pair, _both(one)) for one in self.said if self.believed]

    @property
    def text(self) -> str:
        """All of it in a few lines."""
        told = (
            f"Contradictions: {self.judge} was asked about {counted(self.pairs, 'pair')} of rules "
            f"in both orders: {len(self.said):,} contradictory in both, {self.torn:,} in one "
            f"alone, {self.silent:,} without an answer. Of {self.known} pairs whose answer is "
            f"known it got {self.right} right in both orders. Answers are kept in {self.folder}."
        )
        if self.believed:
            return f"{told}\nRead each pair yourself: a judge's word is no proof."
        worth = (
            f"With fewer than {_RIGHT:.0%} of the known pairs right, its findings are worth little "
            "and are not listed as findings. Name a stronger judge with --config."
        )
        return "\n".join([told, worth, *(f"  {_line(one)}" for one in self.said[:_SHOWN])])


def ask_about(loaded: Constitution, wanted: Wanted) -> Asked:
    """Ask about the pairs of a constitution, and about those whose answer is known.

    Raises:
        CaiError: as `cai.loop.contradictions.compare_rules`.
    """
    settings = _settings(wanted)
    pairs = rule_pairs(loaded, wanted.limit)
    contradict, agree = known_pairs()
    folder = wanted.folder or Path("runs") / f"contradictions-{loaded.name}"
    found = asyncio.run(_carry_out(settings, [*contradict, *agree, *pairs], folder))
    answers = [found[_ids(pair)] for pair in pairs]
    right = [bool(found[_ids(pair)].contradicts) for pair in contradict]
    right += [bool(found[_ids(pair)].agrees) for pair in agree]
    return Asked(
        folder,
        _judge_name(settings),
        len(pairs),
        sorted((one for one in answers if one.contradicts), key=lambda one: -sum(_both(one))),
        sum(one.contradicts is False and one.agrees is False for one in answers),
        sum(one.contradicts is None for one in answers),
        len(right),
        sum(right),
    )


def _both(one: Compared) -> tuple[float, float]:
    """P(contradict) in both orders of a pair that has both."""
    p, q = one.p
    if p is None or q is None:
        raise AssertionError("a pair that is called contradictory has both")
    return p, q


def _line(one: Compared) -> str:
    (first, second), (p, q) = one.pair, _both(one)
    return f"{first.id} and {second.id}: {p:.2f}, and {q:.2f} with the two swapped"


async def _carry_out(
    settings: Config, pairs: Sequence[RulePair], folder: Path
) -> dict[tuple[str, str], Compared]:
    from cai.cli.output import error_console

    found: dict[tuple[str, str], Compared] = {}
    step = -(-len(pairs) // _STEPS)
    async for one in compare_rules(settings, pairs, folder):
        found[_ids(one.pair)] = one
        if len(found) % step == 0 or len(found) == len(pairs):
            error_console().print(
                f"Pairs of rules: {len(found):,} of {len(pairs):,}", soft_wrap=True
            )
    return found


def _settings(wanted: Wanted) -> Config:
    import cai.cli
    from cai.config import load_config

    packaged = Path(cai.cli.__file__).with_name("_import.yaml")
    settings = load_config(wanted.config or packaged)
    if wanted.engine is None:
        return settings
    models = settings.models.over(lambda one: one.model_copy(update={"engine": wanted.engine}))
    return settings.model_copy(update={"models": models})


def _judge_name(settings: Config) -> str:
    return ", ".join(f"{one.engine}/{one.model}" for one in settings.models.judging)


def _ids(pair: RulePair) -> tuple[str, str]:
    first, second = pair
    return first.id, second.id
