"""A second opinion on labelled pairs: who is asked, about which rows, and what counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
    from pathlib import Path

    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.engines import Engines
    from cai.engines.memo import Meter
    from cai.loop.opinions import Opinion
    from cai.records import Pair, Prompt

__all__ = ["ConfigJudge", "Judge", "SecondOpinion"]


class Judge(Protocol):
    """Whoever compares answers; `ConfigJudge` is one."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def opinions(self, pairs: Iterable[tuple[Prompt, Pair]]) -> Iterator[Opinion]:
        """Yield what it says of each pair, in any order; p is that the first answer is better."""
        ...


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """A judge in place of a scorer, for the check of inverted labels.

    Args:
        judge: is asked.
        margin: p of the chosen answer below ½ − this contradicts the label; from 0, below ½.
        limit: most rows that are asked about, drawn by hash; all when None. A larger draw holds
            the smaller one.
    """

    judge: Judge
    margin: float = 0.05
    limit: int | None = None


class ConfigJudge:
    """The judge of a config. Its answers are kept in a store, so that none is asked for twice.

    `meter` counts the calls of all questions so far.
    """

    def __init__(
        self,
        config: Config,
        constitution: Constitution,
        folder: Path,
        *,
        run: Path | None = None,
        engines: Engines | None = None,
        progress: Callable[[int, Meter], None] = lambda pairs, meter: None,
    ) -> None:
        """Open nothing yet: models are started when there is something to ask.

        Args:
            config: its judge is asked.
            constitution: has the principles.
            folder: of the store; not that of a run.
            run: whose answers are taken where it was asked the same.
            engines: in place of those that the config describes; they stay open.
            progress: is told how many pairs are done, after each.
        """
        from cai.engines.memo import Meter

        self.folder = folder
        self.meter = Meter()
        self._config = config
        self._constitution = constitution
        self._run = run
        self._engines = engines
        self._progress = progress

    @property
    def name(self) -> str:
        """Its models and its constitution."""
        names = ", ".join(f"{one.engine}/{one.model}" for one in self._config.models.judging)
        return f"{names} under {self._constitution.label}"

    def opinions(self, pairs: Iterable[tuple[Prompt, Pair]]) -> Iterator[Opinion]:
        """See `Judge.opinions`.

        Raises:
            CaiError: as `cai.loop.opinions.judge_pairs`.
        """
        from cai.loop.opinions import judge_pairs
        from cai.loop.sync import iterate

        def start() -> AsyncGenerator[Opinion]:
            return judge_pairs(
                self._config,
                self._constitution,
                pairs,
                self.folder,
                run=self._run,
                engines=self._engines,
                meter=self.meter,
            )

        for done, opinion in enumerate(iterate(start), 1):
            self._progress(done, self.meter)
            yield opinion
