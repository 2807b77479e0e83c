"""`kill -9` at random moments, ten times, and the run ends as if nothing had happened."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cai
from cai.hashing import canonical_json
from cai.records import Row
from cai.store import rows_for

PROMPTS = 60
KILLS = 10

# Each answer is noted in a file of its own before it reaches the store, so that the test can tell
# what was asked twice.
SCRIPT = f"""
import sys
from cai import Generation
from cai.engines import ScriptedEngine

class Noting(ScriptedEngine):
    async def complete(self, request):
        completion = await super().complete(request)
        with open(sys.argv[2], "a") as log:
            log.write(request.identity(self.fingerprint) + "\\n")
        return completion

run = Generation.create(
    "harmless-helpful",
    [f"Question {{i}}: what is {{i * 7}} plus one?" for i in range({PROMPTS})],
    policy=Noting(latency_s=float(sys.argv[3])),
    run=sys.argv[1],
    loop={{"samples": 2, "rounds": 2}},
    runtime={{"concurrency": 4}},
)
print("ready", flush=True)
for row in run:
    pass
print("finished", flush=True)
"""

pytestmark = pytest.mark.integration


def start(folder: Path, log: Path, latency: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(folder), str(log), str(latency)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(folder: Path, log: Path) -> None:
    process = start(folder, log, 0.0)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    assert output.split()[-1] == "finished"


def stored(folder: Path) -> tuple[list[Row], set[str]]:
    with cai.RunStore.read(folder) as store:
        store.check()
        rows = [row for row, _ in rows_for(store, "report")]
        calls = set(store.request_ids())
    return rows, calls


def test_ten_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    finish(tmp_path / "calm", tmp_path / "calm.log")
    calm_rows, calm_calls = stored(tmp_path / "calm")
    assert len(calm_rows) == PROMPTS

    rng = random.Random(20261123)
    folder, log = tmp_path / "killed", tmp_path / "killed.log"
    log.touch()
    killed_at_work = 0
    for _ in range(KILLS):
        answered_before = stored(folder)[1] if (folder / "run.db").exists() else set()
        lines_before = len(log.read_text().splitlines())
        process = start(folder, log, latency=0.02)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.8))
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate()
        killed_at_work += "finished" not in output
        asked = log.read_text().splitlines()[lines_before:]
        assert not answered_before & set(asked), "an answered call was asked again"
        if (folder / "run.db").exists():
            assert answered_before <= stored(folder)[1], "a stored answer was lost"
    finish(folder, log)

    rows, calls = stored(folder)
    assert [canonical_json(row) for row in rows] == [canonical_json(row) for row in calm_rows]
    assert calls == calm_calls
    assert killed_at_work >= KILLS // 2, "the kills came too late to prove anything"
