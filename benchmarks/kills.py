"""`kill -9` at random moments of `cai generate`, then a finishing run: what is lost or paid twice.

Each life of the process is ended a random time after its first request, one in five already while
it starts. Afterwards the run must hold the same rows as one that was never killed.

    python benchmarks/kills.py
    python benchmarks/kills.py --kills 40 --seed 7
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from measuring import (
    Figures,
    StubProcess,
    Work,
    config_of,
    run_cai,
    running_stub,
    show,
    start_cai,
    write_results,
)

LATENCY_S = 0.2
LONGEST_START_S = 60.0


def one_life(
    stub: StubProcess, config: Path, after_s: float, *, while_starting: bool
) -> tuple[bool, int]:
    """Start the command and kill it.

    The system takes some milliseconds to end a process, and its connections stay open until then.
    What the server answers in this time reaches nobody, whatever the program does.

    Args:
        stub: the server.
        config: of the run.
        after_s: seconds from the first request of this life to the kill.
        while_starting: count them from the start of the process.

    Returns:
        Whether it was still at work, and how many answers came after the signal.
    """
    before = stub.stats()["received"]
    with tempfile.TemporaryFile() as log:
        process = start_cai("generate", config, log=log)
        until = time.monotonic() + LONGEST_START_S
        while (
            not while_starting
            and process.poll() is None
            and time.monotonic() < until
            and stub.stats()["received"] == before
        ):
            time.sleep(0.01)
        time.sleep(after_s)
        at_work = process.poll() is None
        signalled = time.monotonic()
        process.kill()
        process.wait()
    return at_work, stub.stats(signalled)["answered_since"]


def rows_of(run: Path) -> Counter[tuple[str, str, bytes]]:
    """Every row of a run, counted, after SQLite's own check of the file.

    Raises:
        SystemExit: the file is damaged.
    """
    with closing(sqlite3.connect(run / "run.db")) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise SystemExit(f"{run / 'run.db'} is damaged: {verdict}")
        return Counter(connection.execute("SELECT prompt_id, status, record FROM rows"))


def stored_calls(run: Path) -> int:
    """How many answered calls a run holds."""
    with closing(sqlite3.connect(run / "run.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


def measure(stub: StubProcess, work: Work, kills: int, seed: int) -> Figures:
    """A calm run, then one that is killed `kills` times and finished."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="cai-bench-") as name:
        calm, killed = Path(name) / "calm", Path(name) / "killed"
        for folder in (calm, killed):
            folder.mkdir()
        stub.reset(latency=LATENCY_S)
        run_cai("generate", config_of(calm, work, stub.url))
        # So long that the kills fall all over the work; each life waits for its first answers anew.
        whole_s = stub.stats()["span_s"]
        stub.reset(latency=LATENCY_S)
        config, at_work, too_late = config_of(killed, work, stub.url), 0, 0
        for number in range(kills):
            after_s = rng.uniform(0, 3 * whole_s / (kills + 1))
            starting = rng.random() < 0.2
            was_at_work, answered = one_life(stub, config, after_s, while_starting=starting)
            at_work += was_at_work
            too_late += answered
            done = stub.stats()
            print(f"kill {number + 1}/{kills}: {done['unique_answered']} answered", flush=True)
        run_cai("generate", config)
        seen, wanted, got = stub.stats(), rows_of(calm / "run"), rows_of(killed / "run")
        return {
            "kills": kills,
            "killed_at_work": at_work,
            "rows": got.total(),
            "rows_lost_or_other": (wanted - got).total(),
            "rows_doubled_or_other": (got - wanted).total(),
            "calls_stored": stored_calls(killed / "run"),
            "calls_answered": seen["unique_answered"],
            "asked_again": seen["asked_again"],
            "asked_again_per_kill": (seen["asked_again"] - too_late) / kills,
            "answered_after_the_signal_per_kill": too_late / kills,
            "on_the_wire_per_kill": seen["client_gone"] / kills,
        }


def main() -> None:
    """Measure, print and write the results."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--prompts", type=int, default=500)
    options.add_argument("--concurrency", type=int, default=64)
    options.add_argument("--seed", type=int, default=20261123, help="of the moments")
    options.add_argument("--name", default="kills", help="of the file of results")
    given = options.parse_args()
    with running_stub() as stub:
        work = Work(given.prompts, given.concurrency)
        found = measure(stub, work, given.kills, given.seed)
    show("kills", found)
    write_results(given.name, {"kills": found})


if __name__ == "__main__":
    main()
