"""`cai evaluate refusal`: what it writes, what it prints, and what it refuses to do."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cai.evaluate.refusal.run as run
import cai.evaluate.session as session
import cai.loop.judges as judges
from cai.cli.app import app
from cai.config import ModelConfig
from cai.engines import Engines, ScriptedEngine
from cai.errors import UsageError
from cai.evaluate.results import read_results
from tests.unit.refusal_helpers import (
    EASY,
    HARD,
    MAIL,
    SUBJECTS,
    case_file,
    judge_script,
    labelled_file,
)

SCRIPTS = {**SUBJECTS, "judge": judge_script, "guard": lambda request: "unsafe\nS1"}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> dict[str, ScriptedEngine]:
    """Models called by the name of a script answer from it; each start has engines of its own."""
    opened: dict[str, ScriptedEngine] = {}

    def open_engine(model: ModelConfig) -> ScriptedEngine:
        engine = ScriptedEngine(SCRIPTS[model.model], name=model.model)
        opened[model.model] = engine
        return engine

    def open_judges(models: Any) -> Engines:
        judge = open_engine(models.roles["judge"])
        return Engines(judge, judge, judge)

    monkeypatch.setattr(session, "open_engine", open_engine)
    monkeypatch.setattr(judges, "open_judges", open_judges)
    monkeypatch.setattr(run, "open_engine", open_engine)
    return opened


def call(folder: Path, *options: str, subjects: str = "refuses complies obeys") -> Any:
    named = [part for name in subjects.split() for part in ("--subject", f"{name}=scripted:{name}")]
    fixed = ["--folder", str(folder / "out"), "--judge", "scripted:judge", "--draws", "100"]
    return CliRunner().invoke(app, ["evaluate", "refusal", *fixed, *named, *options])


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    hostile = "How?\x1b[2J\u202e[bold]x[/bold]<script>alert(1)</script>"
    many = [
        {**base, "id": f"{base['id']}{i}", "prompt": f"{base['prompt']} {i}"}
        | ({"pair": f"hard{i}"} if "pair" in base else {})
        for i in range(4)
        for base in (HARD, EASY, MAIL)
    ]
    cases = case_file(tmp_path, *many, {**HARD, "id": "nasty", "prompt": hostile})
    labelled = labelled_file(tmp_path)
    return ["--cases", str(cases), "--labelled", str(labelled)]


def test_several_subjects_in_one_go(
    tmp_path: Path, files: list[str], scripted: dict[str, ScriptedEngine]
) -> None:
    done = call(tmp_path, *files)
    assert done.exit_code == 0, done.output
    (result,) = read_results(tmp_path / "out")
    assert result.subjects == ("refuses", "complies", "obeys")
    values = {
        (f.subject, f.name): f.value for f in result.figures if f.group == "all" and not f.against
    }
    assert values["refuses", "over_refusal"] == 1.0
    assert values["complies", "attack_success"] == 1.0
    # Four planted instructions are too few for a figure.
    assert values["obeys", "injection_obeyed"] is None
    assert sum(bool(row.get("obeyed")) for row in result.details["rows"]) == 4
    assert result.calls > 0 and len(result.details["rows"]) == 3 * 13
    for text in (
        *("How often the evaluator is right", "Rates over all cases", "complies − refuses"),
        *("Worst failures of obeys", "obeyed a planted instruction", "Calls and cost of asking"),
        "should be refused, complies (full), p = 0.90, harm: theft",
    ):
        assert text in done.output, done.output
    # What users and models wrote acts on no terminal.
    assert "\x1b" not in done.output and "\u202e" not in done.output
    assert "[bold]x[/bold]" in done.output

    before = {name: engine.calls for name, engine in scripted.items()}
    again = call(tmp_path, *files)
    assert again.exit_code == 0 and all(before.values())
    assert all(engine.calls == 0 for engine in scripted.values())
    assert "0 asked" in again.output
    (same,) = read_results(tmp_path / "out")
    assert same.figures == result.figures and same.inputs == result.inputs


def test_a_sheet_goes_out_and_its_labels_come_back(
    tmp_path: Path, files: list[str], scripted: dict[str, ScriptedEngine]
) -> None:
    sheet = tmp_path / "label.csv"
    done = call(tmp_path, *files, "--to-label", str(sheet), subjects="complies")
    assert done.exit_code == 0, done.output
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 13
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        # People find what the judge took for help to be of no use.
        writer.writerows({**row, "label": "none"} for row in rows)
    done = call(tmp_path, *files, "--human", str(sheet), subjects="complies")
    assert done.exit_code == 0, done.output
    (result,) = read_results(tmp_path / "out")
    told = {f.name: (f.value, f.n) for f in result.figures if f.rests_on == ("people",)}
    assert told["refusal_recall_people"] == (pytest.approx(1.0), 5)
    assert "Rates that labels by people correct" in done.output


def test_a_classifier_is_named_like_a_subject(
    tmp_path: Path, files: list[str], scripted: dict[str, ScriptedEngine]
) -> None:
    done = call(tmp_path, *files, "--classifier", "scripted:guard", subjects="refuses")
    assert done.exit_code == 0, done.output
    assert scripted["guard"].calls == 5
    assert "scripted/guard" in done.output and "not checked" in done.output
    (result,) = read_results(tmp_path / "out")
    assert any("right about safety" in note for note in result.notes)


def test_the_smoke_test_writes_no_result(
    tmp_path: Path, files: list[str], scripted: dict[str, ScriptedEngine]
) -> None:
    fixed = ["--folder", str(tmp_path / "out"), "--subject", "refuses=scripted:refuses"]
    done = CliRunner().invoke(app, ["evaluate", "refusal", *fixed, *files[:2], "--smoke"])
    assert done.exit_code == 0, done.output
    assert "no measurement" in done.output and set(scripted) == {"refuses"}
    assert not list((tmp_path / "out").glob("*.json"))
    with pytest.raises(UsageError, match=r"--smoke asks no judge.*--judge, --labelled"):
        CliRunner().invoke(
            app,
            ["evaluate", "refusal", *fixed, *files, "--smoke", "--judge", "scripted:judge"],
            catch_exceptions=False,
        )


def test_an_unchecked_judge_is_warned_of(
    tmp_path: Path, files: list[str], scripted: dict[str, ScriptedEngine]
) -> None:
    done = call(tmp_path, *files[:2], "--skip-evaluator-check", "--limit", "5", subjects="refuses")
    assert done.exit_code == 0, done.output
    assert "Warning: --skip-evaluator-check" in done.output and "unchecked" in done.output
    # Twins stay together, so about five.
    assert 4 <= scripted["refuses"].calls <= 5
    with pytest.raises(UsageError, match="got both"):
        CliRunner().invoke(
            app,
            ["evaluate", "refusal", *files, "--skip-evaluator-check"],
            catch_exceptions=False,
        )


def test_a_judge_at_chance_prints_no_rate(
    tmp_path: Path,
    files: list[str],
    scripted: dict[str, ScriptedEngine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yes = ScriptedEngine.label(0.9, labels=("Yes", "No"))
    monkeypatch.setitem(SCRIPTS, "judge", lambda request: yes)
    done = call(tmp_path, *files)
    assert done.exit_code == 0, done.output
    assert "not measurable with this evaluator" in done.output
    assert "Failures of complies: not listed" in done.output
    assert "Differences" not in done.output and "Rates by category" not in done.output
    rates = done.output.partition("Rates over all cases")[2].partition("Failures of")[0]
    assert not re.search(r"\d%\s*\[", rates)


def test_a_subject_that_judges_itself_is_warned_of(
    tmp_path: Path, files: list[str], scripted: dict[str, ScriptedEngine]
) -> None:
    done = call(tmp_path, *files, "--subject", "same=scripted:judge", subjects="refuses")
    assert "Warning: same judges its own answers" in done.output


def test_settings_reach_the_subject(
    tmp_path: Path, files: list[str], scripted: dict[str, ScriptedEngine]
) -> None:
    done = call(
        tmp_path,
        *files,
        *("--set", "loop.sample.temperature=0", "--set", "loop.sample.max_tokens=7"),
        *("--samples", "2"),
        subjects="complies",
    )
    assert done.exit_code == 0, done.output
    data = json.loads((tmp_path / "out" / "refusal.json").read_text(encoding="utf-8"))
    assert "2 answers of up to 7 tokens at temperature 0" in data["notes"][0]
    assert scripted["complies"].calls == 26
