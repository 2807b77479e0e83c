"""How close `cai generate` comes to the time that the server alone would need.

Starts the stub server and the real command in processes of their own, with default templates,
provenance, progress and durable commits. Ideal is calls × latency / concurrency. All times and
concurrencies are the server's. Run it when the machine is otherwise idle:

    python benchmarks/loop.py
    python benchmarks/loop.py chain64 faults --repeat 5 --name mine
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from measuring import (
    Figures,
    StubProcess,
    Work,
    config_of,
    medians,
    run_cai,
    running_stub,
    show,
    write_results,
)

LATENCY_S = 0.2
FAULTS = {"p429": 0.05, "p500": 0.02, "phang": 0.01, "retry_after": 1}


@dataclass(frozen=True)
class Scenario:
    """One thing to measure; `ceiling` also measures a bare client on as many requests."""

    work: Work
    faults: dict[str, float] = field(default_factory=dict)
    ceiling: bool = False


SCENARIOS = {
    "chain64": Scenario(Work(500, 64)),
    "both64": Scenario(Work(500, 64, orders="both")),
    "wide256": Scenario(Work(2000, 256), ceiling=True),
    "faults": Scenario(Work(500, 64), FAULTS),
    "faults-paid": Scenario(Work(500, 64, billing="paid"), FAULTS),
}


async def bare_client(url: str, concurrency: int, requests: int) -> float:
    """Seconds that a bare aiohttp client needs for so many small requests."""
    import aiohttp

    numbers = iter(range(requests))

    async def ask(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            message = {"role": "user", "content": f"Request {number}. {'x' * 600}"}
            body = {"model": "stub", "messages": [message]}
            async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                await response.json()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(ask(session) for _ in range(concurrency)))
        return time.perf_counter() - began


def ceiling(stub: StubProcess, concurrency: int, requests: int) -> float:
    """Seconds of the bare client in a fresh process, from the first to the last request."""
    stub.reset(latency=LATENCY_S)
    command = [sys.executable, __file__, "--bare", stub.url, str(concurrency), str(requests)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return float(stub.stats()["span_s"])


def starting(stub: StubProcess, work: Work) -> tuple[float, int]:
    """Processor seconds and calls of a run of a single prompt: start-up, exports and little more.

    The median of three, because a start takes as long as thousands of calls.
    """
    seconds = []
    for _ in range(3):
        stub.reset(latency=0.0)
        with tempfile.TemporaryDirectory(prefix="cai-bench-") as folder:
            config = config_of(Path(folder), replace(work, prompts=1), stub.url)
            seconds.append(run_cai("generate", config).cpu_s)
    return statistics.median(seconds), stub.stats()["unique_answered"]


def measure(stub: StubProcess, scenario: Scenario) -> Figures:
    """One run of `cai generate`, then the same command again, which finds the run finished.

    The processor time per call is that of one more call: what a run of a single prompt needs is
    taken off.
    """
    work = scenario.work
    start_s, start_calls = starting(stub, work)
    with tempfile.TemporaryDirectory(prefix="cai-bench-") as folder:
        config = config_of(Path(folder), work, stub.url)
        stub.reset(latency=LATENCY_S, **scenario.faults)
        cost = run_cai("generate", config)
        seen = stub.stats()
        run_cai("generate", config)
        asked = stub.stats()["received"] - seen["received"]
        rows = done_rows(Path(folder) / "run")
    calls = seen["unique_answered"]
    ideal = calls * LATENCY_S / work.concurrency
    return {
        "rows_done": rows,
        "calls": calls,
        "span_s": seen["span_s"],
        "ideal_s": ideal,
        "over_ideal": seen["span_s"] / ideal,
        "cpu_ms_per_call": 1000 * (cost.cpu_s - start_s) / (calls - start_calls),
        "cpu_s": cost.cpu_s,
        "cpu_start_s": start_s,
        "wall_s": cost.wall_s,
        "peak_mb": cost.peak_mb,
        "mean_concurrency": seen["mean_concurrency"],
        "peak_concurrency": seen["peak_concurrency"],
        "answered_twice": seen["answered_again"],
        "asked_after_finish": asked,
        **{f"fault_{name}": count for name, count in sorted(seen["faults"].items())},
    }


def done_rows(run: Path) -> int:
    """How many rows of a run are done."""
    from cai.store import RunStore

    with RunStore.read(run) as store:
        return sum(n for (_, status), n in store.row_counts().items() if status == "done")


def repeat(stub: StubProcess, name: str, times: int, prompts: int | None) -> dict[str, object]:
    """Measure a scenario several times; the bare client runs before and after each."""
    scenario = SCENARIOS[name]
    if prompts:
        scenario = replace(scenario, work=replace(scenario.work, prompts=prompts))
    concurrency, runs = scenario.work.concurrency, []
    for number in range(times):
        requests = 4 * scenario.work.prompts
        before = ceiling(stub, concurrency, requests) if scenario.ceiling else 0.0
        figures = measure(stub, scenario)
        if scenario.ceiling:
            after = ceiling(stub, concurrency, requests)
            # Of equal shares of work: the bare client may have done more or fewer requests.
            bare = (before + after) / 2 * figures["calls"] / requests
            figures |= {"bare_before_s": before, "bare_after_s": after}
            figures["over_bare"] = figures["span_s"] / bare
        runs.append(figures)
        show(f"{name} {number + 1}/{times}", figures)
    # A rare fault may not come up in each run.
    common = set.intersection(*(set(run) for run in runs))
    runs = [{key: value for key, value in run.items() if key in common} for run in runs]
    return {"median": medians(runs), "runs": runs}


def main() -> None:
    """Measure the scenarios that were named, or all of them."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("scenarios", nargs="*", help=f"of {', '.join(SCENARIOS)}; all when absent")
    options.add_argument("--repeat", type=int, default=3, help="runs of each; medians are taken")
    options.add_argument("--prompts", type=int, help="in place of each scenario's number")
    options.add_argument("--name", default="loop", help="of the file of results")
    options.add_argument("--bare", nargs=3, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.bare:
        url, concurrency, requests = given.bare
        print(json.dumps(asyncio.run(bare_client(url, int(concurrency), int(requests)))))
        return
    if unknown := set(given.scenarios) - set(SCENARIOS):
        options.error(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    with running_stub() as stub:
        found = {
            name: repeat(stub, name, given.repeat, given.prompts)
            for name in given.scenarios or SCENARIOS
        }
    for name, figures in found.items():
        show(f"{name}, median", figures["median"])  # type: ignore[arg-type]
    write_results(given.name, found)


if __name__ == "__main__":
    main()
