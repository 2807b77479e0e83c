"""The example with a budget in dollars, against a server on this machine that counts calls."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from cai.config import load_config
from cai.store import RunStore
from tests.unit.cli_helpers import Cai, shell

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    # The connections of a stopped run are closed as the process ends, not before.
    pytest.mark.filterwarnings("default"),
]

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "examples/03_api_budget/config.yaml"
KEY = "no-key-but-a-word-to-look-for"
DEAREST = 0.001
"""Dollars of one call, at most: 1,000 tokens read and 200 generated cost less."""


@pytest.fixture
def stub() -> Iterator[Any]:
    """The stub server of the benchmarks, which knows the models of the example."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        with import_module("measuring").running_stub() as server:
            models = {model.model for model in load_config(CONFIG).models.roles.values()}
            server.reset(latency=0.0, models=",".join(models))
            yield server


@pytest.fixture
def cai(
    stub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cai:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{stub.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return shell(monkeypatch, capsys)


def spent(run: Path) -> float:
    with RunStore.read(run) as store:
        return store.spent().usd


def test_it_stops_at_the_budget_and_asks_nothing_twice(stub: Any, cai: Cai, tmp_path: Path):
    settings = load_config(CONFIG)
    run, budget = tmp_path / settings.run, settings.runtime.budget_usd
    assert budget is not None
    assert f"The budget of ${budget:g} would stop the run" in cai("plan", CONFIG).out
    stopped = cai("generate", CONFIG)
    assert stopped.code == 1
    assert "The budget is used up" in stopped.err
    assert "--budget-usd" in stopped.err
    assert budget <= spent(run) <= budget + settings.runtime.concurrency * DEAREST
    answered = stub.stats()["answered"]
    assert 0 < answered < 320

    # The same budget again: nothing is sent.
    again = cai("generate", CONFIG)
    assert again.code == 1
    assert stub.stats()["received"] == answered

    done = cai("generate", CONFIG, "--budget-usd", 1)
    assert done.code == 0, done.err
    assert "40 done, 0 failed" in done.out
    seen = stub.stats()
    assert seen["asked_again"] == 0
    assert seen["received"] == seen["answered"] == seen["unique_answered"] > answered
    with RunStore.read(run) as store:
        assert len(set(store.request_ids())) == seen["answered"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_without_a_key_nothing_is_sent(
    stub: Any, cai: Cai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPENAI_API_KEY")
    # A server elsewhere, of which not even the name is looked up.
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.invalid/v1")
    done = cai("generate", CONFIG)
    assert done.code == 1
    assert "export OPENAI_API_KEY" in done.err
    assert stub.stats()["received"] == 0
