"""What `cai generate` says while it works."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cai.cli import running
from cai.cli.app import app
from cai.cli.running import progress_line
from cai.loop import Progress


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "cai.yaml"
    path.write_text(
        f"run: {tmp_path / 'run'}\nprompts: {{path: starter, limit: 3}}\n"
        "models: {policy: {engine: scripted}}\n"
    )
    return path


def run(config: Path) -> Result:
    result = CliRunner().invoke(app, ["generate", str(config)])
    assert result.exit_code == 0, result.output
    return result


def test_progress_is_plain_lines_when_nobody_watches(config):
    result = run(config)
    assert "\x1b" not in result.stderr
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("3/3 rows · ")
    assert lines[-1].endswith(" tokens/s")


def test_the_bar_of_a_terminal(config, monkeypatch):
    monkeypatch.setattr("cai.cli.output.is_terminal", lambda: True)
    said = []
    watch = running._watch

    async def noting(run, say, every):
        await watch(run, lambda line: (said.append(line), say(line)), every)

    monkeypatch.setattr(running, "_watch", noting)
    run(config)
    assert said[-1].startswith("3/3 rows")


async def test_lines_are_said_now_and_then_and_not_twice(config):
    progress, said = Progress(), []
    ticker = asyncio.create_task(running._tick(progress, said.append, 0.01))
    await asyncio.sleep(0.05)
    assert said == []
    progress.total = 5
    while not said:
        await asyncio.sleep(0.01)
    progress.done = 2
    while len({line.partition(" · ")[0] for line in said}) < 2:
        await asyncio.sleep(0.01)
    ticker.cancel()
    assert said[0].startswith("0/5 rows")
    assert said[-1].startswith("2/5 rows")
    assert all(one != other for one, other in pairwise(said))


def progress(monkeypatch, seconds: float = 100.0, **counts: int) -> Progress:
    one = Progress(started=0.0)
    monkeypatch.setattr("cai.loop.progress.time.monotonic", lambda: seconds)
    for name, value in counts.items():
        setattr(one.meter if hasattr(one.meter, name) else one, name, value)
    return one


def test_a_progress_line_at_the_start(monkeypatch):
    assert progress_line(progress(monkeypatch, total=10)) == "0/10 rows · 0 calls · 0 tokens/s"


def test_a_progress_line_tells_all(monkeypatch):
    counts = {"total": 100, "before": 20, "done": 15, "failed": 5}
    meter = {"asked": 70, "remembered": 3, "retried": 2, "completion_tokens": 4200}
    # 20 rows in 100 seconds, 60 are left: 300 seconds.
    assert progress_line(progress(monkeypatch, **counts, **meter)) == (
        "40/100 rows · 20 from before · 5 failed · 70 calls · 3 remembered · 2 retried · "
        "42 tokens/s · about 5 min 0 s left"
    )


@pytest.mark.parametrize(
    ("seconds", "left"), [(6, "54 s"), (8, "1 min 12 s"), (1000, "2 h 30 min")]
)
def test_the_time_left(monkeypatch, seconds, left):
    line = progress_line(progress(monkeypatch, seconds, total=10, done=1))
    assert line.endswith(f"about {left} left")


def test_no_time_is_left_at_the_end(monkeypatch):
    assert "left" not in progress_line(progress(monkeypatch, total=10, done=10))
