"""What `cai run --dry-run` says of evaluations, against what a real run with scripts asks."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cai.config import load_config
from cai.evaluate.results import EVALUATION, read_results
from cai.pipeline import Desk, PlannedStage, plan_stages
from cai.store import RunStore
from tests.unit.cli_helpers import shell
from tests.unit.pipeline_helpers import start, write_config

EVERY = {
    "refusal": {"draws": 100, "samples": 2},
    "adherence": {"draws": 100, "prompts": "starter"},
    "probes": {"draws": 100},
    "tax": {"areas": ["arithmetic", "knowledge"]},
    "limit": 3,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A pipeline that evaluates a scripted model by itself."""
    return write_config(tmp_path, {"evaluate": EVERY})


def planned(path: Path, **overrides: Any) -> PlannedStage:
    stages = plan_stages(Desk(load_config(path, overrides)))
    return next(one for one in stages if one.stage.kind == "evaluate")


def test_the_estimate_is_what_a_scripted_run_asks(path: Path, tmp_path: Path):
    """Exactly, by evaluation and by what is asked for."""
    before = planned(path)
    assert before.asks is not None
    assert not (tmp_path / "run").exists()
    start(path)
    with RunStore.read(tmp_path / "run" / EVALUATION) as store:
        stored = {one.stage: one.calls for one in store.totals()}
    foreseen: Counter[str] = Counter()
    for one in before.asks.stages:
        foreseen[one.stage] += int(one.calls.likely)
    assert foreseen == stored
    results = {one.kind: one.calls for one in read_results(tmp_path / "run" / EVALUATION)}
    assert {name: one.calls.likely for name, one in before.evaluations.items()} == results
    assert planned(path).asks is None  # Nothing is left to do.
    # Of a change the whole is told, whatever is remembered.
    again = planned(path, **{"pipeline.evaluate.limit": 4})
    assert again.asks is not None
    assert again.asks.calls.likely > before.asks.calls.likely


def test_prompts_of_dev_are_foreseen(path: Path, tmp_path: Path):
    """Before there is a run, as after it."""
    evaluate = {"adherence": {"draws": 100}}
    before = planned(path, **{"pipeline.evaluate": evaluate})
    start(path, last="generate")
    after = planned(path, **{"pipeline.evaluate": evaluate})
    assert before.asks is not None and after.asks is not None
    assert before.asks.calls == after.asks.calls
    with RunStore.read(tmp_path / "run") as store:
        dev = len(store.groups("dev"))
    answers = [one for one in after.asks.stages if one.stage == "sample"]
    assert [one.calls.likely for one in answers] == [dev]


def test_many_prompts_are_not_all_gone_through(path: Path, tmp_path: Path):
    rows = [json.dumps({"prompt": f"What about thing number {i}?"}) for i in range(400)]
    (tmp_path / "many.jsonl").write_text("\n".join(rows))
    evaluate = {"adherence": {"prompts": str(tmp_path / "many.jsonl"), "draws": 100}}
    found = planned(path, **{"pipeline.evaluate": evaluate}).asks
    assert found is not None
    calls = {one.stage: one.calls.likely for one in found.stages}
    assert calls == {"sample": 400, "score": 800}  # Under two principles each.


def test_what_it_costs_and_how_it_is_shown(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    judge = {"engine": "openai", "model": "gpt-4o-mini", "api_key_env": "KEY"}
    overrides = {"models.judge": judge, "pipeline.evaluate": {"refusal": {}, "limit": 3}}
    prices = {"gpt-4o-mini": {"input": 1.0, "output": 2.0}}
    config = json.loads(path.read_text())
    config["models"]["judge"] = judge
    config["prices"] = prices
    config["pipeline"]["evaluate"] = overrides["pipeline.evaluate"]
    path.write_text(json.dumps(config))
    found = planned(path)
    assert found.asks is not None
    (own,) = (one for one in found.asks.stages if one.role == "judge")
    assert own.paid and own.usd is not None
    tokens = own.prompt_tokens.likely + 2 * own.completion_tokens.likely
    assert own.usd.likely == pytest.approx(tokens / 1e6, rel=0.01)
    # A server may keep log-probabilities to itself; then each judgement takes samples as well.
    assert own.calls.high == (1 + load_config(path).judge.votes) * own.calls.likely
    ended = shell(monkeypatch, capsys)("run", path, "--dry-run")
    assert ended.code == 0, ended.err
    assert "Evaluations, at the most" in ended.out
    assert f"{own.calls.likely:,.0f}" in ended.out
    assert "gives no log-probabilities" in " ".join(ended.out.split())
