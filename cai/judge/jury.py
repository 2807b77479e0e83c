"""Who judges a pair: one judge or a panel, under several principles, and who stands in for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cai.judge.ensemble import outcome_of, pool, pool_judges
from cai.records import JudgeVerdict, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cai.config import JudgeConfig
    from cai.constitution.models import Principle
    from cai.judge.modes import PairJudge
    from cai.records import Message, PrincipleVerdict

__all__ = ["Jury", "Seat"]


@dataclass(frozen=True)
class Seat:
    """A judge and the name under which its verdicts are kept; empty for the only judge."""

    name: str
    judge: PairJudge


@dataclass(frozen=True)
class _Finding:
    """All verdicts under one group of principles, and what they come to."""

    verdicts: tuple[PrincipleVerdict, ...]
    p: float | None
    weight: float
    level: int


class Jury:
    """Puts judges and principles together to one verdict.

    Under each group of principles the judges are put together first (`judge.panel`), and then the
    groups (`judge.aggregate`). The fallback judge is asked under a group whose outcome, with a
    panel that of the panel as a whole, is one of `judge.fallback_on`. If it gives a verdict, that
    counts in place of the others, which stay in the record.
    """

    def __init__(
        self,
        seats: Sequence[Seat],
        config: JudgeConfig,
        fallback: Seat | None = None,
        *,
        level: Callable[[str], int] = lambda _: 0,
    ) -> None:
        """Take the judges.

        Args:
            seats: at least one; several are a panel.
            config: of the judge.
            fallback: asked where the others give no verdict.
            level: the place of a principle in the constitution's priorities, 0 for the highest.
        """
        self._seats = tuple(seats)
        self._config = config
        self._fallback = fallback
        self._level = level

    async def judge(
        self,
        conversation: Sequence[Message],
        first: str,
        second: str,
        principles: Sequence[Sequence[Principle]],
    ) -> Verdict:
        """Compare two answers to a conversation.

        Args:
            conversation: the prompt.
            first: one answer.
            second: the other.
            principles: groups of principles; each group is shown in one question.

        Raises:
            EngineError: a judge could not be asked.
        """
        found = await asyncio.gather(
            *(self._under(conversation, first, second, group) for group in principles)
        )
        verdicts = tuple(verdict for finding in found for verdict in finding.verdicts)
        p = self._pooled([(finding.p, finding) for finding in found])
        return Verdict(
            outcome_of(p, verdicts, self._config.tie_band),
            verdicts,
            p,
            self._by_judge(found) if len(self._seats) > 1 else (),
        )

    async def _under(
        self,
        conversation: Sequence[Message],
        first: str,
        second: str,
        group: Sequence[Principle],
    ) -> _Finding:
        async def ask(seat: Seat) -> PrincipleVerdict:
            verdict = await seat.judge.under(conversation, first, second, group)
            return replace(verdict, judge=seat.name) if seat.name else verdict

        rank = (
            sum(principle.weight for principle in group),
            min(self._level(principle.id) for principle in group),
        )
        verdicts = tuple(await asyncio.gather(*map(ask, self._seats)))
        p = pool_judges(verdicts, self._config.panel)
        if len(verdicts) == 1:
            # A single judge is no panel: its probability is not counted as a vote.
            p = verdicts[0].p
        outcome = outcome_of(p, verdicts, self._config.tie_band)
        if self._fallback is None or outcome not in self._config.fallback_on:
            return _Finding(verdicts, p, *rank)
        told = await ask(self._fallback)
        if told.p is None:
            return _Finding((*verdicts, told), p, *rank)
        overruled = (replace(verdict, superseded=True) for verdict in verdicts)
        return _Finding((*overruled, told), told.p, *rank)

    def _by_judge(self, found: Sequence[_Finding]) -> tuple[JudgeVerdict, ...]:
        names = [seat.name for seat in (*self._seats, self._fallback) if seat is not None]
        summed = []
        for name in names:
            own = [(v, f) for f in found for v in f.verdicts if v.judge == name]
            if own:
                p = self._pooled([(verdict.p, finding) for verdict, finding in own])
                outcome = outcome_of(p, [verdict for verdict, _ in own], self._config.tie_band)
                summed.append(JudgeVerdict(name, outcome, p))
        return tuple(summed)

    def _pooled(self, found: Sequence[tuple[float | None, _Finding]]) -> float | None:
        given = [(p, finding) for p, finding in found if p is not None]
        if not given:
            return None
        ps, under = zip(*given, strict=True)
        return pool(
            ps,
            [finding.weight for finding in under],
            self._config.aggregate or "mean",
            levels=[finding.level for finding in under],
            tie_band=self._config.tie_band,
        )
