"""The one door to rows: who may read which split.

Held out means held out: nothing that fits a parameter may see those rows. Exporters, trainers and
calibration all come through `rows_for`; no other public function yields rows by split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cai.errors import SplitError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.records import Row, Split
    from cai.store.run import RunStore

__all__ = ["Purpose", "refuse_shard", "rows_for"]

Purpose = Literal["training", "calibration", "validation", "report"]

_OPEN: dict[Purpose, tuple[Split, ...]] = {
    "training": ("train",),
    "calibration": ("dev",),
    "validation": ("held_out",),
    # Counts and rates of a run, never its rows: summaries go over everything.
    "report": ("train", "dev", "held_out", "quarantine"),
}


def rows_for(store: RunStore, purpose: Purpose, *splits: Split) -> Iterator[tuple[Row, Split]]:
    """Finished rows for a purpose, in the order of the prompts.

    Held-out rows whose labels by people were handed to training are closed to validation, too.

    Args:
        store: the run.
        purpose: `training` may read train, `calibration` dev, `validation` held-out.
        splits: narrows the splits that are open to the purpose; all of them when absent.

    Raises:
        SplitError: the purpose is unknown or a split is closed to it.
        StoreError: the store is a shard, whose splits are not known yet.
    """
    if purpose not in _OPEN:
        raise SplitError(f"Unknown purpose '{purpose}'. Allowed: {', '.join(_OPEN)}.")
    if purpose != "report":
        refuse_shard(store)
    allowed = _OPEN[purpose]
    for split in splits:
        if split not in allowed:
            raise SplitError(
                f"Rows of the split '{split}' are closed to {purpose}; open to it: "
                f"{', '.join(allowed)}. Held-out rows are for people and the final checks."
            )
    return store.rows(*(splits or allowed), retired=purpose == "report")


def refuse_shard(store: RunStore) -> None:
    """Refuse a shard to whoever needs groups and splits.

    Raises:
        StoreError: the store is a shard of a run.
    """
    if shard := store.meta("shard"):
        raise StoreError(
            f"{store.folder} holds shard {shard} of a run. Its splits are known when all shards "
            f"are together: merge first, with: cai merge {store.folder.parent.parent}"
        )
