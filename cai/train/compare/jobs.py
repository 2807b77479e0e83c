"""Pieces of a comparison, and what came of those that are done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import orjson

from cai.hashing import canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Say = Callable[[str], None]
    Start = Callable[["Job", Path, Say], "Done"]

__all__ = ["Done", "Job", "Records"]


@dataclass(frozen=True, slots=True)
class Job:
    """What a process does.

    Args:
        name: of its record.
        kind: `bare` loads the model and no more, `train` trains, `untrained` and `measure` look at
            the model before and after a training.
        key: hash of all that the result depends on.
        config: of the training, as plain data.
        method: of `train`, as `cai train` knows it.
        reward: folder of the reward model that scores answers; None when there is none.
        scratch: folder for log-probabilities.
        resume: `train` goes on from the last checkpoint.
    """

    name: str
    kind: Literal["bare", "train", "untrained", "measure"]
    key: str
    config: dict[str, Any]
    method: str = ""
    reward: str | None = None
    scratch: str = "."
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job.

    Args:
        found: by name, plain data.
        peak_mb: most memory of its process, or of the GPU; None where that cannot be told.
        others: share of the processors that other processes took meanwhile; None where that cannot
            be told.
    """

    found: dict[str, Any] = field(default_factory=dict)
    peak_mb: float | None = None
    others: float | None = None


class Records:
    """Finished jobs, one file each; a job that is not finished leaves only the file that says so.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begun(self, name: str) -> bool:
        """Whether such a job was ever begun here."""
        return (self.folder / f"{name}.job.json").is_file()

    def find(self, job: Job) -> tuple[Done | None, dict[str, Any]]:
        """The result of the same job, and the config of the last finished job of that name."""
        path = self.folder / f"{job.name}.json"
        if not path.is_file():
            return None, {}
        record = orjson.loads(path.read_bytes())
        done = Done(**record["done"]) if record["key"] == job.key else None
        return done, record["config"]

    def begin(self, job: Job) -> Path:
        """Note that a job begins; returns the file that says what it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{job.name}.json").unlink(missing_ok=True)
        path = self.folder / f"{job.name}.job.json"
        path.write_bytes(canonical_json(asdict(job)))
        return path

    def keep(self, job: Job, done: Done) -> None:
        """Keep a result, as a whole or not at all."""
        record = {"key": job.key, "config": job.config, "done": asdict(done)}
        part = self.folder / f"{job.name}.part"
        part.write_bytes(canonical_json(record))
        part.replace(self.folder / f"{job.name}.json")
