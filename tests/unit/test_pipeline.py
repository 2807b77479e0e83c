"""A pipeline from one config: what is done, what is left, and what a change comes to."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cai.engines import scripted
from cai.errors import (
    ChangedRunError,
    EngineError,
    GateError,
    QualityError,
    RowEngineError,
    StoreError,
    TrainingError,
    UsageError,
)
from cai.pipeline import training as training_stage
from cai.store import RunStore
from cai.store.connect import PIPELINE_LOCK, lock_run
from tests.unit.pipeline_helpers import (
    CONSTITUTION,
    Here,
    stages_of,
    start,
    training,
    write_config,
    write_tiny,
)
from tests.unit.validation_helpers import label_all, other, winner

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    found = Here()
    monkeypatch.setattr(training_stage, "in_own_process", found)
    return found


def two(tiny: Path) -> dict[str, Any]:
    return {"train": [training("sft", "sft", tiny), training("dpo", "dpo", **{"from": "sft"})]}


ALL = ("generate", "check", "train/sft", "train/dpo", "report")


@pytest.fixture(scope="module")
def made(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any, Here]:
    """A pipeline that came to its end."""
    path, found = write_config(tmp_path_factory.mktemp("made"), two(tiny)), Here()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_stage, "in_own_process", found)
        return (path, *start(path), found)


@pytest.fixture
def finished(made: Any, tiny: Path, tmp_path: Path) -> Path:
    """The config of the same in a folder of its own, to be changed. Folders may be moved."""
    shutil.copytree(made[0].parent / "run", tmp_path / "run")
    return write_config(tmp_path, two(tiny))


def test_all_stages_and_then_none(made: Any):
    path, first, noting, trained = made
    assert first.done == ALL
    assert set(noting.why.values()) == {"first time"}
    run = path.parent / "run"
    assert [job.name for job in trained.jobs] == ["sft", "dpo"]
    dpo = json.loads((run / "models/dpo/training.json").read_text())
    assert dpo["config"]["model"]["name"] == str(run / "models/sft")
    assert dpo["config"]["gate"] == "report"
    found = stages_of(path)
    assert [one.name for one in found.stages] == list(ALL)
    assert {one.state for one in found.stages} == {"done"}
    generate = found.stages[0]
    assert generate.calls == noting.asked > 0
    assert "export/preferences.jsonl" in {output.path for output in generate.outputs}
    assert "models/dpo/model.safetensors" in {o.path for o in found.stages[3].outputs}
    again, quiet = start(path)
    assert again.done == ()
    assert set(quiet.left_alone.values()) == {"unchanged"}
    assert stages_of(path) == found


def test_a_changed_setting_concerns_its_training_and_what_follows(finished: Path, here: Here):
    path = finished
    change = {"pipeline.train.dpo.settings.dpo.beta": 0.3}
    outcome, noting = start(path, overrides=change)
    assert outcome.done == ("train/dpo", "report")
    assert noting.why == {"train/dpo": "changed: settings", "report": "changed: stages"}
    assert [job.name for job in here.jobs] == ["dpo"]
    change = {"pipeline.train.sft.settings.training.learning_rate": 2e-3}
    outcome, noting = start(path, overrides=change)
    assert outcome.done == ("train/sft", "train/dpo", "report")
    assert noting.why["train/dpo"] == "changed: model, settings"


def test_a_changed_principle_asks_anew_what_depends_on_it(finished: Path, here: Here, made: Any):
    path, first = finished, made[2]
    changed = CONSTITUTION.replace("Be short.", "Be very short.").replace("Cut it.", "Cut it!")
    (path.parent / "constitution.yaml").write_text(changed.replace("0.1.0", "0.1.1"))
    before = stages_of(path)
    with pytest.raises(ChangedRunError, match="--update"):
        start(path)
    # Nothing was done, and nothing is lost.
    assert stages_of(path) == before
    outcome, noting = start(path, update=True)
    assert noting.why["generate"] == "changed: constitution"
    assert 0 < noting.asked < first.asked / 2
    assert outcome.done == ALL
    assert noting.why["train/dpo"] == "changed: data, model"


def test_the_old_config_finds_all_as_it_was(finished: Path, here: Here):
    path = finished
    with pytest.raises(ChangedRunError):
        start(path, overrides={"loop.seed": 5})
    assert start(path)[0].done == ()


def test_what_is_gone_or_was_changed_is_made_again(finished: Path, here: Here):
    path, run = finished, finished.parent / "run"
    (run / "summary.md").unlink()
    (run / "models/dpo/model.safetensors").write_bytes(b"not a model")
    outcome, noting = start(path)
    assert outcome.done == ("train/dpo", "report")
    assert noting.why["train/dpo"] == "models/dpo/model.safetensors is not what it made"
    # A copy has other times and the same content.
    weights = run / "models/dpo/model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content)
    assert start(path)[0].done == ()


def test_rows_that_failed_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_config(tmp_path, {})
    made_up, broken = scripted.made_up, {"now": True}

    def answer(request: Any) -> Any:
        if broken["now"] and request.stage == "sample" and "pancakes" in str(request.messages):
            raise RowEngineError("no")
        return made_up(request)

    monkeypatch.setattr(scripted, "made_up", answer)
    start(path)
    said = stages_of(path).stages[0].said
    assert "1 row failed; commonest (1 of 1): no" in said
    broken["now"] = False
    outcome, noting = start(path)
    assert noting.why["generate"] == "1 row failed, and is tried again"
    assert outcome.done == ("generate", "check", "report")
    assert start(path)[0].done == ()


def test_where_every_row_fails_the_reason_is_told_and_nothing_else_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write_config(tmp_path, {})

    def answer(request: Any) -> Any:
        raise RowEngineError("the server is out of tea")

    with monkeypatch.context() as patch:
        patch.setattr(scripted, "made_up", answer)
        with pytest.raises(EngineError, match=r"nothing to go on with: .*the server is out of tea"):
            start(path)
        assert stages_of(path).stages[0].state != "done"
    assert start(path)[0].done == ("generate", "check", "report")


def test_parts_of_a_pipeline(tiny: Path, here: Here, tmp_path: Path):
    path = write_config(tmp_path, two(tiny))
    with pytest.raises(UsageError, match="comes before --from, and it was never carried out"):
        start(path, first="train")
    assert start(path, last="check")[0].done == ("generate", "check")
    assert start(path, last="train/sft")[0].done == ("train/sft",)
    assert start(path)[0].done == ("train/dpo", "report")
    # The seed would change what is asked; the stages before are left all the same.
    outcome, noting = start(path, first="report", overrides={"loop.seed": 1})
    assert outcome.done == ()
    assert noting.left_alone["generate"] == "it comes before --from"
    with pytest.raises(UsageError, match=r"--until chek: .*Did you mean 'check'"):
        start(path, last="chek")
    with pytest.raises(UsageError, match="nothing lies between them"):
        start(path, first="report", last="check")


def test_two_at_once_are_one_too_many(tmp_path: Path):
    path = write_config(tmp_path, {})
    lock = lock_run(tmp_path / "run", PIPELINE_LOCK)
    with pytest.raises(StoreError, match="Another process is writing to the run"):
        start(path)
    lock.close()
    assert start(path)[0].done == ("generate", "check", "report")


def test_a_check_stops_the_pipeline(tiny: Path, here: Here, tmp_path: Path):
    path, run = write_config(tmp_path, two(tiny)), tmp_path / "run"
    start(path, last="generate")
    exported = (run / "export/preferences.jsonl").read_text().splitlines()
    prompts = [json.loads(line)["prompt"][-1]["content"] for line in exported]
    leaked = max(prompts, key=lambda text: len(text.split()))
    (tmp_path / "test.jsonl").write_text(json.dumps({"prompt": leaked, "answer": "x"}) + "\n")
    overrides = {
        "pipeline.check.fail_on": ["contamination"],
        "pipeline.check.against": [str(tmp_path / "test.jsonl")],
    }
    with pytest.raises(QualityError, match=r"(?s)contamination: .*findings\.json"):
        start(path, overrides=overrides)
    assert here.jobs == []
    record = stages_of(path).stages[1]
    assert (record.state, record.outputs) == ("failed", ())
    findings = json.loads((run / "findings.json").read_text())
    assert "contamination" in {one["check"] for one in findings["train"]["findings"]}
    outcome, noting = start(path, last="check")
    assert noting.why["check"] == "it came to no end before"
    assert outcome.done == ("check",)


GATE = {
    "min_labels": 2,
    "min_alpha": None,
    "min_kappa": None,
    "min_accuracy": None,
    "alternative_annotator": False,
}


def test_people_are_waited_for(tiny: Path, here: Here, tmp_path: Path):
    path = write_config(
        tmp_path,
        {**two(tiny), "validate": "required"},
        validation={"gate": GATE, "annotators": 2, "overlap": 1.0, "repeats": 0.0},
    )
    run = tmp_path / "run"
    outcome, _ = start(path)
    assert outcome.done == ("generate", "check")
    assert outcome.waiting.startswith("waiting for ")
    assert outcome.waiting.endswith(f"labels: cai review {run}")
    waiting = int(outcome.waiting.split()[2])
    record = stages_of(path).find("validate")
    assert record is not None
    assert (record.state, record.said) == ("waiting", outcome.waiting)
    assert here.jobs == []
    with RunStore.open(run) as store:
        label_all(store, ["Ada"], lambda _, item: winner(item) if item.pair.p != 0.5 else "tie")
    # Two pairs are enough for this gate; half of the labels are missing all the same.
    outcome, _ = start(path)
    assert not outcome.waiting
    assert outcome.done == ("validate", "train/sft", "train/dpo", "report")
    assert waiting > 2
    card = json.loads((run / "models/sft/training.json").read_text())
    assert card["sources"][0]["standing"]["validated"]
    assert card["config"]["gate"] == "require"
    assert start(path)[0].done == ()
    assert "gate passed" in (stages_of(path).find("validate") or record).said


def test_a_gate_that_lets_nothing_through(tiny: Path, here: Here, tmp_path: Path):
    gate = {**GATE, "min_accuracy": 0.99}
    path = write_config(
        tmp_path,
        {**two(tiny), "validate": "required"},
        validation={"gate": gate, "annotators": 1, "overlap": 1.0, "repeats": 0.0},
    )
    start(path)
    with RunStore.open(tmp_path / "run") as store:
        label_all(store, ["Ada"], lambda _, item: other(winner(item)))
    with pytest.raises(GateError, match=r"(?s)have labelled all that was drawn.*accuracy: wanted"):
        start(path)
    assert here.jobs == []
    assert (stages_of(path).find("validate") or stages_of(path).stages[0]).state == "failed"


def test_an_interrupted_training_goes_on_where_it_was(
    tiny: Path, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, run = write_config(tmp_path, two(tiny)), tmp_path / "run"

    def killed(job: Any, file: Path, say: Any) -> Any:
        """What a killed process leaves: one of two steps."""
        changed = {**job.config, "training": {**job.config["training"], "max_steps": 1}}
        folder = Path(job.config["output"])
        monkeypatch.setattr("cai.train.compare.work.shutil.rmtree", lambda *_, **__: None)
        here(type(job)(**{**_fields(job), "config": changed}), file, say)
        monkeypatch.undo()
        monkeypatch.setattr(training_stage, "in_own_process", here)
        (folder / "training.json").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(training_stage, "in_own_process", killed)
    with pytest.raises(KeyboardInterrupt):
        start(path, last="train/sft")
    assert (stages_of(path).find("train/sft") or stages_of(path).stages[0]).state == "running"
    assert (run / "models/sft/checkpoints/checkpoint-1").is_dir()
    _, noting = start(path, last="train/sft")
    assert noting.why["train/sft"] == "it was interrupted"
    assert [job.resume for job in here.jobs] == [False, True]
    assert json.loads((run / "models/sft/training.json").read_text())["steps"] == 2
    # With other settings it would have begun anew.
    record = {**json.loads((run / "pipeline.json").read_text())}
    record["stages"][2]["state"] = "running"
    (run / "pipeline.json").write_text(json.dumps(record))
    change = {"pipeline.train.sft.settings.training.seed": 3}
    start(path, last="train/sft", overrides=change)
    assert not here.jobs[-1].resume


def test_the_model_before_is_there_until_the_new_one_is(
    finished: Path, here: Here, monkeypatch: pytest.MonkeyPatch
):
    path, run = finished, finished.parent / "run"
    before = (run / "models/dpo/model.safetensors").read_bytes()
    kept = run / "pipeline/before/dpo/model.safetensors"
    change = {"pipeline.train.dpo.settings.training.seed": 3}

    def stopped(job: Any, file: Path, say: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_stage, "in_own_process", stopped)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            start(path, last="train", overrides=change)
        assert kept.read_bytes() == before
    monkeypatch.setattr(training_stage, "in_own_process", here)
    start(path, last="train", overrides=change)
    assert not kept.parent.exists()
    assert (run / "models/dpo/model.safetensors").is_file()


def _fields(job: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(job)


def test_a_training_that_was_at_its_end_is_not_repeated(finished: Path, here: Here):
    path, run = finished, finished.parent / "run"
    # As if the process had been killed before it could take note.
    record = json.loads((run / "pipeline.json").read_text())
    record["stages"][3] |= {"state": "running", "outputs": [], "finished": None}
    (run / "pipeline.json").write_text(json.dumps(record))
    outcome, noting = start(path)
    assert noting.why == {"train/dpo": "it was interrupted"}
    assert outcome.done == ("train/dpo",)
    assert here.jobs == []
    assert {one.state for one in stages_of(path).stages} == {"done"}


def test_a_folder_of_somebody_else_is_not_overwritten(tiny: Path, here: Here, tmp_path: Path):
    path = write_config(tmp_path, two(tiny))
    (tmp_path / "run/models/sft").mkdir(parents=True)
    (tmp_path / "run/models/sft/mine.txt").write_text("mine")
    with pytest.raises(TrainingError, match="was not made by this pipeline"):
        start(path)
    assert (tmp_path / "run/models/sft/mine.txt").read_text() == "mine"
    assert here.jobs == []


def test_a_record_that_does_not_fit_is_an_error(tmp_path: Path):
    path = write_config(tmp_path, {})
    start(path)
    (tmp_path / "run/pipeline.json").write_text('{"stages": 5}')
    with pytest.raises(StoreError, match="is no record of a pipeline"):
        start(path)


def test_a_second_round_samples_from_the_policy_of_the_first(
    tiny: Path, here: Here, tmp_path: Path
):
    path = write_config(
        tmp_path,
        {"rounds": 2, "train": [training("dpo", "dpo", tiny)]},
        loop={"truncated": "keep", "rounds": 0, "sample": {"max_tokens": 6}},
        prompts={"path": "starter", "limit": 12},
    )
    outcome, _ = start(path)
    names = ("generate", "check", "train/dpo", "2/generate", "2/check", "2/train/dpo", "report")
    assert outcome.done == names
    run = tmp_path / "run"
    with RunStore.read(run / "rounds/2") as store:
        fingerprints = store.meta("fingerprints")
        config = store.meta("config")
    assert fingerprints["policy"].startswith("transformers/llama@")
    assert fingerprints["judge"] == "scripted/script"
    assert config["models"]["policy"]["model"] == str(run / "models/dpo")
    second = json.loads((run / "rounds/2/models/dpo/training.json").read_text())
    # The model that the settings name is what the first round begins with.
    assert second["config"]["model"]["name"] == str(run / "models/dpo")
    assert second["config"]["data"][0]["run"] == str(run / "rounds/2")
    assert (run / "rounds/2/report.html").is_file()
    assert start(path)[0].done == ()
