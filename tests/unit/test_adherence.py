"""Adherence: readings by score and by statements, their figures, and a judge that is checked."""

import json
from pathlib import Path

import numpy as np
import pytest

from cai.config import Config
from cai.constitution import Constitution, Principle, Proposition
from cai.constitution.case_files import FoundCase
from cai.constitution.cases import Case
from cai.engines import ScriptedEngine
from cai.engines.factory import Engines
from cai.evaluate.adherence import Checked, Reading, adherence_result, check_judge, measure
from cai.evaluate.adherence.records import Finding, points
from cai.evaluate.records import Answered, Subject
from cai.evaluate.session import Session
from cai.records import Completion, Message, Prompt, Request
from tests.unit.cli_helpers import shell

KIND = Principle(
    id="kind",
    text="Be kind.",
    propositions=(
        Proposition(text="The response is warm.", weight=2.0),
        Proposition(text="The response mocks.", weight=-1.0),
    ),
)
BRIEF = Principle(id="brief", text="Be brief.", applies_to={"any": ["short"]})  # type: ignore[arg-type]
CONSTITUTION = Constitution(name="t", version="1.0.0", summary="S", principles=(KIND, BRIEF))
CONFIG = Config.model_validate(
    {"format": 1, "constitution": "t", "prompts": {"path": "starter"}, "judge": {"min_mass": 0.1}}
)
WORDS = ("apples", "bridges", "candles", "drums", "engines", "ferries", "gardens", "hats")
PROMPTS = [
    Prompt((Message("user", f"Tell me about {word}."),), ("short",) if i % 2 else ())
    for i, word in enumerate(WORDS)
]
SUBJECT = Subject("one", CONFIG.models.policy)


def quoted(request: Request) -> str:
    return request.messages[-1].content.partition("<response>")[2].partition("</response>")[0]


def judge(request: Request) -> Completion:
    """Likes the word `lovely`: 9 or 3 points; warm in 0.9 or 0.2, and it mocks in 0.1."""
    said, asked = quoted(request), request.messages[-1].content
    if "Statement:" in asked:
        warm = "warm" in asked.partition("Statement:")[2]
        p = (0.9 if "lovely" in said else 0.2) if warm else 0.1
        return ScriptedEngine.label(p, labels=("Yes", "No"))
    return ScriptedEngine.spread({"9" if "lovely" in said else "3": 0.9, "The": 0.1})


def engines(script: object = judge) -> Engines:
    one = ScriptedEngine(script, name="judge")  # type: ignore[arg-type]
    return Engines(one, one, one)


def case(name: str, better: str, worse: str, principle: str = "kind") -> FoundCase:
    data = {"id": name, "principle": principle, "prompt": "Hi", "better": better, "worse": worse}
    return FoundCase(Case.model_validate(data), "cases.yaml")


def polite(request: Request) -> str:
    word = request.messages[-1].content
    return "A lovely thing." if "a" in word.split()[-1][:2] else "A thing."


async def test_each_answer_is_read_under_the_principles_that_its_prompt_is_under(tmp_path: Path):
    with Session(CONFIG, CONSTITUTION, tmp_path / "e") as session:
        policy = ScriptedEngine(polite, name="policy")
        answers = await session.answers(SUBJECT, PROMPTS, engine=policy)
        both = engines()
        async with session.judges(engines=both) as judges:
            readings = await measure(session, judges, answers)
            # Asked again, all is remembered.
            again = await measure(session, judges, answers)
        assert readings == again
        assert session.meter.asked == len(PROMPTS) + 8 + 4
    by = {p: [r for r in readings if r.principle == p] for p in ("kind", "brief")}
    assert [len(by["kind"]), len(by["brief"])] == [8, 4]
    assert all("short" in r.answer.prompt.tags for r in by["brief"])
    for reading in readings:
        expected = 9 if "lovely" in reading.answer.text else 3
        assert points(reading.finding.value or 0.0) == pytest.approx(expected)


async def test_statements_become_their_weighted_share(tmp_path: Path):
    with Session(CONFIG, CONSTITUTION, tmp_path / "e") as session:
        said = [
            Answered("one", PROMPTS[1], 0, "A lovely thing.", "answered", "r0"),
            Answered("one", PROMPTS[3], 0, "", "answered", "r1"),
        ]
        async with session.judges(engines=engines()) as judges:
            readings = await measure(session, judges, said, propositions=True)
    brief, first, _, empty = readings
    assert (first.principle, first.finding.how) == ("kind", "propositions")
    # (2 · 0.9 + 1 · (1 − 0.1)) / 3
    assert first.finding.value == pytest.approx(0.9)
    assert (brief.finding.how, brief.finding.outcome) == ("score", "answered")
    assert (empty.finding.outcome, empty.finding.value) == ("empty", None)


async def test_the_judge_is_checked_on_single_answers(tmp_path: Path):
    cases = [case("one", "A lovely day.", "A day."), case("two", "Rain.", "Lovely rain, lovely.")]
    cases.append(case("three", "Sun.", "Cloud."))
    with Session(CONFIG, CONSTITUTION, tmp_path / "e") as session:
        async with session.judges(engines=engines()) as judges:
            checked = await check_judge(session, judges, cases)
    assert [one.right for one in checked] == [1.0, 0.0, 0.5]


def reading(subject: str, prompt: Prompt, value: float | None, principle: str = "kind") -> Reading:
    answer = Answered(subject, prompt, 0, f"text {value}", "answered", "r")
    outcome = "unparsed" if value is None else "answered"
    return Reading(answer, principle, Finding(outcome, "score", value))  # type: ignore[arg-type]


def checked(right: int, wrong: int, principle: str = "kind") -> list[Checked]:
    high, low = Finding("answered", "score", 0.8), Finding("answered", "score", 0.2)
    good = [Checked(f"g{i}", principle, high, low) for i in range(right)]
    return good + [Checked(f"b{i}", principle, low, high) for i in range(wrong)]


def test_means_and_paired_differences_against_brute_force():
    rng = np.random.default_rng(3)
    one, two = rng.uniform(size=8), rng.uniform(size=8)
    rows = [reading("a", p, v) for p, v in zip(PROMPTS, one.tolist(), strict=True)]
    rows += [reading("b", p, v) for p, v in zip(PROMPTS[1:], two[1:].tolist(), strict=True)]
    rows.append(reading("b", PROMPTS[0], None))
    result = adherence_result(rows, checked(20, 2), judge="j", checked_on="cases")
    found = {(f.name, f.subject, f.group): f for f in result.figures}
    assert found["adherence", "a", "kind"].value == pytest.approx(1 + 9 * one.mean())
    gap = found["adherence difference", "b", "kind"]
    assert gap.against == "a"
    assert gap.n == 7
    assert gap.value == pytest.approx(9 * (two[1:] - one[1:]).mean())
    means = [9 * (two[1:] - one[1:])[rng.integers(7, size=7)].mean() for _ in range(4000)]
    low, high = np.quantile(means, [0.025, 0.975])
    assert gap.low == pytest.approx(low, abs=0.5)
    assert gap.high == pytest.approx(high, abs=0.5)
    assert found["without a reading", "b", "all"].value == 1
    assert result.details["worst"][0]["points"] == pytest.approx(1 + 9 * one.min())


def test_the_weakest_principle_comes_first():
    rows = [reading("a", p, 0.8 + 0.01 * i) for i, p in enumerate(PROMPTS)]
    rows += [reading("a", p, 0.3 + 0.01 * i, "brief") for i, p in enumerate(PROMPTS)]
    result = adherence_result(rows, checked(20, 2), judge="j", checked_on="cases")
    assert result.details["weakest"] == {"a": ["brief", "kind"]}
    whole = next(f for f in result.figures if (f.name, f.group) == ("adherence", "all"))
    assert whole.value == pytest.approx(1 + 9 * (0.55 + 0.035))


def test_a_judge_that_guesses_gives_no_number():
    rows = [reading("a", p, 0.1 * i) for i, p in enumerate(PROMPTS)]
    result = adherence_result(rows, checked(11, 9), judge="j", checked_on="cases")
    scores = [f for f in result.figures if f.unit == "score"]
    assert scores
    assert all(f.value is None and "not measurable" in f.unmeasured for f in scores)
    assert (result.details["weakest"], result.details["worst"]) == ({}, [])
    about_judge = next(f for f in result.figures if f.name == "judge right" and f.group == "all")
    assert about_judge.value == pytest.approx(0.55)


def test_a_principle_of_which_the_judge_knows_nothing_has_no_number():
    rows = [reading("a", p, 0.1 * i) for i, p in enumerate(PROMPTS)]
    rows += [reading("a", p, 0.1 * i, "brief") for i, p in enumerate(PROMPTS)]
    checks = checked(30, 0) + checked(5, 5, "brief")
    result = adherence_result(rows, checks, judge="j", checked_on="cases")
    found = {f.group: f for f in result.figures if f.name == "adherence"}
    assert found["kind"].value is not None
    assert found["brief"].value is None
    assert "50.0% of 10" in found["brief"].unmeasured
    # Nine cases say too little about one principle alone.
    nine = adherence_result(
        rows, checked(30, 0) + checked(4, 5, "brief"), judge="j", checked_on="c"
    )
    assert next(f for f in nine.figures if f.name == "adherence" and f.group == "brief").value


def test_the_command_asks_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    cai = shell(monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)
    prompts = tmp_path / "p.jsonl"
    asked = ["How do plants drink?", "Why is \x1b[31mred paint red?", "What makes bread rise?"]
    prompts.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in asked))
    command = ("evaluate", "adherence", "--engine", "scripted", "--prompts", prompts)
    command += ("--checks", 0, "--subject", "x=scripted:x", "--subject", "y=scripted:y")
    ended = cai(*command, "--folder", "e")
    assert ended.code == 0, ended.err
    assert "y − x" in ended.out
    assert "\x1b" not in ended.out
    written = json.loads((tmp_path / "e" / "adherence.json").read_bytes())
    assert written["subjects"] == ["x", "y"]
    again = cai(*command, "--folder", "e")
    assert "0 asked" in again.out
    assert json.loads((tmp_path / "e" / "adherence.json").read_bytes()) == written
