"""The papers' recipes in their smallest form, and the settings that came with them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import Config, load_config, parse_config
from cai.engines import ScriptedEngine
from cai.errors import ConfigError
from cai.loop.contrast import BY_CONSTRUCTION
from cai.pipeline import Desk
from cai.pipeline.training import training_config
from cai.records import Row
from cai.store import RunStore
from cai.store.access import rows_for
from cai.store.stages import read_stages
from cai.train.data import load_data
from cai.train.examples import Demonstration
from cai.train.settings import TrainConfig
from tests.unit.test_generation import constitution

RECIPES = Path(cai.__file__).parent.parent / "examples/09_recipes"
CONFIGS = [
    "constitutional_ai/config.yaml",
    "constitutional_ai/rl.yaml",
    "rlaif/config.yaml",
    "llm_swarm/config.yaml",
]
SPLIT = {"dev": 0.0, "held_out": 0.0}


def run_small(config: str, *options: str) -> Path:
    """Carry a recipe out up to its checks, on the scripted engine; the folder of its run."""
    path = RECIPES / config
    written = load_config(path)
    settings: dict[str, Any] = {"prompts.limit": 7, "loop.sample.max_tokens": 12}
    for role in ("policy", "critic"):
        if getattr(written.models, role) is not None:
            settings[f"models.{role}.engine"] = "scripted"
            settings[f"models.{role}.model"] = "script"
    for one in written.pipeline.train:
        # A stand-in has no weights that could be trained.
        if one.from_ is None:
            settings[f"pipeline.train.{one.name}.settings.model.name"] = "smollm2-135m-instruct"
    given = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    result = CliRunner().invoke(app, ["run", str(path), *given, *options])
    assert result.exit_code == 0, result.output
    return Path(written.run)


def rows_of(run: Path) -> list[Row]:
    with RunStore.read(run) as store:
        return [row for row, _ in rows_for(store, "training")]


def preferences(run: Path) -> list[dict[str, Any]]:
    lines = (run / "export/preferences.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def training(config: Config, name: str) -> TrainConfig:
    """The settings of a training, as `cai run` reads them."""
    (found,) = (one for one in config.pipeline.train if one.name == name)
    return training_config(Desk(config), found, 1)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_recipe_generates_and_is_checked(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_small(config, "--until", "check")
    stages = read_stages(run)
    assert stages is not None
    done = {one.name for one in stages.stages if one.state == "done"}
    assert done == {"generate", "check"}
    # All trainings and evaluations of the recipe were read before the first call.
    names = {f"train/{one.name}" for one in load_config(RECIPES / config).pipeline.train}
    assert names <= {one.name for one in stages.stages}
    assert rows_of(run)


def test_constitutional_ai_revises_four_times_and_compares_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = rows_of(run_small("constitutional_ai/config.yaml", "--until", "check"))
    helpful = [row for row in rows if "helpful" in row.prompt.tags]
    harmful = [row for row in rows if "red-team" in row.prompt.tags]
    assert helpful
    assert harmful
    for row in helpful:
        assert len(row.samples) == 2
        assert row.revisions == ((),)
    for row in harmful:
        assert [one.round for one in row.revisions[0]] in ([1, 2, 3, 4], [])
    assert any(len(row.revisions[0]) == 4 for row in harmful)
    assert all(row.pairs == () for row in rows)
    ids = {one.principle_id for row in harmful for one in row.revisions[0]}
    assert len(ids) > 2


def test_helpful_answers_are_imitated_unrevised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_small("constitutional_ai/config.yaml", "--until", "check")
    config = training(load_config(RECIPES / "constitutional_ai/config.yaml"), "sl-cai")
    data = load_data(Demonstration, config)
    found = sorted((one.prompt[-1].content, one.answer) for one in data.train)
    expected = []
    for row in rows_of(run):
        if "helpful" in row.prompt.tags:
            answers = [sample.text for sample in row.samples if sample.text]
        else:
            answers = [r.text for r in row.revisions[0] if r.outcome == "revised"]
        expected += [(row.prompt.messages[-1].content, answer) for answer in answers]
    assert found == sorted(expected)
    assert any("helpful" in row.prompt.tags for row in rows_of(run))


def test_comparisons_of_constitutional_ai_are_clamped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = rows_of(run_small("constitutional_ai/rl.yaml", "--until", "check"))
    judged = [pair for row in rows for pair in row.pairs if pair.verdict]
    assert judged
    for pair in judged:
        (verdict,) = pair.verdict.principles if pair.verdict else ()
        assert len(verdict.principle_ids) == 1
        reasonings = [one for order in verdict.orders for one in order.reasonings]
        assert reasonings
        assert all(0.4 <= one.p <= 0.6 for one in reasonings if one.p is not None)


def test_the_rewards_of_constitutional_ai_may_mix_labels_by_people(tmp_path: Path) -> None:
    row = {"prompt": "Why?", "chosen": "Because.", "rejected": "No."}
    (tmp_path / "helpful-base.jsonl").write_text(json.dumps(row))
    sources = [
        {"run": "made:run"},
        {"file": str(tmp_path / "helpful-base.jsonl"), "origin": "human", "share": 0.425},
    ]
    key = "pipeline.train.pm.settings.data"
    config = load_config(RECIPES / "constitutional_ai/rl.yaml", {key: sources})
    assert [source.origin for source in training(config, "pm").data] == ["ai", "human"]
    ppo = training(config, "rl-cai")
    assert ppo.ppo.kl == 0.001
    assert [source.share for source in ppo.data] == [None, 0.475]
    assert Path(ppo.data[1].file or "").is_file()


def test_labels_of_rlaif_are_soft_and_of_both_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_small("rlaif/config.yaml", "--until", "check")
    kept = preferences(run)
    assert kept
    for record in kept:
        ab, ba = record["orders"]
        assert (ab["order"], ba["order"]) == ("ab", "ba")
        both = (ab["p_shown_first"] + 1.0 - ba["p_shown_first"]) / 2.0
        assert record["p"] == pytest.approx(max(both, 1.0 - both))
        assert record["p"] < 1.0
    config = load_config(RECIPES / "rlaif/config.yaml")
    distilled, direct = (training(config, name) for name in ("rlaif", "direct-rlaif"))
    assert distilled.ppo == direct.ppo
    assert distilled.ppo.kl == pytest.approx(0.05 / 0.95, abs=1e-4)
    assert (distilled.rewards[0].kind, direct.rewards[0].kind) == ("model", "constitution")


def test_chosen_and_rejected_of_llm_swarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_small("llm_swarm/config.yaml", "--until", "check")
    kept = preferences(run)
    assert kept
    for record in kept:
        assert (record["p"], record["judge"], record["orders"]) == (1.0, BY_CONSTRUCTION, [])
        assert (record["chosen_name"], record["rejected_name"]) == (
            "sample 0, revision 1",
            "sample 0",
        )
    dpo = training(load_config(RECIPES / "llm_swarm/config.yaml"), "dpo")
    assert (dpo.dpo.beta, dpo.training.learning_rate, dpo.training.epochs) == (0.1, 5e-7, 3)


def test_revisions_by_construction_ask_no_judge(tmp_path: Path) -> None:
    def answer(request: Any) -> str:
        texts = {"critique": "It is unkind.", "revise": "Gladly.", "sample": "No."}
        return texts[request.stage]

    engine = ScriptedEngine(answer=answer)
    loop = {"samples": 1, "pairs": ["revision"], "revised": {"judge": False}}
    options = {"policy": engine, "split": SPLIT, "run": tmp_path / "run"}
    run = cai.Generation.create(constitution(), ["One?", "Two?"], loop=loop, **options)
    pairs = [pair for row in run for pair in row.pairs]
    assert engine.by_stage["judge"] == 0
    assert [(p.oriented().first, p.oriented().soft_label, p.p) for p in pairs] == [
        ("Gladly.", 1.0, None)
    ] * 2
    judged = {"samples": 1, "pairs": ["revision"]}
    with pytest.raises(cai.errors.ChangedRunError, match=r"loop\.revised\.judge"):
        list(cai.Generation.create(constitution(), ["One?", "Two?"], loop=judged, **options))


def test_what_is_not_asked_needs_no_wording(tmp_path: Path) -> None:
    """Principles that come from elsewhere often have no question for a judge."""
    whole = constitution()
    mute = tuple(p.model_copy(update={"judge": ""}) for p in whole.principles)
    silent = whole.model_copy(update={"principles": mute})
    options = {"policy": ScriptedEngine(), "split": SPLIT, "run": tmp_path / "run"}
    loop = {"samples": 1, "pairs": ["revision"], "revised": {"judge": False}}
    assert list(cai.Generation.create(silent, ["One?"], loop=loop, **options))
    with pytest.raises(ConfigError, match="a 'judge' question"):
        cai.Generation.create(silent, ["One?"], loop={"samples": 2}, policy=ScriptedEngine())


def test_a_revision_cannot_be_confirmed_by_nobody() -> None:
    loop = {"revised": {"judge": False}, "confirm": {"revision": True}}
    with pytest.raises(ConfigError, match=r"revised\.judge: false"):
        parse_config({"prompts": {"path": "p.txt"}, "loop": loop})
