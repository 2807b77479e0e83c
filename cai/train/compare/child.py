"""The process of one job: `python -m cai.train.compare.child JOB`.

It writes one JSON object a line: `say` with a line for people, and at the end `found` or `error`.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cai.errors import CaiError
from cai.train.compare.jobs import Job
from cai.train.compare.work import carry_out

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]


def main(path: Path) -> int:
    """Carry out the job that a file describes; returns the exit code."""
    tell = _channel()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = Job(**orjson.loads(path.read_bytes()))
    try:
        found = carry_out(job, lambda text: tell({"say": text}))
    except (CaiError, OSError) as error:
        tell({"error": str(error)})
        return 1
    tell({"found": found})
    return 0


def _channel() -> Callable[[dict[str, Any]], None]:
    """Standard output for our own lines alone: what libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def tell(message: dict[str, Any]) -> None:
        out.write(orjson.dumps(message) + b"\n")
        out.flush()

    return tell


def _end_with_parent() -> None:
    """Leave when standard input ends: a training must not go on beside the one that replaces it."""
    # Not sys.stdin: its lock, held here, would be missed when the interpreter shuts down.
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
