"""What each principle of a run decides, from all that the run and the folder beside it know."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cai.loop.asked_store import read_asked
from cai.loop.judged_run import JudgedRun
from cai.validation.bias import ballots_of, read_judged
from cai.validation.bias.influence import LEAST, influence

if TYPE_CHECKING:
    from pathlib import Path

    from cai.store import RunStore
    from cai.validation.bias.influence import Influence

__all__ = ["read_influence"]


def read_influence(
    store: RunStore,
    folder: Path,
    *,
    always: bool = True,
    least: int = LEAST,
    draws: int = 2000,
    seed: int = 0,
) -> Influence | None:
    """Leave out each principle over the stored verdicts; asks nothing.

    Where every principle was asked about on a sample of pairs, these pairs count, because the same
    principles judged each; where the run itself asks under each, all of its pairs do.

    Args:
        store: the run.
        folder: with the verdicts of such a sample; it need not exist.
        always: also look at verdicts from which no principle can be left out, for their counts.
        least: pairs that a relation between two principles needs.
        draws: bootstrap samples of each interval.
        seed: of the draws.

    Returns:
        None where nothing can be left out, unless `always`.

    Raises:
        ConfigError: config or constitution of the run do not fit this version of the toolkit.
        StoreError: the run or the folder cannot be read, or the run is a shard.
    """
    run = JudgedRun.of(store)
    count = partial(influence, least=least, draws=draws, seed=seed)
    asked = {} if run.config.judge.scope == "each" else read_asked(folder, run.digest)
    sample = [
        replace(pair, ballots=ballots_of(asked[pair.id]))
        for purpose in (("training", "calibration") if asked else ())
        for pair in read_judged(store, purpose).pairs
        if pair.id in asked
    ]
    if sample:
        return count(sample, run.every().pooling, source="asked")
    if not always and not run.asks_several:
        return None
    return count(read_judged(store, "report").pairs, run.pooling)
