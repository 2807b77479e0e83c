"""A folder outside the checkout in which the commands of one document run, one after another."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["Done", "Scratch"]

# Each block is a process of its own; the next one begins where it ended, as in one shell.
_SCRIPT = """\
set -aeuo pipefail  # all variables are exported, for the next block
state=$DOCS_CHECK_STATE
if [ -f "$state/env" ]; then . "$state/env"; cd "$(cat "$state/cwd")"; fi
trap 'code=$?; export -p > "$state/env"; pwd > "$state/cwd"; exit $code' EXIT
"""


@dataclass(frozen=True)
class Done:
    """How a block ended."""

    code: int | None
    """Its exit code; none when it took too long."""
    seconds: float
    output: str


class Scratch:
    """A copy of the files of a checkout, without its history, environments and runs."""

    def __init__(self, root: Path, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._home = tempfile.TemporaryDirectory(prefix="docs-check-", ignore_cleanup_errors=True)
        self.folder = Path(self._home.name) / root.name
        self._state = Path(self._home.name) / "state"
        self._state.mkdir()
        self._groups: list[int] = []
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (root / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, self.folder / name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for group in self._groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                continue  # nothing of it was left running
        self._home.cleanup()

    def write(self, name: str, text: str, *, append: bool) -> None:
        """Write what a document shows to a file, relative to where its commands are."""
        cwd = self._state / "cwd"
        place = Path(cwd.read_text().strip()) if cwd.exists() else self.folder
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        with (place / name).open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, text: str) -> Done:
        """Carry out a shell text; what it leaves in the background goes on until the end."""
        began = time.monotonic()
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            process = subprocess.Popen(
                ["bash", "-c", _SCRIPT + text],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._groups.append(process.pid)
            try:
                code = process.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                code = None
            output.seek(0)
            return Done(code, time.monotonic() - began, output.read())

    def _environment(self) -> dict[str, str]:
        scripts = Path(sys.executable).parent
        return {
            **os.environ,
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "DOCS_CHECK_STATE": str(self._state),
            "HF_HUB_OFFLINE": "1",
            "PIP_NO_INDEX": "1",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "120",
        }
