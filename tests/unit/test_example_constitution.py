"""The example that a newcomer follows: from five principles to trained models, then one change."""

import shutil
from pathlib import Path

import pytest

from cai.config import load_config
from cai.constitution import load_constitution
from cai.evaluate.results import EVALUATION, read_results
from cai.pipeline import training as training_stage
from cai.store.stages import read_stages
from tests.unit.cli_helpers import Cai, shell
from tests.unit.pipeline_helpers import Here, write_tiny

pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).parents[2]
EXAMPLE = "02_your_own_constitution"
BEFORE = "Which answer is shorter and plainer, and still answers the question?"
AFTER = "Which answer would a hurried reader be happier with?"


@pytest.fixture
def cai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cai:
    monkeypatch.setattr(training_stage, "in_own_process", Here())
    shutil.copytree(ROOT / "examples" / EXAMPLE, tmp_path / EXAMPLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return shell(monkeypatch, capsys)


def smallest(tiny: Path) -> list[str]:
    """A stand-in that answers, and a tiny model that is trained."""
    settings = [
        *("models.policy.engine=scripted", "prompts.limit=24", "loop.sample.max_tokens=8"),
        *("pipeline.evaluate.limit=2", f"pipeline.train.sft.settings.model.name={tiny}"),
        *(
            f"pipeline.train.{name}.settings.{key}"
            for name in ("sft", "dpo")
            for key in ("training.max_steps=2", "model.adapt=full")
        ),
    ]
    return [part for one in settings for part in ("--set", one)]


def test_five_principles_with_cases_for_each(cai: Cai):
    path = f"{EXAMPLE}/constitution.yaml"
    principles = {one.id for one in load_constitution(path).principles}
    assert len(principles) == 5
    linted = cai("constitution", "lint", path, "--prompts", f"{EXAMPLE}/prompts.txt")
    assert linted.code == 0
    assert "5 principles, no findings" in linted.out
    tested = cai("constitution", "test", path, "--engine", "scripted", "--fail-under", 0)
    assert tested.code == 0, tested.err
    assert "5 of 5 principles have cases." in tested.out


def test_from_principles_to_models_and_a_report_and_then_a_change(cai: Cai, tmp_path: Path):
    config, constitution = f"{EXAMPLE}/config.yaml", tmp_path / EXAMPLE / "constitution.yaml"
    settings = smallest(write_tiny(tmp_path / "tiny"))
    done = cai("run", config, *settings)
    assert done.code == 0, done.err
    run = tmp_path / load_config(config).run
    stages = read_stages(run)
    assert stages is not None
    assert {one.name: one.state for one in stages.stages} == dict.fromkeys(
        ("generate", "check", "train/sft", "train/dpo", "evaluate", "report"), "done"
    )
    for name in ("sft", "dpo"):
        assert (run / f"models/{name}/model.safetensors").is_file()
    found = {one.kind: one for one in read_results(run / EVALUATION)}
    assert set(found) == {"adherence", "tax"}
    asked_about = {one.group for one in found["adherence"].figures if one.name == "adherence"}
    principles = {one.id for one in load_constitution(constitution).principles}
    assert asked_about == {"all", *principles}
    summary = (run / "summary.md").read_text()
    assert "adherence: policy, sft, dpo" in summary
    assert all(one.replace("_", r"\_") in summary for one in principles)
    assert (run / "report.html").is_file()

    # One question is put in other words.
    text = constitution.read_text()
    assert BEFORE in text
    constitution.write_text(text.replace(BEFORE, AFTER))
    planned = cai("run", config, *settings, "--dry-run")
    assert "changed: constitution" in planned.out
    assert "--update" in planned.out
    refused = cai("run", config, *settings)
    assert refused.code == 2
    assert "--update" in refused.err
    again = cai("run", config, *settings, "--update")
    assert again.code == 0, again.err
    assert "== generate (1 of 6): changed: constitution" in again.err
    assert "remembered" in again.err
