"""How fast the in-process engine decodes and reads prompts, and what helps.

Compares the short wait of OpenMP threads, which the engine sets, with the library's default, on an
idle machine and beside one busy process; and judge requests with and without the shared prefix.
Run it when the machine is otherwise idle:

    python benchmarks/engine.py
    python benchmarks/engine.py --threads 4 --requests 48
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cai
from cai.constitution import load_constitution
from cai.engines.embedded import EMBEDDED_MODEL
from cai.records import Message, Request, Sampling
from cai.templates import load_template, transcript

# What the OpenMP library of gcc takes when nobody chooses; the engine sets 1000.
SPINS = {"short wait": "1000", "default wait": "300000"}
BATCHES = (1, 8, 16)
STEPS, PROMPT = 8, 64
Figures = dict[str, float]


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """Median time of a few runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def passes(model: Any) -> Figures:
    """Tokens per second of bare forward passes."""
    import torch

    from cai.engines.inprocess.runner import Runner

    figures: Figures = {}
    with torch.inference_mode():
        runner = Runner(model)
        for batch in BATCHES:
            prompts = [[100 + row + i for i in range(PROMPT)] for row in range(batch)]
            none: list[tuple[int, ...]] = [()] * batch
            runner.prefill(0, prompts, none)

            def decode(batch: int = batch) -> None:
                for step in range(STEPS):
                    runner.decode([200] * batch, [PROMPT + step] * batch)

            figures[f"decode, batch {batch}"] = batch * STEPS / seconds(decode)
        filled = seconds(lambda: runner.prefill(0, prompts, none))
        figures["read prompts"] = BATCHES[-1] * PROMPT / filled
        runner.close()
    return figures


def judge_requests(count: int) -> list[Request]:
    """Requests with the default judge template over obvious pairs, both orders of each."""
    lines = Path(__file__).with_name("obvious_pairs.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    constitution, template = (
        load_constitution("harmless-helpful"),
        load_template("judge", "default"),
    )
    requests = []
    for index in range(count):
        pair = pairs[index // 2 % len(pairs)]
        first, second = ("good", "bad") if index % 2 else ("bad", "good")
        values = {
            "conversation": transcript((Message("user", pair["prompt"]),)),
            "answer_a": pair[first],
            "answer_b": pair[second],
            "principles": [constitution[pair["principle"]]],
        }
        sampling = Sampling(max_tokens=1, temperature=0.0, top_logprobs=20)
        requests.append(Request(template.render(values), sampling, shared=template.shared))
    return requests


async def judging(requests: list[Request]) -> Figures:
    """Requests per second through the whole engine; the prefix itself is computed in the time."""
    figures: Figures = {}
    engine = cai.engines.TransformersEngine(EMBEDDED_MODEL)
    await engine.start()
    for name, shared in (("judge, prefix read anew", False), ("judge, prefix reused", True)):
        asked = requests if shared else [replace(request, shared=0) for request in requests]
        began = time.perf_counter()
        answers = await asyncio.gather(*map(engine.complete, asked))
        figures[name] = len(asked) / (time.perf_counter() - began)
        tokens = sum(answer.usage.prompt_tokens for answer in answers)
        figures["share"] = sum(answer.usage.cached_tokens for answer in answers) / tokens
    await engine.close()
    return figures


def measure(threads: int, count: int) -> Figures:
    """All figures of one setting, in this process."""
    import torch

    from cai.engines.inprocess.loading import Source, load

    torch.set_num_threads(threads)
    # The engine comes first, and its thread ends with it: OpenMP waits in another way as soon as
    # the pools of two threads together have more threads than there are processors.
    figures = asyncio.run(judging(judge_requests(count)))
    return passes(load(Source(EMBEDDED_MODEL)).model) | figures


def in_a_process(spin: str, busy: bool, options: argparse.Namespace) -> Figures:
    """Measure in a process of its own: OpenMP reads its settings once."""
    command = [sys.executable, __file__, "--one"]
    command += ["--threads", str(options.threads), "--requests", str(options.requests)]
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        done = subprocess.run(
            command, env=os.environ | {"GOMP_SPINCOUNT": spin}, stdout=subprocess.PIPE, check=True
        )
    finally:
        if other is not None:
            other.kill()
            other.wait()
    figures: Figures = json.loads(done.stdout)
    print(f"spin {spin}, {'busy' if busy else 'idle'}: {figures}", file=sys.stderr, flush=True)
    return figures


def main() -> None:
    """Measure four settings and print one table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--threads", type=int, default=2, help="threads of torch")
    options.add_argument("--requests", type=int, default=24, help="judge requests")
    options.add_argument("--one", action="store_true", help="measure here, print JSON")
    given = options.parse_args()
    if given.one:
        print(json.dumps(measure(given.threads, given.requests)))
        return
    print(f"load before: {os.getloadavg()[0]:.1f}; {given.threads} threads", flush=True)
    print(
        f"{'per second (× first column)':<30}",
        *(f"{s + b:>24}" for b in ("", ", busy") for s in SPINS),
    )
    columns = [in_a_process(spin, busy, given) for busy in (False, True) for spin in SPINS.values()]
    for name, base in columns[0].items():
        if name != "share":
            cells = (f"{c[name]:>14.1f} ({c[name] / base:>6.2f}×)" for c in columns)
            print(f"{name:<30}", *cells)
    print(f"share of judge prompt tokens that is reused: {columns[0]['share']:.2f}")


if __name__ == "__main__":
    main()
