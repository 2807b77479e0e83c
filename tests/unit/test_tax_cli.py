"""`cai evaluate tax` as a shell sees it."""

import json
import sys
from pathlib import Path

import pytest

from cai.evaluate.results import read_results
from tests.unit.cli_helpers import Cai, shell
from tests.unit.test_tax_harness import output


@pytest.fixture
def run_cai(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Cai:
    monkeypatch.chdir(tmp_path)
    return shell(monkeypatch, capsys)


ARGUMENTS = ("evaluate", "tax", "--limit", 21, "--engine", "scripted")
TWICE = ("--subject", "base=scripted:a", "--subject", "dpo=scripted:b")


def test_two_models_and_the_file_of_results(run_cai: Cai, tmp_path: Path):
    ended = run_cai(*ARGUMENTS, *TWICE)
    assert ended.code == 0, ended.err
    (result,) = read_results(tmp_path / "runs" / "evaluate-tax")
    assert (result.kind, result.subjects) == ("tax", ("base", "dpo"))
    assert len(result.details["items"]["base"]) == 21
    assert {f.against for f in result.figures if f.subject == "dpo"} == {"", "base"}
    assert "McNemar p" in ended.out
    assert "tax.json" in ended.out
    assert "Questions to dpo: 21 of 21" in ended.err
    again = run_cai(*ARGUMENTS, *TWICE)
    assert " 0 calls" in again.err


def test_before_turns_the_comparison_round(run_cai: Cai, tmp_path: Path):
    ended = run_cai(*ARGUMENTS, *TWICE, "--before", "dpo", "--area", "code", "--folder", "f")
    assert ended.code == 0, ended.err
    (result,) = read_results(tmp_path / "f")
    assert {(f.subject, f.against) for f in result.figures if f.against} == {("base", "dpo")}
    assert {f.group for f in result.figures} == {"all", "code"}


def test_a_limit_that_could_not_be_checked_or_was_passed_ends_with_1(run_cai: Cai, tmp_path: Path):
    for name, acc in (("base", 0.8), ("dpo", 0.6)):
        (tmp_path / f"{name}.json").write_text(json.dumps(output(acc) | {"configs": {}}))
    files = [t for n in ("base", "dpo") for t in ("--lm-eval-results", f"{n}={n}.json")]
    ended = run_cai(*ARGUMENTS, *TWICE, *files, "--limit-drop", 3)
    assert ended.code == 1
    said = " ".join(ended.out.split())
    assert "Over the limit: dpo against base, lm-eval/arc_easy acc, difference: -20.0" in said
    assert "Not checked: not measurable" in said
    (result,) = read_results(tmp_path / "runs" / "evaluate-tax")
    states = {one["group"]: one["state"] for one in result.details["verdicts"]}
    assert states["all"] == "unmeasured"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--before", "bas"), "did you mean 'base'"),
        (("--lm-eval-results", "other=f.json"), "NAME is one of base, dpo"),
        (("--lm-eval-results", "base=none.json"), "cannot be read"),
        (("--lm-eval", "arc_easy"), "engine 'scripted'"),
        (("--content", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_asked(
    run_cai: Cai, tmp_path: Path, more: tuple[str, ...], said: str
):
    ended = run_cai(*ARGUMENTS, *TWICE, *more)
    assert ended.code in (1, 2)
    assert said.lower() in " ".join(ended.err.split()).lower()
    assert not (tmp_path / "runs").exists()


def test_one_subject_cannot_be_compared(run_cai: Cai):
    ended = run_cai(*ARGUMENTS, "--subject", "base=scripted:a", "--limit-drop", 3)
    assert ended.code == 2
    assert "--limit-drop compares two subjects, got 'base' alone" in " ".join(ended.err.split())


def test_lm_eval_is_asked_for_with_its_install_line(run_cai: Cai, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    ended = run_cai("evaluate", "tax", "--subject", "a=owner/model", "--lm-eval", "arc_easy")
    assert ended.code == 1
    assert "constitutional-ai[lm-eval]" in "".join(ended.err.split())
