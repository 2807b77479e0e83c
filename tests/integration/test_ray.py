"""Real Ray on this machine: a killed worker, Ctrl-C, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cai.errors import StoreError
from cai.store import RunStore
from cai.store.shard import found_shards
from tests.unit.shard_helpers import PROMPTS, dump

pytest.importorskip("ray")
pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parents[2] / "examples/10_ray/config.yaml"


def example(run: Path) -> dict[str, Any]:
    """The config of the example with other prompts, a stand-in for its model, and fewer calls."""
    return YAML(typ="safe").load(EXAMPLE) | {
        "run": str(run),
        "prompts": {"path": "prompts.jsonl"},
        "models": {"policy": {"engine": "scripted", "model": "scripted"}},
        "split": {"similarity": 0.5, "dev": 0.2, "held_out": 0.3},
        "runtime": {"concurrency": 4},
    }


# Each call is noted, with the shard's process, before it is answered. What is defined in a script
# is sent to the workers by value.
SCRIPT = """
import os, sys
from cai.config import load_config
from cai.engines import Engines, ScriptedEngine
from cai.scale import spread

class Noting(ScriptedEngine):
    async def complete(self, request):
        completion = await super().complete(request)
        with open(LOG, "a") as log:
            log.write(f"{os.getpid()} {request.identity(self.fingerprint)}\\n")
        return completion

LOG, LATENCY = sys.argv[2], float(sys.argv[3])

def engines():
    engine = Noting(latency_s=LATENCY)
    return Engines(engine, engine, engine)

progress, merged = spread(
    load_config(sys.argv[1]), workers=2, engines=engines, tell=lambda d: print(d.lost, flush=True)
)
print("rows", progress.before + progress.done, "missing", merged.missing)
"""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    with (tmp_path / "prompts.jsonl").open("w") as file:
        for prompt in PROMPTS:
            file.write(json.dumps({"prompt": prompt}) + "\n")
    path = tmp_path / "cai.yaml"
    # JSON is YAML, too.
    path.write_text(json.dumps(example(tmp_path / "many")))
    yield path
    end = time.monotonic() + 10.0
    while (left := in_sessions()) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    STARTED.clear()
    assert not left, "processes were left behind"


STARTED: list[subprocess.Popen[str]] = []


def in_sessions() -> list[int]:
    """All processes that descend from those that this test started, with or without parents."""
    sessions = {process.pid for process in STARTED}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getsid(int(folder.name)) in sessions:
                found.append(int(folder.name))
    return found


def start(*command: str) -> subprocess.Popen[str]:
    # Whoever starts the tests in the background has SIGINT ignored, and children inherit that.
    handled = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", handled + command[0], *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    STARTED.append(process)
    return process


def end_of(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=900)
    return output


def cli(*arguments: str) -> str:
    output = end_of(process := start("from cai.cli import main; main()", *arguments))
    assert process.returncode == 0, output
    return output


def one_process(config: Path, folder: Path) -> dict[str, list[object]]:
    cli("generate", str(config), "--run", str(folder))
    return dump(folder)


def answered(run: Path) -> set[str]:
    """Answered calls of all shards; those that begin at this moment have none."""
    found: set[str] = set()
    for shard in found_shards(run):
        with suppress(StoreError), RunStore.read(shard.folder(run)) as store:
            found |= set(store.request_ids())
    return found


def wait_for(condition: object, seconds: float = 900.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_worker_changes_nothing(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "calls.log"
    log.touch()
    process = start(SCRIPT, str(config), str(log), "0.02")
    # Half-way: about half of the calls of the whole run.
    wait_for(lambda: len(log.read_text().splitlines()) > 110)
    victim = int(log.read_text().splitlines()[-1].split()[0])
    os.kill(victim, signal.SIGKILL)
    before = answered(tmp_path / "many")
    lines = len(log.read_text().splitlines())
    output = end_of(process)
    assert process.returncode == 0, output
    assert f"rows {len(set(PROMPTS))} missing ()" in output
    assert "\n1\n" in output, "no worker was replaced"

    asked = [line.split() for line in log.read_text().splitlines()]
    assert not before & {call for _, call in asked[lines:]}, "an answered call was asked again"
    twice = [call for call, n in Counter(call for _, call in asked).items() if n > 1]
    # Asked twice at most: what the killed worker had on the wire.
    killed = {call for pid, call in asked if int(pid) == victim}
    assert len(twice) <= 4
    assert set(twice) <= killed
    # The new worker may find that the other one has done the rest while it started.
    assert len({pid for pid, _ in asked}) in (2, 3)
    assert dump(tmp_path / "many") == one_process(config, tmp_path / "one")


def test_ctrl_c_stops_all_workers_and_the_rest_is_done_later(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "calls.log"
    log.touch()
    process = start(SCRIPT, str(config), str(log), "0.03")
    wait_for(lambda: len(log.read_text().splitlines()) > 50)
    process.send_signal(signal.SIGINT)
    output = end_of(process)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in output
    before = answered(tmp_path / "many")
    assert len(before) > 40

    # The rest through the command line, which also exports.
    output = cli("generate", str(config), "--executor", "ray", "--workers", "2")
    assert f"{len(set(PROMPTS))} done, 0 failed" in output
    assert "8 of 8 shards done" in output
    assert (tmp_path / "many/export/preferences.jsonl").exists()
    assert dump(tmp_path / "many") == one_process(config, tmp_path / "one")
