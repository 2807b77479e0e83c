"""Log-probabilities of the reference, computed once and kept beside the training.

Processes share the work, and the main process writes what all have found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import torch

from cai.hashing import content_hash
from cai.train import processes
from cai.train.models import answer_log_probs
from cai.train.tokens import Encoder, pad_right

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cai.records import Message

__all__ = ["reference_log_probs"]


@torch.no_grad()
def reference_log_probs(
    model: Any,
    encoder: Encoder,
    questions: Mapping[str, tuple[Sequence[Message], str]],
    *,
    fingerprint: str,
    batch_size: int,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Summed log-probabilities of answers under a model, from the cache where they are known.

    Args:
        model: the reference, with its adapters off.
        encoder: must be that of the training, or lengths would differ.
        questions: prompt and answer by name.
        fingerprint: names the weights of the reference.
        batch_size: answers that are computed at once.
        cache: a file; one of other questions or another model is written anew.
        progress: called with how many are done, and how many there are.

    Returns:
        Log-probabilities in nats, by the same names.
    """
    key = content_hash([fingerprint, encoder.max_length, sorted(questions)])
    # The main process looks for all, so that they agree on what is left to do.
    known = processes.from_main(_read(cache, key))
    if known is not None:
        return known
    rows = {name: encoder.pair(*question) for name, question in questions.items()}
    # Rows of like length together: less padding.
    names = sorted(rows, key=lambda name: len(rows[name][0]) + len(rows[name][1]))
    batches = [names[start : start + batch_size] for start in range(0, len(names), batch_size)]
    own: list[tuple[str, float]] = []
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    for part in batches[processes.rank() :: processes.count()]:
        batch = pad_right([rows[name] for name in part], 0)
        totals, _ = answer_log_probs(model, {k: v.to(device) for k, v in batch.items()})
        own += zip(part, totals.tolist(), strict=True)
        if progress is not None:
            progress(min(len(own) * processes.count(), len(names)), len(names))
    model.train(was_training)
    values = dict(processes.joined(own))
    if processes.is_main():
        _write(cache, key, values)
    return values


def _read(cache: Path, key: str) -> dict[str, float] | None:
    if not cache.is_file():
        return None
    found = orjson.loads(cache.read_bytes())
    return dict(found["values"]) if found["key"] == key else None


def _write(cache: Path, key: str, values: dict[str, float]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    temporary = cache.with_suffix(".tmp")
    temporary.write_bytes(orjson.dumps({"key": key, "values": values}))
    temporary.replace(cache)
