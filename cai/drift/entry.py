"""One line of the ledger: a checkpoint, what it was made of, and what its evaluations were."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import ValidationError

from cai.constitution.models import Constitution
from cai.errors import UsageError
from cai.store import RunStore
from cai.store.export_rows import public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.compare import Model

__all__ = ["Entry", "Known", "entry_of"]

_MOST_STEPS_BACK = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A checkpoint in the ledger.

    Args:
        name: unique in the ledger.
        added: when, in UTC.
        checkpoint: folder of the weights as the user named it; empty where there is none.
        subject: what its evaluations call it.
        weights: fingerprint of the weights; empty where it is not known.
        base: the model that the first of its trainings began with.
        method: of its last training.
        constitution: name and version of what its data were made under.
        constitution_hash: of that; empty where it is not known.
        results: SHA-256 of the result of each kind of evaluation.
    """

    name: str
    added: str
    checkpoint: str
    subject: str
    weights: str = ""
    base: str = ""
    method: str = ""
    constitution: str = ""
    constitution_hash: str = ""
    results: dict[str, str] = field(default_factory=dict)
    format: Literal[1] = 1


@dataclass(frozen=True)
class Known:
    """What was found out of a checkpoint. `whole` is its constitution, where that is at hand."""

    entry: Entry
    whole: Constitution | None


def entry_of(
    model: Model,
    *,
    name: str | None = None,
    constitution: Constitution | None = None,
    base: str | None = None,
    now: datetime | None = None,
) -> Known:
    """What the ledger says of a model, without its results.

    Args:
        model: from `cai.compare.find_model`.
        name: unique; its label when absent.
        constitution: in place of what its training and its run say.
        base: in place of what its trainings say.
        now: in place of the clock.

    Raises:
        UsageError: it took part in no evaluation.
        StoreError: its run cannot be read.
    """
    if not model.results:
        raise UsageError(
            f"{model.label} took part in no evaluation. Allowed: a model with results. Evaluate it "
            "first, with cai run or cai evaluate, and name the folder of the results."
        )
    run = {} if model.run is None else _run_facts(model.run)
    trained = model.training
    whole = constitution or _whole(run.get("constitution") or {})
    if constitution is None and trained is not None and trained.constitution_hash:
        # The run may have gone on under another constitution since.
        whole = whole if whole is not None and whole.hash == trained.constitution_hash else None
        label, digest = trained.constitution, trained.constitution_hash
    else:
        label, digest = ("", "") if whole is None else (whole.label, whole.hash)
    roots = list(_roots(model.folder)) if model.folder else []
    policy = str((run.get("asked") or {}).get("models.policy.model", ""))
    return Known(
        Entry(
            name=name or model.label,
            added=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
            checkpoint="" if model.folder is None else str(model.folder),
            subject=model.subject,
            weights="" if trained is None else trained.fingerprint,
            base=base or public(roots[-1] if roots else policy),
            method="" if trained is None else trained.method,
            constitution=label,
            constitution_hash=digest,
        ),
        whole,
    )


def _run_facts(run: Path) -> dict[str, Any]:
    with RunStore.read(run) as store:
        return {name: store.meta(name) for name in ("constitution", "asked")}


def _whole(told: dict[str, Any]) -> Constitution | None:
    try:
        return Constitution.model_validate({k: told[k] for k in told if k != "hash"})
    except ValidationError:
        # Of another version of the toolkit, or none at all: its name stands in the training.
        return None


def _roots(folder: Path) -> Iterator[str]:
    """What a training began with, and what that began with, as far as the folders are there."""
    for _ in range(_MOST_STEPS_BACK):
        facts = folder / "training.json"
        if not facts.is_file():
            return
        config: dict[str, Any] = orjson.loads(facts.read_bytes()).get("config") or {}
        name = str((config.get("model") or {}).get("name") or "")
        if not name:
            return
        yield name
        folder = Path(name)
