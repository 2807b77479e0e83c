"""Keeping `pipeline.json`: what a stage begins with, ends with, and why it is to be done again."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cai.hashing import content_hash
from cai.pipeline.identity import file_digest
from cai.pipeline.stages import Begun
from cai.store.stages import Output, StageRecord, Stages, read_stages, write_stages
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Done, Stage

__all__ = ["State", "differences", "reason"]


class State:
    """The stages of a pipeline on disk. Each change is written at once.

    Args:
        desk: the pipeline.
        stages: all of them; what is stored of others is forgotten at the first change.
    """

    def __init__(self, desk: Desk, stages: Sequence[Stage]) -> None:
        """Read what there is.

        Raises:
            StoreError: the file does not fit.
        """
        self._folder = desk.folder
        stored = read_stages(desk.folder) or Stages(desk.config.pipeline.validation)
        self._stages = Stages(
            desk.config.pipeline.validation,
            tuple(stored.find(one.name) or StageRecord(one.name) for one in stages),
        )
        self._began = 0.0

    def record(self, name: str) -> StageRecord:
        """What is known of a stage."""
        found = self._stages.find(name)
        assert found is not None
        return found

    def begin(self, stage: Stage, parts: Mapping[str, str]) -> Begun:
        """Note that a stage begins; says whether it was begun before."""
        before, inputs = self.record(stage.name), content_hash(parts)
        again = before.inputs == inputs and before.state in ("running", "failed")
        same = before.inputs == inputs and before.state != "done"
        self._began = time.monotonic()
        seconds = before.seconds if same else 0.0
        self.put(StageRecord(stage.name, "running", inputs, dict(parts), _now(), seconds=seconds))
        return Begun(parts, again)

    def finish(self, stage: Stage, done: Done) -> None:
        """Note what a stage has made."""
        before = self.record(stage.name)
        parts = before.parts if done.parts is None else done.parts
        self.put(
            replace(
                before,
                state="waiting" if done.waiting else "done",
                parts=dict(parts),
                inputs=content_hash(parts),
                finished=_now(),
                seconds=before.seconds + time.monotonic() - self._began,
                calls=done.calls,
                usd=done.usd,
                outputs=tuple(self._output(path) for path in done.outputs),
                said=done.said,
            )
        )

    def fail(self, stage: Stage, said: str) -> None:
        """Note why a stage came to no end."""
        before = self.record(stage.name)
        seconds = before.seconds + time.monotonic() - self._began
        self.put(replace(before, state="failed", finished=_now(), seconds=seconds, said=said))

    def lost(self, record: StageRecord, *, exists: bool = False) -> str:
        """The first output of a stage that is gone or is another one; empty where none is.

        Args:
            record: of the stage.
            exists: any content will do.
        """
        for output in record.outputs:
            path = self._folder / output.path
            if not path.is_file():
                return f"{output.path} is gone"
            stat = path.stat()
            same = (stat.st_size, stat.st_mtime_ns) == (output.bytes, output.modified)
            if not (exists or same) and file_digest(path) != output.sha256:
                return f"{output.path} is not what it made"
        return ""

    def put(self, record: StageRecord) -> None:
        """Put a record in place of that of the same stage."""
        stages = tuple(record if one.name == record.name else one for one in self._stages.stages)
        self._stages = replace(self._stages, stages=stages)
        write_stages(self._folder, self._stages)

    def _output(self, path: Path) -> Output:
        stat = path.stat()
        name = path.absolute().relative_to(self._folder.absolute()).as_posix()
        return Output(name, file_digest(path), stat.st_size, stat.st_mtime_ns)


def reason(record: StageRecord, parts: Mapping[str, str] | None) -> str:
    """Why a stage is to be carried out; empty where it is done and its inputs are the same.

    Args:
        record: what is known of it.
        parts: hashes of its inputs; None leaves them out of account.
    """
    states = {
        "pending": "first time",
        "running": "it was interrupted",
        "failed": "it came to no end before",
        "waiting": "it was waiting",
    }
    if record.state in states:
        return states[record.state]
    changed = [] if parts is None else differences(record.parts, parts)
    return f"changed: {listed(changed)}" if changed else ""


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Names of the inputs whose hashes differ."""
    return sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
