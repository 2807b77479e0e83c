"""What models, files and rows are called by their content, without starting anything."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.config import asked
from cai.engines import open_engine
from cai.engines.embedded import EMBEDDED_MODEL
from cai.engines.inprocess.identity import digest_of, model_digest
from cai.hashing import canonical_json, content_hash
from cai.store import RunStore, rows_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.config import Config, ModelConfig
    from cai.store import Purpose

__all__ = ["file_digest", "judge_identity", "path_identity", "role_identity", "rows_digest"]

_WHERE = ("model", "revision", "logprobs")
"""Keys of a model that say where its weights lie, or that answers do not depend on."""


def role_identity(model: ModelConfig) -> str:
    """Names a model of a config: by its weights where they lie here, or else by its name."""
    if model.engine in ("openai", "scripted"):
        # Engines of servers are made without reaching them.
        return open_engine(model).fingerprint
    keys = {key: value for key, value in asked(model).items() if key not in _WHERE}
    adapter = path_identity(model.vllm.adapter) if model.vllm.adapter else ""
    keys.pop("vllm.adapter", None)
    return content_hash([path_identity(model.model), model.revision, adapter, keys])


def judge_identity(config: Config, constitution: str) -> str:
    """Names a judge: its models, how they are asked, and the hash of what they judge under."""
    roles = config.models.roles
    judges = {
        role: role_identity(model)
        for role, model in roles.items()
        if role not in ("policy", "critic")
    }
    return content_hash([judges, asked(config.judge), config.loop.seed, constitution])


def path_identity(name: str) -> str:
    """A folder or file by its content; anything else, such as a name at a hub, by itself."""
    path = Path(name).expanduser()
    if name == EMBEDDED_MODEL or not path.exists():
        return name
    if path.is_file():
        return file_digest(path)
    if not (path / "config.json").is_file():
        # Adapters, for example.
        return _of_folder(path, False, _stamps(path))
    return _of_folder(path, True, _stamps(path))


@cache
def _of_folder(path: Path, model: bool, stamps: tuple[Any, ...]) -> str:
    """`stamps` tell when it must be read again."""
    del stamps
    return model_digest(str(path), path) if model else digest_of(sorted(path.glob("*")))


def _stamps(path: Path) -> tuple[Any, ...]:
    stats = ((file.name, file.stat()) for file in sorted(path.glob("*")) if file.is_file())
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rows_digest(run: Path, purposes: Iterable[Purpose]) -> str:
    """Of the finished rows of a run that are open to some purposes; memory does not grow."""
    digest = hashlib.sha256()
    with RunStore.read(run) as store, store.snapshot():
        for purpose in purposes:
            for row, split in rows_for(store, purpose):
                digest.update(canonical_json([split, row]) + b"\n")
    return digest.hexdigest()
