"""The secret of a run, from which the codes in its judge's delimiters are made.

It is drawn once, when the first request needs it, and kept in the store's meta; exports and
manifests do not show it. It is no part of the config, which is published with the data, and does
not come from the seed, which is guessed: whoever writes answers must not know it. Shards of a run
share it through a file beside them, so that a request is the same whichever shard asks it, and a
merge hands it on.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cai.errors import StoreError
from cai.quoting import new_secret

if TYPE_CHECKING:
    from cai.config import JudgeConfig
    from cai.store import RunStore
    from cai.store.shard import Shard

__all__ = ["quoting_secret", "stored_secret"]

_KEY = "quoting_secret"
_FILE = "quoting.key"


def quoting_secret(
    store: RunStore, run: Path, judge: JudgeConfig, shard: Shard | None = None
) -> bytes:
    """The secret of a run, drawn and stored if it has none; empty where none is needed.

    Args:
        store: open for writing.
        run: folder of the whole run.
        judge: its `quoting` says whether a secret is needed.
        shard: the part of the run that the store holds.

    Raises:
        StoreError: it cannot be stored or read.
    """
    if judge.quoting == "plain":
        return b""
    secret = stored_secret(store)
    if not secret:
        secret = _shared(run / "shards" / _FILE) if shard else new_secret()
        store.set_meta(**{_KEY: secret.hex()})
    return secret


def stored_secret(store: RunStore) -> bytes:
    """The secret that a run has; empty where it has none."""
    return bytes.fromhex(store.meta(_KEY) or "")


def _shared(path: Path) -> bytes:
    """The secret in a file that whoever comes first writes.

    Raises:
        StoreError: the file cannot be written, or holds something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
            draft.write(new_secret().hex())
            draft.flush()
            os.fsync(draft.fileno())
        try:
            # Fails if the file is there: all shards read the one that came first, and it is whole.
            os.link(draft.name, path)
        except FileExistsError:
            pass
        finally:
            Path(draft.name).unlink()
        return bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} cannot be used: {error}. It holds the secret that the shards of the run "
            "share. Check the disk and the permissions."
        ) from error
