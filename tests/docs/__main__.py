"""Carry out the commands of the docs: `python -m tests.docs [DOCUMENT …]`, all when none is named.

For each fence of commands: what is carried out, how long it took, and its output if it failed.
Exits with 1 when a command failed or a fence leaves the convention (see `fences`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cai.engines.embedded import ensure_model

from .fences import Fence, documents, fence_problems, read_fences
from .scratch import Scratch

ROOT = Path(__file__).resolve().parent.parent.parent
BEFORE = Path(__file__).resolve().parent / "before"
_ALONE = "DOCS_CHECK_ALONE"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.docs", description=__doc__)
    parser.add_argument("documents", nargs="*", type=Path, help="for example docs/cost.md")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds for one fence")
    parser.add_argument(
        "--verbose", action="store_true", help="also print output of what went well"
    )
    arguments = parser.parse_args()
    chosen = [(ROOT / one).resolve() for one in arguments.documents] or documents(ROOT)
    ensure_model()  # before the network is gone
    _leave_the_network()
    failed = [check(one, arguments.timeout, arguments.verbose) for one in chosen]
    print(f"{len(chosen)} documents, {sum(failed)} with failures")
    return 1 if any(failed) else 0


def check(document: Path, timeout_s: float, verbose: bool) -> bool:
    """Carry out one document; whether something failed."""
    name = document.relative_to(ROOT).as_posix()
    problems = fence_problems(document)
    print(f"== {name}", *problems, sep="\n   ", flush=True)
    fences = read_fences(document)
    if not any(fence.has_commands and not fence.reason for fence in fences):
        print("   nothing to carry out")
        return bool(problems)
    with Scratch(ROOT, timeout_s) as scratch:
        before = BEFORE / f"{_stem(name)}.sh"
        if before.exists():
            text = before.read_text(encoding="utf-8")
            if not _carry_out(scratch, Fence(0, "bash", "", text), verbose):
                return True
        for fence in fences:
            if fence.file is not None:
                scratch.write(fence.file, fence.text, append=fence.append)
            elif fence.has_commands and not _carry_out(scratch, fence, verbose):
                return True  # what follows builds on it
    return bool(problems)


def _carry_out(scratch: Scratch, fence: Fence, verbose: bool) -> bool:
    where = f"line {fence.line}" if fence.line else "before"
    first = next((line for line in fence.text.splitlines() if line.strip()), "")
    if fence.reason:
        print(f"   {where:9} {'not run':>8}  {first}  [{fence.reason}]", flush=True)
        return True
    print(f"   {where:9} …  {first}", flush=True)
    done = scratch.run(fence.text)
    good = done.code == fence.exits
    how = "ok" if good else "took too long" if done.code is None else f"exit code {done.code}"
    print(f"   {where:9} {done.seconds:6.0f} s  {how}", flush=True)
    if not good or verbose:
        shown = fence.text + "--\n" + done.output
        print("\n".join(f"      | {line}" for line in shown.splitlines()), flush=True)
    return good


def _stem(name: str) -> str:
    """`docs/cost.md` → `cost`, `examples/06_dpo/README.md` → `06_dpo`, `README.md` → `readme`."""
    path = Path(name)
    if path.name != "README.md":
        return path.stem
    return path.parent.name or "readme"


def _leave_the_network() -> None:
    """Start again where there is nothing but the loopback; without the rights, say so and go on."""
    if os.environ.get(_ALONE):
        return
    wrapped = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c"]
    up = "ip link set lo up"
    can = shutil.which("unshare") and shutil.which("ip")
    if can and subprocess.run([*wrapped, up], capture_output=True, check=False).returncode == 0:
        command = [*wrapped, f'{up} && exec "$@"', "sh", sys.executable, "-m", "tests.docs"]
        os.execvpe("unshare", [*command, *sys.argv[1:]], {**os.environ, _ALONE: "1"})
    print(
        "This machine cannot shut the network off; the hub and package indexes are, all the same."
    )


if __name__ == "__main__":
    sys.exit(main())
