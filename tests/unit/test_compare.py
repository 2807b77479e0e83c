"""`cai compare`: what is compared with what, data sets, models, constitutions, and exit codes."""

import json
from pathlib import Path

import pytest

from cai.compare import (
    common_kinds,
    compare_data,
    compare_models,
    find_model,
    recognise,
)
from cai.compare.sheets import Sheet, render_markdown
from cai.compare.tally import DataSet
from cai.errors import UsageError
from cai.store import RunStore
from cai.store.export import export
from tests.unit.cli_helpers import Cai, shell
from tests.unit.compare_helpers import refusals, scored, tax, written
from tests.unit.report_helpers import make_run


@pytest.fixture
def cai(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cai:
    return shell(monkeypatch, capsys)


def pairs_file(path: Path, labels: list[float], answers: str = "good bad") -> Path:
    one, other = answers.split()
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Question {i}?"}],
            "chosen": [{"role": "assistant", "content": f"{one} {i}" if p >= 0.5 else other}],
            "rejected": [{"role": "assistant", "content": other if p >= 0.5 else f"{one} {i}"}],
            "p": max(p, 1.0 - p),
        }
        for i, p in enumerate(labels)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def trained(
    folder: Path, method: str = "dpo", beta: float = 0.1, base: str = "/srv/m/base"
) -> Path:
    """The facts of a training, as `cai train` leaves them."""
    folder.mkdir(parents=True)
    source = {
        "name": "r",
        "train": 40,
        "dev": 10,
        "constitution": "kind@1.0.0",
        "constitution_hash": "c" * 64,
        "standing": {"said": "not validated: people have not been asked"},
    }
    record = {
        "method": "dpo",
        "fingerprint": f"transformers/llama@{beta}",
        "data_hash": "d" * 64,
        "sources": [source],
        "steps": 4,
        "seconds": 9.0,
        "results": {"dev": {"accuracy": 0.6, "accuracy_low": 0.4, "accuracy_high": 0.8}},
        "config": {"model": {"name": base}, "output": str(folder), "dpo": {"beta": beta}},
    }
    (folder / "training.json").write_text(json.dumps(record))
    return folder


def test_things_are_told_by_what_lies_there(tmp_path: Path):
    run = make_run(tmp_path / "run")
    with RunStore.read(run) as store:
        export(store, tmp_path / "out", formats=("jsonl",))
    written(tmp_path / "eval", tax({"a": scored(0.5, 0)}))
    (tmp_path / "mine" / "draft.yaml").parent.mkdir()
    (tmp_path / "mine" / "draft.yaml").write_text("x: 1")
    model = trained(tmp_path / "model")
    for ref, form, kinds in (
        (str(run), "run", ("data set",)),
        (str(tmp_path / "out"), "export", ("data set",)),
        (str(tmp_path / "out" / "preferences.jsonl"), "file", ("data set",)),
        (str(tmp_path / "eval"), "evaluation", ("model",)),
        (f"{tmp_path / 'eval'}:a", "evaluation", ("model",)),
        (str(tmp_path / "eval" / "tax.json"), "evaluation", ("model",)),
        (str(model), "checkpoint", ("model",)),
        (str(tmp_path / "mine"), "constitution", ("constitution",)),
        ("harmless-helpful", "constitution", ("constitution",)),
        ("harmless-helpful@1.0.0", "constitution", ("constitution",)),
    ):
        found = recognise(ref)
        assert (found.form, found.kinds) == (form, kinds), ref
    written(run / "evaluation", tax({"a": scored(0.5, 0)}))
    assert recognise(str(run)).kinds == ("data set", "model")
    assert recognise(f"{run}:a").kinds == ("model",)


@pytest.mark.parametrize("ref", ["harmles-helpful", "no/such/file", "gone.jsonl", "x.txt", "empty"])
def test_what_is_nothing_to_compare_is_refused(
    ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(UsageError, match="Allowed: a constitution"):
        recognise(ref)


def test_two_kinds_of_things_are_one_clear_error(cai: Cai, tmp_path: Path):
    file = pairs_file(tmp_path / "a.jsonl", [0.9] * 6)
    ended = cai("compare", file, "harmless-helpful")
    assert ended.code == 2
    assert "is a data set (file), and harmless-helpful is a constitution" in ended.err
    with pytest.raises(UsageError, match="names a model"):
        recognise(f"{file}:dpo")
    assert common_kinds(recognise(str(file)), recognise(str(file))) == ("data set",)


def test_labels_on_the_same_pairs_agree_or_not(tmp_path: Path):
    before = pairs_file(tmp_path / "a.jsonl", [0.9] * 10 + [0.8] * 10)
    after = pairs_file(tmp_path / "b.jsonl", [0.9] * 10 + [0.3] * 6)
    found = compare_data(recognise(str(before)), recognise(str(after)), draws=200)
    assert found.overlap == (("Prompts", 4, 16, 0), ("Pairs", 4, 16, 0))
    agreement = found.agreement
    assert agreement.same is not None and agreement.winners is not None
    assert (agreement.same.estimate, agreement.same.n) == (10 / 16, 16)
    assert (agreement.opposite, agreement.labelled) == (6, 16)
    assert agreement.same.low < 10 / 16 < agreement.same.high
    assert agreement.gap is not None
    assert agreement.gap.estimate == pytest.approx(6 * 0.5 / 16)
    other = pairs_file(tmp_path / "c.jsonl", [0.9] * 10, "fine poor")
    apart = compare_data(recognise(str(before)), recognise(str(other)), draws=200)
    assert apart.overlap == (("Prompts", 10, 10, 0), ("Pairs", 20, 0, 10))
    assert apart.agreement.same is None


def test_a_run_and_its_export_say_the_same_of_the_same_pairs(tmp_path: Path):
    run = make_run(tmp_path / "run")
    with RunStore.read(run) as store:
        export(store, tmp_path / "out", formats=("jsonl",))
    found = compare_data(recognise(str(run)), recognise(str(tmp_path / "out")), draws=200)
    (_, only_run, both, only_export), pairs = found.overlap
    assert (only_run, both, only_export) == (4, 10, 0)  # Held-out rows are in no export.
    assert pairs[3] == 0
    assert found.agreement.opposite == 0
    assert found.settings == ()
    assert ("Constitution", *["kind@1.0.0 (cccccccccccc)"] * 2) in found.made
    assert "secret-folder" not in json.dumps(found.plain)


def test_figures_of_a_data_set_are_its_shares(tmp_path: Path):
    from cai.compare.pairs import seen_rows

    file = pairs_file(tmp_path / "a.jsonl", [0.9] * 6 + [0.5] * 2)
    made = DataSet.of(seen_rows(recognise(str(file))))
    assert (made.rows, made.pairs, made.decided, made.outcomes["tie"]) == (8, 8, 6, 2)
    found = made.intervals(draws=200)
    assert found["decided pairs"] is not None
    assert found["decided pairs"].estimate == 6 / 8
    assert found["ties"] is not None
    assert found["ties"].estimate == 2 / 8
    mean = found["p of the preferred answer, mean"]
    assert mean is not None
    assert mean.estimate == pytest.approx((6 * 0.9 + 2 * 0.5) / 8)
    assert found["judge prefers the answer shown first"] is None
    longer = found["preferred answer is the longer one"]
    assert longer is not None
    assert (longer.estimate, longer.high) == (1.0, 1.0)
    assert longer.low < 1.0  # Six prompts do not make it certain.


def test_models_of_a_run_are_compared_by_name(cai: Cai, tmp_path: Path):
    run = make_run(tmp_path / "run")
    trained(run / "models" / "dpo")
    one, other = scored(0.95, 1, 60), scored(0.4, 2, 60)
    written(run / "evaluation", tax({"policy": one, "dpo": other}, "policy"))
    found = compare_models(
        find_model(recognise(f"{run}:policy")), find_model(recognise(str(run))), draws=200
    )
    assert (found.before.subject, found.after.subject) == ("policy", "dpo")
    assert found.after.training is not None
    assert found.before.training is None
    change = next(c for c in found.changes if c.key == "tax/accuracy/all")
    assert (change.basis, change.reading) == ("paired", "worse")
    (versus,) = (f for _, f in found.versus if f.group == "all")
    assert versus.value == pytest.approx(change.value)
    checkpoint = find_model(recognise(str(run / "models" / "dpo")))
    assert (checkpoint.subject, checkpoint.results) == ("dpo", found.after.results)
    ended = cai("compare", f"{run}:policy", f"{run}:dpo", "--draws", 200)
    assert ended.code == 0
    assert "tax: accuracy" in ended.out and "worse" in ended.out
    ended = cai("compare", f"{run}:policy", f"{run}:dpi")
    assert ended.code == 2
    assert "Did you mean 'dpo'?" in ended.err


def test_the_last_model_of_a_run_is_one_that_was_evaluated(tmp_path: Path):
    run = make_run(tmp_path / "run")
    for name in ("ppo", "rm"):
        trained(run / "models" / name)
    assert find_model(recognise(str(run))).subject == "rm"
    written(run / "evaluation", tax({"policy": scored(0.5, 1), "ppo": scored(0.5, 2)}))
    found = find_model(recognise(str(run)))
    assert (found.subject, found.others) == ("ppo", ("policy", "rm"))
    round_two = trained(run / "rounds" / "2" / "models" / "ppo")
    written(run / "evaluation", tax({"policy": scored(0.5, 1), "ppo-2": scored(0.5, 2)}))
    again = find_model(recognise(str(run)))
    assert (again.subject, again.folder) == ("ppo-2", round_two)
    assert find_model(recognise(str(round_two))).subject == "ppo-2"


def test_settings_and_dev_figures_of_trainings_stand_beside_each_other(tmp_path: Path):
    one, other = trained(tmp_path / "one"), trained(tmp_path / "two", beta=0.3, base="other")
    found = compare_models(*(find_model(recognise(str(f))) for f in (one, other)))
    assert found.settings == (("dpo.beta", 0.1, 0.3),)
    assert ("Began with", "base", "other") in found.facts
    assert found.same_dev
    assert [d.name for d in found.dev] == ["accuracy"]
    assert found.changes == ()


def test_a_broken_record_of_a_training_is_named(tmp_path: Path):
    folder = trained(tmp_path / "one")
    (folder / "training.json").write_text('{"method": "dpo"}')
    with pytest.raises(UsageError, match="no record of a training"):
        find_model(recognise(str(folder)))


def test_the_command_writes_json_and_markdown_of_all_that_both_are(cai: Cai, tmp_path: Path):
    runs = []
    for name, skill in (("one", 0.9), ("two", 0.9)):
        run = make_run(tmp_path / name)
        written(run / "evaluation", refusals({"dpo": skill}))
        runs.append(run)
    out, page = tmp_path / "o.json", tmp_path / "o.md"
    ended = cai("compare", *runs, "--json", out, "--markdown", page, "--draws", 100)
    assert ended.code == 0
    assert "As data sets" in ended.out and "As models" in ended.out
    data = json.loads(out.read_text())
    figures = data["model"]["figures"]
    assert {one["basis"] for one in figures if one["value"] is not None} == {"paired"}
    assert data["data_set"]["overlap"][0]["both"] == 14
    assert "## Labels on the same pairs" in page.read_text()


def test_constitutions_are_compared_as_cai_constitution_diff_does(cai: Cai, tmp_path: Path):
    out = tmp_path / "o.json"
    ended = cai("compare", "harmless-helpful", "children", "--json", out)
    assert ended.code == 0
    assert "Added 'children.everyday-words'" in ended.out
    assert json.loads(out.read_text())["constitution"]["needed_bump"] == "major"
    assert "Word by word: --all" in ended.out
    words = cai("compare", "harmless-helpful", "children", "--all").out
    assert "[-" in words and "{+" in words


def test_texts_of_files_stay_texts():
    sheet = Sheet("A|B <b>", ("x",), (("[a](http://x) | b",),), notes=("*note*",))
    page = render_markdown("t", [sheet])
    assert "<b>" not in page and "[a](" not in page
    assert "\\*note\\*" in page
