"""What the benchmarks share: the stub in a process of its own, `cai generate`, prompts, results."""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "RESULTS",
    "Cost",
    "StubProcess",
    "Work",
    "config_of",
    "medians",
    "run_cai",
    "running_stub",
    "show",
    "start_cai",
    "write_prompts",
    "write_results",
]

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CALM = {"latency": 0.2, "p400": 0, "p429": 0, "p500": 0, "phang": 0, "pcut": 0, "pbad": 0}
Figures = dict[str, float]


class StubProcess:
    """A running stub server and its counters."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def stats(self, since: float = 0.0) -> dict[str, Any]:
        """The counters since the last reset.

        Args:
            since: of `time.monotonic`; `answered_since` counts the answers after it.
        """
        return self._ask(f"/stats?since={since!r}", "GET")

    def reset(self, **knobs: float) -> None:
        """Zero the counters, set the knobs that are named, and no faults otherwise."""
        self._ask(f"/reset?{urlencode(CALM | knobs)}", "POST")

    def _ask(self, path: str, method: str) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            found: dict[str, Any] = json.load(response)
        return found


@contextmanager
def running_stub() -> Iterator[StubProcess]:
    """A stub server on a free port. It ends with the block, and with this process at the latest."""
    command = [sys.executable, str(HERE / "stub_server.py"), "--with-parent"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield StubProcess(json.loads(process.stdout.readline())["port"])
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


@dataclass(frozen=True)
class Cost:
    """What a process took: wall clock and processor in seconds, most memory in MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def start_cai(*arguments: str | Path, log: Any) -> subprocess.Popen[bytes]:
    """Start the `cai` command of this checkout in a fresh process; its output goes to `log`."""
    command = "import sys; from cai.cli import main; sys.exit(main())"
    path = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-c", command, *map(str, arguments)],
        stdout=log,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": path},
    )


def run_cai(*arguments: str | Path, timeout_s: float = 3600) -> Cost:
    """Run a `cai` command to its end.

    Raises:
        SystemExit: it failed or took too long; its output is shown.
    """
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        process = start_cai(*arguments, log=log)
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        try:
            # Unlike getrusage for all children, this is the cost of the one process.
            _, status, used = os.wait4(process.pid, 0)
        finally:
            timer.cancel()
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            said = log.read().decode(errors="replace")
            raise SystemExit(f"cai {arguments[0]} ended with {process.returncode}:\n{said}")
    per_mb = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / per_mb)


@dataclass(frozen=True)
class Work:
    """What is asked: how many prompts, how they are sent, and how pairs are judged."""

    prompts: int
    concurrency: int
    orders: str = "first"
    billing: str = "auto"


def config_of(folder: Path, work: Work, url: str | None) -> Path:
    """Write a config and its prompts: sample, critique, revise and judge, each once per prompt.

    Args:
        folder: where to write; the run goes to its `run`.
        work: what is asked.
        url: the stub; without one, the scripted engine answers.
    """
    write_prompts(folder / "prompts.jsonl", work.prompts)
    model = {"engine": "openai", "model": "stub", "billing": work.billing, "base_url": f"{url}/v1"}
    config = {
        "run": str(folder / "run"),
        "prompts": {"path": "prompts.jsonl"},
        "models": {"policy": model if url else {"engine": "scripted", "model": "scripted"}},
        "loop": {"samples": 1, "rounds": 1, "pairs": ["revision"]},
        "judge": {"orders": work.orders},
        "runtime": {"concurrency": work.concurrency, "durable": True},
    }
    # JSON is YAML, and is read by the same loader.
    path = folder / "cai.yaml"
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")
    return path


def write_prompts(path: Path, count: int, seed: int = 20261123) -> None:
    """Write prompts of realistic lengths, the same for the same seed.

    Lengths are log-normal with a median of 25 words, from 4 to 400; one prompt in twenty repeats
    an earlier one with another last word.
    """
    rng = random.Random(seed)
    syllables = [a + b + c for a in "bdfghklmnprstvw" for b in "aeiou" for c in ("", "l", "n")]
    words = [a + b for a in syllables[::3] for b in syllables[1::7]]
    recent: list[list[str]] = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            if recent and number % 20 == 19:
                text = [*rng.choice(recent), rng.choice(words)]
            else:
                length = min(max(round(rng.lognormvariate(3.22, 0.8)), 4), 400)
                text = rng.choices(words, k=length)
                recent = [*recent[-99:], text]
            file.write(json.dumps({"prompt": f"{' '.join(text).capitalize()}?"}) + "\n")


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of each figure."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def show(name: str, figures: Mapping[str, float]) -> None:
    """Print the figures of one measurement in one line."""
    shown = "  ".join(f"{key} {value:.4g}" for key, value in figures.items())
    print(f"{name}: {shown}", flush=True)


def write_results(name: str, found: Mapping[str, Any]) -> Path:
    """Write what was found, and on what machine, to `results/<name>.json`."""
    facts = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {package: version(package) for package in ("aiohttp", "openai", "orjson")},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": facts, "found": found}, indent=1) + "\n")
    print(f"Wrote {path}")
    return path
