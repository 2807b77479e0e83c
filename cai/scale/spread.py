"""A whole run on Ray: shards, workers, merge."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from cai.constitution.lock import resolve_locked, write_lock
from cai.loop.shard import check_begun
from cai.loop.source import open_source
from cai.scale.drive import Drive
from cai.scale.order import Order
from cai.store.merge import merge
from cai.store.shard import Shard, found_shards

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.config import Config, ModelConfig
    from cai.engines import Engines
    from cai.loop.progress import Progress
    from cai.store.merge import Merged

__all__ = ["shards_of", "shared_limits", "spread"]

_SHARDS_PER_WORKER = 4


def spread(
    config: Config,
    *,
    workers: int,
    address: str | None = None,
    gpus: float = 0.0,
    update: bool = False,
    engines: Callable[[], Engines] | None = None,
    tell: Callable[[Drive], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Progress, Merged]:
    """Carry out a run with many workers, and merge it. Started again, it goes on.

    Args:
        config: the whole config; the run folder and the prompt file must be seen under the same
            paths by all workers.
        workers: processes with an engine each.
        address: of a Ray cluster; one on this machine when absent.
        gpus: for each worker.
        update: accept that the stored run asked something else.
        engines: makes the engines in a worker, in place of those of the config; must pickle.
        tell: called about twice a second while workers are at work.
        say: told how far the merge is.

    Returns:
        What this start did, all workers added up, and what the merge came to.

    Raises:
        UsageError: config, constitution or prompts cannot be used, or the run was begun otherwise.
        MissingExtraError: Ray is not installed.
        CaiError: a shard failed; the message begins with its number.
        StoreError: the run cannot be merged.
    """
    from cai.scale.ray_crew import RayCrew

    config = config.model_copy(update={"run": str(Path(config.run).absolute())})
    run = Path(config.run)
    constitution = resolve_locked(config.constitution, run, update=update)
    source = open_source(config.prompts, None)
    shards = shards_of(run, workers, source.total)
    check_begun(run, shards[0])
    write_lock(config.constitution, constitution, run)
    order = Order(shared_limits(config, workers), constitution, update, engines)
    with closing(RayCrew(order, min(workers, len(shards)), address, gpus)) as crew:
        drive = Drive(crew, shards, workers, source.total)
        drive.run(tell)
    return drive.progress, merge(run, say=say)


def shards_of(run: Path, workers: int, prompts: int) -> list[Shard]:
    """The shards of a run: as many as it was begun with, else some for each worker."""
    found = found_shards(run)
    count = found[0].count if found else max(1, min(_SHARDS_PER_WORKER * workers, prompts))
    return [Shard(i, count) for i in range(1, count + 1)]


def shared_limits(config: Config, workers: int) -> Config:
    """The config for one of several workers: limits per minute are shared out evenly."""

    def share(model: ModelConfig) -> ModelConfig:
        limits = {
            name: limit / workers
            for name in ("requests_per_minute", "tokens_per_minute")
            if (limit := getattr(model, name)) is not None
        }
        return model.model_copy(update=limits)

    return config.model_copy(update={"models": config.models.over(share)})
