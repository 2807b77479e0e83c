"""A job in a process of its own, whose memory is then its own, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cai.errors import TrainingError
from cai.train.compare.jobs import Done

if TYPE_CHECKING:
    import resource

    from cai.train.compare.jobs import Job, Say

__all__ = ["in_own_process"]


def in_own_process(job: Job, path: Path, say: Say) -> Done:
    """Carry out a job in a new process, which ends with this one at the latest.

    Args:
        job: what to do.
        path: file with the job; what the process writes to standard error goes beside it.
        say: is told what is being done.

    Raises:
        TrainingError: the job failed; the message is that of its own error.
    """
    errors, busy, began = path.with_name(f"{job.name}.stderr"), _busy(), time.monotonic()
    # -P: a file of the user's must not take the place of a package.
    command = [sys.executable, "-P", "-m", "cai.train.compare.child", str(path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with errors.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, **pipes)
    try:
        told = _listen(process, say)
        # Unlike getrusage for all children, this is the memory of the one process.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        _end(process)
    if "found" not in told:
        raise TrainingError(_failed(job, told, process.returncode, errors))
    found = told["found"]
    share = _others(busy, time.monotonic() - began, used)
    return Done(found, found.get("gpu_mb") or _peak_mb(used), share)


def _listen(process: subprocess.Popen[bytes], say: Say) -> dict[str, Any]:
    """Pass on what the process says until it has no more to say; returns its last words."""
    assert process.stdout is not None
    told: dict[str, Any] = {}
    for line in process.stdout:
        if not line.endswith(b"\n"):  # cut by a kill
            break
        told = orjson.loads(line)
        if "say" in told:
            say(told["say"])
    return told


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _failed(job: Job, told: dict[str, Any], code: int, errors: Path) -> str:
    if "error" in told:
        return f"{job.name}: {told['error']}"
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    if code == -signal.SIGKILL:
        how += ", perhaps because memory ran out (lower training.micro_batch_size or max_length)"
    return (
        f"{job.name}: its process {how}. What it said is in {errors}. Start the same command again "
        "to go on: what is finished is not done again."
    )


def _peak_mb(used: resource.struct_rusage) -> float | None:
    """Most memory of a process that has ended; None where it was less than what this one held.

    Linux counts for a new process also the memory of the one that started it.
    """
    peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return peak if peak > _held_mb() else None


def _held_mb() -> float:
    """Most memory of this process so far; 0 on systems that do not count it for others."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    held = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(held[0]) / 2**10 if held else 0.0


def _others(before: float | None, wall: float, used: resource.struct_rusage) -> float | None:
    """Share of the processors' time that was neither idle nor spent by the process itself."""
    after = _busy()
    if before is None or after is None or wall <= 0.0:
        return None
    spent = after - before - used.ru_utime - used.ru_stime
    return min(1.0, max(0.0, spent / (wall * (os.cpu_count() or 1))))


def _busy() -> float | None:
    """Seconds that all processors together were busy since the system began; None off Linux."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return None
    user, nice, system, _idle, _wait, *interrupts = stat.read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts))) / os.sysconf("SC_CLK_TCK")
