"""Walking through the stages: what has not changed is left, what has is done again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.errors import CaiError, ChangedRunError, UsageError
from cai.pipeline import checking, evaluating, generating, reporting, training, validating
from cai.pipeline.preflight import preflight
from cai.pipeline.stages import make_stages, select_stages
from cai.pipeline.state import State, reason
from cai.store.connect import PIPELINE_LOCK, lock_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Kind, Stage

__all__ = ["MODULES", "Outcome", "carry_out", "why"]

MODULES: Mapping[Kind, ModuleType] = {
    "generate": generating,
    "check": checking,
    "validate": validating,
    "train": training,
    "evaluate": evaluating,
    "report": reporting,
}
"""Each has `inputs(desk, stage)` and `carry_out(desk, stage, begun)`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a start.

    Args:
        done: names of stages that were carried out.
        left: names of stages that were left as they are.
        waiting: what people have to do before it goes on; empty where they need not.
    """

    done: tuple[str, ...]
    left: tuple[str, ...]
    waiting: str = ""


def carry_out(desk: Desk, *, first: str | None = None, last: str | None = None) -> Outcome:
    """Carry out a pipeline, or a part of it; not within a running event loop.

    Everything that can be checked is checked first. Start it again to go on: `pipeline.json` in the
    run says what is done, and each stage goes on where it was.

    Args:
        desk: the pipeline.
        first: name or kind of a stage. Those before it are left as they are, changed or not.
        last: name or kind of the stage after which to stop.

    Raises:
        CaiError: a stage cannot be carried out; what it has done is kept.
        UsageError: the config cannot be used, or a stage before `first` was never carried out.
    """
    stages = make_stages(desk.config.pipeline)
    begin, end = select_stages(stages, first, last)
    preflight(desk, stages)
    lock = lock_run(desk.folder, PIPELINE_LOCK)
    try:
        return _walk(desk, stages, begin, end)
    finally:
        lock.close()


def _walk(desk: Desk, stages: tuple[Stage, ...], begin: int, end: int) -> Outcome:
    state = State(desk, stages)
    done: list[str] = []
    left: list[str] = []
    for number, stage in enumerate(stages[: end + 1]):
        place = (number + 1, len(stages))
        if number < begin:
            if state.record(stage.name).state != "done":
                raise UsageError(
                    f"The stage {stage.name} comes before --from, and it was never carried out to "
                    "its end. Leave --from out, or name an earlier stage."
                )
            desk.watcher.left(stage, *place, "it comes before --from")
            left.append(stage.name)
            continue
        parts: dict[str, str] = MODULES[stage.kind].inputs(desk, stage)
        because = why(desk, state, stage, parts)
        if not because:
            desk.watcher.left(stage, *place, "unchanged")
            left.append(stage.name)
            continue
        desk.watcher.heading(stage, *place, because)
        waiting = _do(desk, state, stage, parts)
        if waiting:
            return Outcome(tuple(done), tuple(left), waiting)
        done.append(stage.name)
    return Outcome(tuple(done), tuple(left))


def _do(desk: Desk, state: State, stage: Stage, parts: Mapping[str, str]) -> str:
    """Carry out a stage; returns what it waits for."""
    before, begun = state.record(stage.name), state.begin(stage, parts)
    try:
        done = MODULES[stage.kind].carry_out(desk, stage, begun)
    except ChangedRunError:
        # Nothing was done, and the old config may come back.
        state.put(before)
        raise
    except KeyboardInterrupt:
        # As after a kill: the stage was begun, and is gone on with.
        raise
    except BaseException as error:
        told = str(error) if isinstance(error, CaiError) else type(error).__name__
        state.fail(stage, told or "interrupted")
        raise
    state.finish(stage, done)
    return done.said if done.waiting else ""


def why(desk: Desk, state: State, stage: Stage, parts: Mapping[str, str] | None) -> str:
    """Why a stage is to be carried out; empty where it is to be left.

    Args:
        desk: the pipeline.
        state: what is known of it.
        stage: one of its stages.
        parts: hashes of its inputs; None where they are not known yet.
    """
    record = state.record(stage.name)
    if found := reason(record, parts):
        return found
    generates = stage.kind == "generate"
    # The truth of a run is its store; the exports can be written again at any time.
    if found := state.lost(record, exists=generates):
        return found
    return generating.unfinished(desk, stage) if generates else ""
