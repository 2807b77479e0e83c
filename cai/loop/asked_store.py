"""Verdicts under every principle, beside the run whose pairs they are about.

They are kept in the store that keeps the answers, each under the id of its pair, together with a
digest of the judge: where the run is judged in another way by now, they are not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from cai.records import Verdict, load
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["FOLDER", "keep", "read_asked"]

FOLDER = "influence"
"""Name of the folder inside that of the run."""

_KEY = "principles of "


def keep(store: RunStore, digest: str, verdicts: Mapping[str, Verdict]) -> None:
    """Store verdicts by the id of their pair, in place of earlier ones.

    Raises:
        StoreError: they cannot be written.
    """
    facts = {f"{_KEY}{pair}": {"judge": digest, "verdict": v} for pair, v in verdicts.items()}
    store.set_meta(**facts)


def read_asked(folder: Path, digest: str) -> dict[str, Verdict]:
    """Verdicts under every principle, by the id of the pair; none where nothing was asked.

    Args:
        folder: where they are kept; it need not exist.
        digest: of the judge, as they were stored with.

    Raises:
        StoreError: the store cannot be read.
    """
    if not (folder / "run.db").exists():
        return {}
    with RunStore.read(folder) as store:
        return {
            pair: load(Verdict, orjson.dumps(facts["verdict"]))
            for pair, facts in store.metas(_KEY).items()
            if facts["judge"] == digest
        }
