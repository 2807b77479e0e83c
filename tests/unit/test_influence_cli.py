"""`cai constitution influence`, and what the page of a run shows of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import cai.engines.scripted
from cai.cli.constitution.influence import influence as influence_command
from cai.cli.generate import generate as generate_command
from cai.errors import StoreError, UsageError
from cai.report import gather, render_html, render_markdown
from cai.store import RunStore
from tests.unit.influence_helpers import CONSTITUTION, NAMES, PROMPTS, ask, judge, planted, run_of
from tests.unit.report_helpers import Page


def command(function: Any, *arguments: object) -> Any:
    app = typer.Typer()
    app.command()(function)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def influence(*arguments: object) -> Any:
    return command(influence_command, "--draws", 200, *arguments)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run from a config, whose scripted judge can be opened again."""
    monkeypatch.setattr(cai.engines.scripted, "made_up", planted)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "planted"
    folder.mkdir()
    facts = CONSTITUTION.model_dump(mode="json", exclude={"origins"}, exclude_defaults=True)
    written = json.dumps({"format": 1, **facts})
    (folder / "1.0.0.yaml").write_text(written, encoding="utf-8")
    lines = "\n".join(json.dumps({"prompt": text}) for text in PROMPTS)
    (tmp_path / "prompts.jsonl").write_text(lines, encoding="utf-8")
    config = {
        "constitution": "planted/1.0.0.yaml",
        "run": "runs/planted",
        "prompts": {"path": "prompts.jsonl"},
        "models": {"policy": {"engine": "scripted"}},
        "loop": {"samples": 2, "rounds": 0, "pairs": ["samples"]},
    }
    (tmp_path / "cai.yaml").write_text(json.dumps(config), encoding="utf-8")
    done = command(generate_command, "cai.yaml")
    assert done.exit_code == 0, done.output
    return Path("runs/planted")


def test_without_asking_it_says_why_and_what_asking_takes(run: Path) -> None:
    done = influence(run, "--json", "out.json", "--limit", 10)
    assert done.exit_code == 0, done.output
    assert "No principle can be left out: the run draws one principle for each pair" in done.output
    assert f"cai constitution influence {run} --ask" in done.output
    assert ["Calls", "80", "80", "80"] in [line.split() for line in done.output.splitlines()]
    written = json.loads(Path("out.json").read_bytes())
    assert written["influence"]["several"] == 0
    assert written["asking"]["calls"] == {"low": 80.0, "likely": 80.0, "high": 80.0}
    assert written["asking"]["pairs"] == 10
    assert not (run / "influence").exists()


def test_asking_finds_what_was_planted(run: Path) -> None:
    done = influence(run, "--ask", "--limit", 40, "--json", "out.json")
    assert done.exit_code == 0, done.output
    assert "40 asked about every principle, of 40 prompt groups" in done.output
    assert "Put together by                  weighted" in done.output
    lines = done.output.splitlines()
    assert any(line.startswith("redundant") and "kind – warm" in line for line in lines)
    assert any(line.startswith("conflict") and "blunt – kind" in line for line in lines)
    assert "kind and warm say nearly the same" in done.output
    assert "320 asked, 80 remembered" in done.output
    written = json.loads(Path("out.json").read_bytes())
    relations = {tuple(one["names"]): one["relation"] for one in written["influence"]["couples"]}
    assert relations["kind", "warm"] == "redundant"
    assert relations["blunt", "warm"] == "conflict"
    assert written["advice"] in done.output
    changed = [one["changed"]["estimate"] for one in written["influence"]["principles"]]
    assert changed == sorted(changed, reverse=True)
    again = influence(run)
    assert "40 asked about every principle" in again.output
    assert "Calls, this time" not in again.output


def test_a_folder_of_its_own(run: Path) -> None:
    done = influence(run, "--ask", "--limit", 4, "--folder", "elsewhere")
    assert done.exit_code == 0, done.output
    assert Path("elsewhere/run.db").exists()
    assert not (run / "influence").exists()
    assert "No principle can be left out" in influence(run).output
    assert "4 asked about every" in influence(run, "--folder", "elsewhere").output
    refused = influence(run, "--ask", "--folder", run)
    assert "holds a run" in str(refused.exception)


def test_a_run_that_asks_under_each_needs_no_asking(tmp_path: Path) -> None:
    folder = run_of(tmp_path, scope="each")
    done = influence(folder, "--ask")
    assert done.exit_code == 0, done.output
    assert "60 judged by the run" in done.output
    assert not (folder / "influence").exists()
    few = influence(folder, "--least", 61)
    assert "No two principles both name a winner in 61 pairs" in few.output
    assert "None, of 0 couples with at least 61 pairs" in few.output


def test_what_cannot_be_asked_is_said_and_the_counts_are_told(tmp_path: Path) -> None:
    folder = run_of(tmp_path, scope="constitution")
    with RunStore.open(folder, durable=False) as store:
        store.set_meta(templates={"judge": {"hash": "0"}})
    done = influence(folder)
    assert done.exit_code == 0, done.output
    assert "shows all principles in one question (judge.scope: constitution)" in done.output
    assert "What asking would take is not known. The template judge/default has changed" in (
        done.output
    )
    refused = influence(folder, "--ask")
    assert isinstance(refused.exception, UsageError)


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    assert isinstance(influence(tmp_path).exception, StoreError)
    folder = run_of(tmp_path)
    refused = influence(folder, "--json", tmp_path / "no" / "out.json")
    assert "there is no folder" in str(refused.exception)


def test_a_run_without_pairs_has_nothing_to_ask_about(tmp_path: Path) -> None:
    folder = run_of(tmp_path)
    with RunStore.open(folder, durable=False) as store:
        store.set_meta(plan="another")
    done = influence(folder)
    assert "the run has judged no pair yet" in done.output
    assert "no judged pair of the splits train and dev" in done.output
    assert "no judged pair" in str(influence(folder, "--ask").exception)


# --- the page ---


def test_the_page_shows_what_was_asked(tmp_path: Path) -> None:
    folder = run_of(tmp_path)
    before = Page(render_html(gather(folder, draws=50)))
    assert "What single principles decide is not known" in before.text
    assert "cai constitution influence RUN --ask" in before.text
    ask(folder, 40, judge())
    figures = gather(folder, draws=200)
    found = Page(render_html(figures))
    assert figures.influence
    assert found.ids["chart-without-title"] == found.ids["chart-without-desc"] == 1
    assert set(found.ids.values()) == {1}
    assert "Every principle was asked about on 40 pairs of train and dev." in found.text
    assert "aggregate: weighted" in found.text
    assert "Principles by influence" in found.text
    assert "Redundant and conflicting principles" in found.text
    assert "redundant kind – warm" in found.text
    assert "conflict blunt – kind" in found.text
    assert "kind and warm say nearly the same" in found.text
    # The chart says in words what it draws, and has its figures as a table.
    assert "Labels that differ without the principle, all 5: figures" in found.text
    top = figures.influence.principles[0]
    assert (
        f"Estimates with 95% intervals. {top.principle}: {top.changed.estimate:.1%}" in found.text
    )
    summary = render_markdown(figures)
    assert "Principles by influence" in summary
    assert "kind and warm say nearly the same" in summary


def test_the_page_of_a_run_that_asks_under_each(tmp_path: Path) -> None:
    figures = gather(run_of(tmp_path, scope="each"), draws=100)
    assert figures.influence is not None
    text = Page(render_html(figures)).text
    assert "60 pairs have verdicts under several principles." in text
    assert all(name in text for name in NAMES)


def test_the_page_says_where_the_config_does_not_fit(tmp_path: Path) -> None:
    folder = run_of(tmp_path, scope="each")
    with RunStore.open(folder, durable=False) as store:
        store.set_meta(config={"prompt": "x"})
    figures = gather(folder, draws=50)
    assert figures.influence is None
    text = Page(render_html(figures)).text
    assert "The run's config or constitution does not fit this version." in text
    assert str(tmp_path) not in text
