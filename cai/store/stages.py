"""`pipeline.json` in the folder of a run: what each stage of `cai run` has made, and from what."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

import orjson

from cai.constitution.atomic import write_atomically
from cai.errors import StoreError
from cai.loading import load

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILE", "Output", "StageRecord", "StageState", "Stages", "read_stages", "write_stages"]

FILE = "pipeline.json"

StageState = Literal["pending", "running", "done", "failed", "waiting"]
"""`pending` was never begun. A stage is `running` on disk, too, when its process was killed."""


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a stage made; `path` is relative to the run.

    `bytes` and `modified` (nanoseconds) tell most of the time that it is still the same without
    reading it.
    """

    path: str
    sha256: str
    bytes: int
    modified: int


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What is known of a stage.

    `parts` are hashes of all that it depends on, by name; `inputs` is the hash of them all.
    `seconds` are those of all starts with these inputs; `calls` and `usd` what its store holds
    (dollars are None where a call has no known price). `said` is why it failed or waits, or what
    there is to say of its result.
    """

    name: str
    state: StageState = "pending"
    inputs: str = ""
    parts: dict[str, str] = field(default_factory=dict)
    started: str | None = None
    finished: str | None = None
    seconds: float = 0.0
    calls: int = 0
    usd: float | None = 0.0
    outputs: tuple[Output, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Stages:
    """All stages in their order. `validate` is what the config says about people's labels."""

    validate: Literal["required", "skip"]
    stages: tuple[StageRecord, ...] = ()
    format: Literal[1] = 1

    def find(self, name: str) -> StageRecord | None:
        """The record of a stage, if there is one."""
        return next((one for one in self.stages if one.name == name), None)


def read_stages(run: Path) -> Stages | None:
    """The stages of a run; None when it was not made by `cai run`.

    Raises:
        StoreError: the file does not fit.
    """
    from pydantic import ValidationError

    path = run / FILE
    if not path.is_file():
        return None
    try:
        return load(Stages, path.read_bytes())
    except ValidationError as error:
        raise StoreError(
            f"{path} is no record of a pipeline: {error.error_count()} keys are wrong. It must be "
            "as `cai run` writes it. Remove it: the next start looks at what there is."
        ) from error


def write_stages(run: Path, stages: Stages) -> None:
    """Write the stages, in one step.

    Raises:
        UsageError: the file cannot be written.
    """
    text = orjson.dumps(asdict(stages), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_atomically(run / FILE, text.decode())
