"""`cai constitution test` as a shell would see it, and the files that it writes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from cai.cli.constitution.testing_report import Subject, print_report
from cai.constitution.case_files import FoundCase
from cai.constitution.cases import Case
from cai.engines import ScriptedEngine
from cai.judge.cases import Reading, settle
from cai.records import Completion, Request
from cai.validation.case_report import case_report
from tests.unit.cli_helpers import Cai, shell
from tests.unit.judge_helpers import CONSTITUTION, REFUSED
from tests.unit.test_constitution_cases import constitution, write

HOSTILE = "GOOD \x1b[2J\x07 ]]> & <b>\"'</b> \ufffe\uffff \u202e \ud7ff\x00\r\n{{ x }}"
# Elements of Jenkins' junit-10.xsd that are used: required and optional attributes, and children.
JUNIT: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"skipped", "time", "timestamp", "hostname", "id", "package", "file"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": (
        {"name"},
        {"classname", "time", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}


def judge(request: Request) -> Completion:
    """Prefers what is good and says yes to it; refuses what is odd; likes a slot for all else."""
    last = request.messages[-1].content
    if "ODD" in last:
        return REFUSED
    if request.stage == "score":
        return ScriptedEngine.label(0.8 if "GOOD" in last else 0.1, labels=("Yes", "No"))
    if "GOOD" not in last:
        return ScriptedEngine.label(0.9)
    return ScriptedEngine.label(0.7 if last.index("GOOD") < last.index("POOR") else 0.3)


@pytest.fixture
def cai(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cai:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cai.engines.scripted.made_up", judge)
    return shell(monkeypatch, capsys)


def pair(name: str, better: str, worse: str, **keys: Any) -> dict[str, Any]:
    return {"id": name, "prompt": "What?", "better": better, "worse": worse} | keys


RIGHT = pair("right", "GOOD", "POOR", principle="own.rule")
WRONG = pair("wrong", "POOR", "GOOD", principle="own.rule")
SLOT = pair("slot", "One.", "Two.")
ODD = pair("odd", "ODD", "POOR", principle="own.rule")
BREAKS = {
    "id": "breaks",
    "principle": "own.rule",
    "prompt": "What?",
    "answer": "POOR",
    "violates": True,
}

Test = Callable[..., Any]


@pytest.fixture
def run(cai: Cai, tmp_path: Path) -> Test:
    """Runs the command over cases beside a constitution with one principle."""
    file = constitution(tmp_path)

    def test(*cases: dict[str, Any], options: tuple[object, ...] = ()) -> Any:
        if cases:
            write(file.parent / "cases.yaml", *cases)
        return cai("constitution", "test", file, "--engine", "scripted", *options)

    return test


def test_all_passed(run: Test, tmp_path: Path) -> None:
    done = run(RIGHT, BREAKS)
    assert done.code == 0, done.err
    assert "mine@1.0.0: 2 cases" in done.out
    assert "100.0% [34.2%, 100.0%]" in done.out
    assert "\nFailed\n" not in done.out and "\nNo verdict\n" not in done.out
    assert "2 of 2 cases, 0 failed · 3 calls" in done.err
    assert "Fewer than 5: own.rule (2)." in done.out
    assert "3 asked, 0 remembered" in done.out
    assert (tmp_path / "runs/test-mine/run.db").exists()


def test_one_failure_fails_the_command_and_is_listed(run: Test) -> None:
    done = run(RIGHT, WRONG, SLOT, ODD)
    assert done.code == 1
    failed = done.out.split("\nFailed\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in failed] == ["Case", "wrong", "slot"]
    assert failed[1].split()[1:6] == ["own.rule", "0.300", "0.300", "0.300", "failed"]
    assert "whole constitution  0.500" in failed[2] and "tie, whose orders disagree" in failed[2]
    silent = done.out.split("\nNo verdict\n")[1]
    assert silent.splitlines()[1].split()[:2] == ["odd", "refused"]
    assert "1 (1 refused)" in done.out and "1 (1 whose orders disagree)" in done.out


@pytest.mark.parametrize(("share", "code"), [(0.5, 0), (0.51, 1), (0.0, 0)])
def test_a_threshold_in_place_of_all(run: Test, share: float, code: int) -> None:
    assert run(RIGHT, WRONG, options=("--fail-under", share)).code == code


def test_without_a_verdict_nothing_has_passed(run: Test) -> None:
    assert run(ODD, options=("--fail-under", 0.0)).code == 1
    assert run(RIGHT, ODD).code == 0


def test_nothing_is_asked_again(run: Test) -> None:
    assert "2 asked, 0 remembered" in run(RIGHT).out
    again = run(RIGHT, SLOT, options=("--repeat", 2))
    assert "2 asked, 6 remembered" in again.out
    assert "asked nothing new: this judge is read from log-probabilities" in again.out


def test_cases_are_chosen(run: Test) -> None:
    def listed(*options: object) -> list[str]:
        done = run(RIGHT, WRONG, SLOT, options=("--list", *options))
        assert done.code == 0, done.err
        return [line.split()[0] for line in done.out.splitlines()[1:-1]]

    assert listed() == ["right", "wrong", "slot"]
    assert listed("--only", "*r*g*") == ["right", "wrong"]
    assert listed("--only", "right", "--only", "slot") == ["right", "slot"]
    assert listed("--principle", "own.*") == ["right", "wrong"]
    assert listed("--principle", "whole*") == ["slot"]
    assert listed("--limit", 1) == ["right"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--only", "rigth"), "--only rigth: there is no such case for mine@1.0.0.*'right'"),
        (("--principle", "own.rul"), "--principle own.rul.*'own.rule'"),
        (("--principle", "own.rule", "--only", "slot"), "--only slot"),
        (("--json", "missing/out.json"), "missing/out.json cannot be written"),
        (("--json", "cases.yaml"), "cases.yaml is a file that is read"),
        (("--junit", "one", "--json", "one"), "both name one"),
        (("--junit", "."), "cannot be written: it is a folder"),
        (("--cases", "missing.yaml"), "No such file: missing.yaml"),
        (("--set", "judge.tie_bnd=0"), "unknown key 'judge.tie_bnd'.*'tie_band'"),
        (("--margin", 0.6), "--margin"),
    ],
)
def test_wrong_usage(run: Test, options: tuple[object, ...], says: str, tmp_path: Path) -> None:
    done = run(RIGHT, SLOT, options=options)
    assert done.code == 2
    assert re.search(says, done.err, re.DOTALL), done.err
    assert not (tmp_path / "runs").exists()


def test_without_cases_there_is_nothing_to_test(run: Test) -> None:
    done = run()
    assert done.code == 2
    assert "There is no case for mine@1.0.0" in done.err and "cases.yaml" in done.err


def test_results_as_json(run: Test, tmp_path: Path) -> None:
    run(RIGHT, SLOT, BREAKS, options=("--json", "out.json", "--margin", 0.1))
    written = json.loads((tmp_path / "out.json").read_bytes())
    assert written["constitution"]["label"] == "mine@1.0.0"
    assert written["judge"] == "scripted/smollm2-135m-instruct"
    assert written["report"]["total"]["passed"] == 2
    right, slot, breaks = written["results"]
    assert (right["id"], right["kind"], right["outcome"]) == ("right", "pair", "passed")
    assert right["orders"] == pytest.approx([0.7, 0.7])
    assert (slot["principle"], slot["outcome"]) == (None, "tie")
    assert slot["flaky"] == ["orders", "margin"]
    assert (breaks["kind"], breaks["orders"]) == ("answer", None)
    assert breaks["p"] == pytest.approx(0.9)


def check_shape(element: ET.Element) -> None:
    required, optional, children = JUNIT[element.tag]
    assert required <= set(element.keys()) <= required | optional, element.tag
    assert {child.tag for child in element} <= children, element.tag
    for child in element:
        check_shape(child)


def test_results_as_junit(run: Test, tmp_path: Path) -> None:
    more = write(tmp_path / "more.yaml", RIGHT, ODD)
    own = tmp_path / "constitution/mine/cases.yaml"
    run(
        *(RIGHT, WRONG, SLOT, BREAKS),
        options=("--junit", "out.xml", "--cases", own, "--cases", more),
    )
    root = ET.parse(tmp_path / "out.xml").getroot()
    check_shape(root)
    assert root.attrib == {"name": "mine@1.0.0", "tests": "6", "failures": "2", "errors": "0"}
    first, second = root.findall("testsuite")
    assert (first.get("tests"), first.get("failures"), first.get("skipped")) == ("4", "2", "0")
    assert (second.get("tests"), second.get("failures"), second.get("skipped")) == ("2", "0", "1")
    cases = {case.get("name"): case for case in first.findall("testcase")}
    assert list(cases) == ["right", "wrong", "slot", "breaks"]
    assert len(cases["right"]) == len(cases["breaks"]) == 0
    assert [case.get("classname") for case in cases.values()] == [
        *("own.rule", "own.rule", "mine", "own.rule")
    ]
    failure = cases["wrong"].find("failure")
    assert failure is not None
    assert failure.get("type") == "failed"
    assert (failure.get("message") or "").startswith("p = 0.300, which is not above 0.505; 0.300")
    assert "User: What?\nBetter: POOR\nWorse: GOOD" in (failure.text or "")
    assert [child.tag for child in cases["slot"]] == ["failure", "system-out"]
    skipped = second.find("testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "The judge gave no verdict: refused."


@pytest.mark.parametrize("kind", ["pair", "answer"])
def test_hostile_texts_stay_inert(run: Test, tmp_path: Path, kind: str) -> None:
    case = pair("evil", "POOR", HOSTILE, principle="own.rule")
    if kind == "answer":
        case = {"id": "evil", "prompt": HOSTILE, "answer": HOSTILE, "violates": True}
    # JSON is YAML, and can write every character.
    file = tmp_path / "evil.yaml"
    text = json.dumps({"format": 1, "summary": "Checks.", "cases": [case]})
    file.write_text(text, encoding="utf-8")
    done = run(options=("--cases", file, "--junit", "out.xml", "--json", "out.json"))
    assert done.code == 1, done.err
    assert "\x1b" not in done.out and "\x1b" not in done.err
    raw = (tmp_path / "out.xml").read_text(encoding="utf-8")
    assert not set(raw) & set("\x00\x07\x1b\ufffe\uffff\u202e")
    root = ET.fromstring(raw)
    check_shape(root)
    details = root.findtext("testsuite/testcase/failure") or ""
    assert "]]> & <b>\"'</b>" in details and "{{ x }}" in details
    assert json.loads((tmp_path / "out.json").read_bytes())["results"][0]["id"] == "evil"


def test_a_packaged_constitution_by_name(cai: Cai) -> None:
    done = cai(
        *("constitution", "test", "harmless-helpful", "--engine", "scripted", "--limit", 3),
        *("--folder", "answers", "--set", "judge.tie_band=0.1"),
    )
    assert done.code == 1
    assert "harmless-helpful@" in done.out and "A case passes with p above 0.6" in done.out
    assert Path("answers/run.db").exists()


def test_a_config_names_the_judge_and_not_the_constitution(cai: Cai, tmp_path: Path) -> None:
    file = constitution(tmp_path)
    write(file.parent / "cases.yaml", RIGHT)
    config = tmp_path / "config.yaml"
    config.write_text(
        "format: 1\nconstitution: helpful-honest\nprompts: {path: nowhere.jsonl}\n"
        "models: {judges: [{engine: scripted, model: a}, {engine: scripted, model: b}]}\n"
    )
    done = cai("constitution", "test", file, "--config", config)
    assert done.code == 0, done.err
    assert "scripted/a, scripted/b" in done.out
    assert "above 0.55" in done.out


def test_progress_is_a_bar_on_a_terminal(run: Test, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai.cli.output.is_terminal", lambda: True)
    done = run(RIGHT)
    assert done.code == 0
    assert "1 of 1 case, 0 failed · 2 calls" in done.err and "━" in done.err


@pytest.mark.parametrize(
    ("p", "says"),
    [(0.9, "50%, and the judge is better"), (0.1, "50%, and the judge is worse"), (None, "50%\n")],
)
def test_many_results_are_cut_and_set_against_chance(
    p: float | None, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = "refused" if p is None else "passed" if p > 0.5 else "failed"
    results = [
        settle(
            FoundCase(Case(**{**SLOT, "id": f"case-{i}"}), "cases.yaml"),
            [Reading(outcome, p)],  # type: ignore[arg-type]
            0.0,
        )
        for i in range(120)
    ]
    report = case_report(results, CONSTITUTION, [])
    print_report(report, results, Subject(CONSTITUTION, "scripted/x", 0.0))
    out = capsys.readouterr().out
    assert says in out
    assert ("20 more: see --json." in out) == (outcome != "passed")
    assert "None: kind, true." in out
