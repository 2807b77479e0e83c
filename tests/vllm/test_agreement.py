"""One config on three engines: a vLLM server, vLLM in process, and transformers.

The server, and the run from the command line, are those of `examples/04_vllm`.

All three are asked the same in float32. That the server sees the same token ids is checked with its
own `/tokenize`, over every conversation that a run asked, against those that the engines in process
send to their model.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import cai
from cai.config import JudgeConfig, load_config
from cai.engines import Engine, Engines, OpenAIEngine, TransformersEngine, VllmEngine
from cai.judge.pairwise import read_order
from cai.records import Request, Row, Verdict
from tests.vllm.asking import MODEL, ROOT, judge_requests

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLE = ROOT / "examples/04_vllm/config.yaml"
DEMO = ROOT / "cai" / "cli" / "_demo.yaml"
CAI = [sys.executable, "-c", "from cai.cli import main; main()"]
START_S = 300
LABELS = ("A", "B")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`cai serve --run`, stopped as by Ctrl-C."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    command = [*CAI, "serve", str(EXAMPLE), "--run", "--port", str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            status = process.wait(60)
    said = (folder / "log").read_text()
    assert status == 0, said[-2000:]
    assert f'base_url: "http://127.0.0.1:{port}/v1"' in said
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(START_S):
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(1)
    raise AssertionError(f"no server after {START_S} s: {log.read_text()[-3000:]}")


def server_ids(server: str, request: Request) -> list[int]:
    body = {
        "model": MODEL,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "add_generation_prompt": True,
    }
    post = urllib.request.Request(
        f"{server}/tokenize",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(post, timeout=60) as reply:
        return list(json.load(reply)["tokens"])


GREEDY = {
    "loop.samples": 1,
    "loop.pairs": ["revision"],
    "loop.skip_when_clean": False,
    "loop.sample": {"max_tokens": 24, "temperature": 0.0},
    "loop.critique": {"max_tokens": 24, "temperature": 0.0},
    "loop.revision": {"max_tokens": 24, "temperature": 0.0},
}
DRAWN = {
    "loop.samples": 2,
    "loop.rounds": 0,
    "loop.pairs": ["samples"],
    "loop.sample": {"max_tokens": 24, "temperature": 1.0},
}


async def run_on(engine: Engine, folder: Path, settings: dict[str, Any]) -> list[Row]:
    common = {"run": str(folder), "prompts.limit": 2, "loop.truncated": "keep"}
    config = load_config(DEMO, common | settings)
    run = cai.Generation(config, engines=Engines(engine, engine, engine))
    rows = [row async for row in run.stream()]
    assert not [row.error for row in rows if row.failed]
    return sorted(rows, key=lambda row: row.prompt.id)


async def test_one_config_on_three_engines(
    server: str, engine: VllmEngine, plain: TransformersEngine, tmp_path: Path
) -> None:
    remote = OpenAIEngine(MODEL, base_url=f"{server}/v1")
    await remote.start()
    try:
        engines: dict[str, Engine] = {"openai": remote, "vllm": engine, "transformers": plain}
        await same_greedy_rows(engines, tmp_path)
        drawn = await same_shape_of_drawn_rows(engines, tmp_path)
        asked = [
            *requests_of(tmp_path / "transformers-greedy"),
            *(r for name in engines for r in requests_of(tmp_path / f"{name}-drawn")),
        ]
        await same_ids(server, engine, asked)
        judging = [*(r for r in asked if r.stage == "judge"), *judge_requests(4)]
        assert len(judging) >= 2 * drawn
        await same_probabilities(engines, judging)
    finally:
        await remote.close()


async def same_greedy_rows(engines: dict[str, Engine], folder: Path) -> None:
    """Sample, critique and revision are the same to the letter."""
    found = []
    for name, engine in engines.items():
        rows = await run_on(engine, folder / f"{name}-greedy", GREEDY)
        found.append(
            [
                (
                    row.prompt.id,
                    [(s.outcome, s.raw) for s in row.samples],
                    [[(r.outcome, r.critique, r.raw) for r in chain] for chain in row.revisions],
                )
                for row in rows
            ]
        )
    assert found[0] == found[1] == found[2]


async def same_shape_of_drawn_rows(engines: dict[str, Engine], folder: Path) -> int:
    """Each engine draws in its own way; what a row is made of is the same. Counts the pairs."""
    found = []
    for name, engine in engines.items():
        rows = await run_on(engine, folder / f"{name}-drawn", DRAWN)
        pairs = [pair for row in rows for pair in row.pairs]
        assert pairs
        assert all(pair.p is not None for pair in pairs)
        found.append([shape(row) for row in rows])
    assert found[0] == found[1] == found[2]
    return len(engines) * len(pairs)


def shape(row: Row) -> Any:
    """All of a row but texts, ids and probabilities."""
    return (
        row.prompt.id,
        len(row.samples),
        [
            (pair.kind, pair.first_name, pair.second_name, pair.note, judged(pair.verdict))
            for pair in row.pairs
        ],
    )


def judged(verdict: Verdict | None) -> Any:
    principles = verdict.principles if verdict else ()
    return [(v.principle_ids, [(o.order, o.outcome) for o in v.orders]) for v in principles]


def requests_of(folder: Path) -> list[Request]:
    """Everything that a run asked."""
    with cai.RunStore.read(folder) as store:
        return [call.request for call in map(store.call, store.request_ids()) if call]


async def same_ids(server: str, engine: VllmEngine, asked: list[Request]) -> None:
    core = engine._core
    assert core is not None
    assert {request.stage for request in asked} == {"sample", "critique", "revise", "judge"}
    for request in asked:
        got = await asyncio.to_thread(server_ids, server, request)
        assert got == core.chat.prompt_ids(request.messages)


async def same_probabilities(engines: dict[str, Engine], requests: list[Request]) -> None:
    """The largest difference over judge requests, each engine against each other."""
    found = []
    for judge in engines.values():
        answers = await asyncio.gather(*map(judge.complete, requests))
        verdicts = [read_order("ab", "", a, LABELS, JudgeConfig().min_mass) for a in answers]
        assert all(v.p_shown_first is not None for v in verdicts)
        found.append([v.p_shown_first or 0.0 for v in verdicts])
    largest = max(max(of) - min(of) for of in zip(*found, strict=True))
    print(
        f"\nlargest difference of judge probabilities between {', '.join(engines)}: "
        f"{largest:.6f} over {len(requests)} judge requests"
    )
    assert largest <= 0.02


async def test_generate_from_the_command_line(tmp_path: Path) -> None:
    settings = YAML(typ="safe").load(EXAMPLE)
    settings["loop"] |= {"truncated": "keep"}
    settings["loop"] |= {stage: {"max_tokens": 24} for stage in ("sample", "critique", "revision")}
    # Requests that are read at the same time share nothing: the first must be through.
    settings["runtime"] = {"concurrency": 2}
    settings["prompts"]["limit"] = 4
    # JSON is YAML, too.
    (tmp_path / "cai.yaml").write_text(json.dumps(settings))
    command = [*CAI, "generate", str(tmp_path / "cai.yaml"), "--run", str(tmp_path / "run")]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "4 done, 0 failed" in done.stdout
    assert "ERROR" not in done.stderr
    assert "Exception ignored" not in done.stderr
    with cai.RunStore.read(tmp_path / "run") as store:
        totals = store.totals()
    assert sum(total.cached_tokens for total in totals) > 0
