"""Two turns: what is asked, what is rated, and what it comes to."""

import json
from pathlib import Path

import numpy as np
import pytest

from cai.config import Config
from cai.constitution import Constitution, Principle
from cai.engines import ScriptedEngine
from cai.engines.factory import Engines
from cai.errors import InputError, RowEngineError
from cai.evaluate.records import Subject
from cai.evaluate.results import Evaluator
from cai.evaluate.session import Session
from cai.evaluate.two_turn import (
    Question,
    TurnScore,
    check_helpful,
    converse,
    judge_turns,
    labelled_pairs,
    read_questions,
    two_turn_result,
)
from cai.records import Completion, Message, Request
from tests.unit.cli_helpers import shell

CONSTITUTION = Constitution(
    name="t", version="1.0.0", summary="S", principles=(Principle(id="kind", text="Be kind."),)
)
CONFIG = Config.model_validate(
    {"format": 1, "constitution": "t", "prompts": {"path": "starter"}, "judge": {"min_mass": 0.1}}
)
SUBJECT = Subject("one", CONFIG.models.policy)
QUESTIONS = [
    Question(f"{i}", "ab"[i % 2], (f"First question {i}?", f"And then {i}?")) for i in range(6)
]
MT_BENCH = Path(__file__).parents[3] / "shared" / "data" / "mt-bench" / "question.jsonl"
TRUSTED = Evaluator("j", "pairs", 0.9, 0.8, 0.95, 40, about="helpfulness")


def answer(request: Request) -> str | Exception:
    asked = request.messages[-1].content
    if asked == "First question 3?":
        return RowEngineError("too long")
    if asked == "And then 4?":
        return " "
    return f"<{len(request.messages)}> {asked}"


def rate(request: Request) -> Completion:
    """Nine points for what ends with a question of the first turn, else three."""
    said = request.messages[-1].content.partition("<response>")[2].partition("</response>")[0]
    return ScriptedEngine.spread({"9" if "First" in said else "3": 0.9, "The": 0.1})


async def test_the_second_turn_shows_the_first_answer(tmp_path: Path):
    seen: list[Request] = []

    def watched(request: Request) -> str | Exception:
        seen.append(request)
        return answer(request)

    one = ScriptedEngine(rate, name="judge")
    with Session(CONFIG, CONSTITUTION, tmp_path / "e") as session:
        policy = ScriptedEngine(watched)
        talks = await converse(session, SUBJECT, QUESTIONS, engine=policy)
        async with session.judges(engines=Engines(one, one, one)) as judges:
            scores = await judge_turns(session, judges, talks)
        asked = session.meter.asked
        again = await converse(session, SUBJECT, QUESTIONS[:3], engine=policy)
        assert (again, session.meter.asked) == (talks[:3], asked)
    second = next(r for r in seen if r.messages[-1].content == "And then 0?")
    roles = [m.role for m in second.messages if m.role != "system"]
    assert roles == ["user", "assistant", "user"]
    assert "First question 0?" in second.messages[-2].content
    points = {(one.question.id, one.turn): (one.outcome, one.points) for one in scores}
    assert points["0", 1] == ("answered", pytest.approx(9))
    assert points["0", 2] == ("answered", pytest.approx(3))
    assert points["3", 1] == ("unasked", None)
    assert ("3", 2) not in points
    assert points["4", 2] == ("empty", 1.0)


async def test_the_judge_is_checked_on_pairs(tmp_path: Path):
    one = ScriptedEngine(rate, name="judge")
    asked = (Message("user", "Which?"),)
    pairs = [(asked, "First.", "Last."), (asked, "Last.", "First."), (asked, "Last.", "Least.")]
    with Session(CONFIG, CONSTITUTION, tmp_path / "e") as session:
        async with session.judges(engines=Engines(one, one, one)) as judges:
            evaluator = await check_helpful(session, judges, pairs)
    assert (evaluator.n, evaluator.accuracy) == (3, 0.5)
    assert evaluator.distrust
    packaged = labelled_pairs()
    assert len(packaged) >= 40
    assert all(better != worse for _, better, worse in packaged)


def scores(subject: str, seed: int) -> list[TurnScore]:
    rng = np.random.default_rng(seed)
    return [
        TurnScore(subject, one, turn, "answered", float(rng.uniform(1, 10)), "text")  # type: ignore[arg-type]
        for one in QUESTIONS
        for turn in (1, 2)
    ]


def test_means_by_turn_and_category_against_brute_force():
    both = {name: scores(name, seed) for name, seed in (("x", 1), ("y", 2))}
    result = two_turn_result([*both["x"], *both["y"]], ["x", "y"], TRUSTED)
    found = {(f.name, f.subject, f.group): f for f in result.figures}

    def points(name: str, turn: int, category: str = "") -> np.ndarray:
        return np.array(
            [
                one.points
                for one in both[name]
                if one.turn == turn and category in ("", one.question.category)
            ]
        )

    assert found["turn 2", "y", "all"].value == pytest.approx(points("y", 2).mean())
    # Three questions of a category are too few for a figure of its own.
    b = found["turn 1", "x", "category b"]
    assert (b.value, b.n, len(points("x", 1, "b"))) == (None, 3, 3)
    gap = found["turn 1, difference", "y", "all"]
    assert gap.against == "x"
    assert gap.value == pytest.approx((points("y", 1) - points("x", 1)).mean())
    drop = found["turn 2 less turn 1", "x", "all"]
    assert drop.value == pytest.approx((points("x", 2) - points("x", 1)).mean())


def test_a_judge_that_guesses_gives_no_points():
    guesses = Evaluator("j", "pairs", 0.5, 0.4, 0.6, 40, about="helpfulness")
    result = two_turn_result(scores("x", 1), ["x"], guesses)
    assert all(f.value is None for f in result.figures if f.unit == "score")
    assert next(f for f in result.figures if f.name == "judge right").value == 0.5
    assert next(f for f in result.figures if f.name == "without points").value == 0


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"question_id": 1, "category": "c", "turns": ["one"]}, "the turns"),
        ({"question_id": 1, "turns": ["one", "two"]}, "the category None"),
        ({"category": "c", "turns": ["one", "two"]}, "the question_id None"),
    ],
)
def test_broken_questions_are_named(tmp_path: Path, row: dict[str, object], told: str):
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=told):
        read_questions(path)


def test_ids_differ(tmp_path: Path):
    path = tmp_path / "q.jsonl"
    row = json.dumps({"question_id": 1, "category": "c", "turns": ["one", "two"]})
    path.write_text(f"{row}\n{row}\n")
    with pytest.raises(InputError, match="once more"):
        read_questions(path)


@pytest.mark.skipif(not MT_BENCH.is_file(), reason="the questions of MT-bench are not here")
def test_the_questions_of_mt_bench():
    questions = read_questions(MT_BENCH)
    assert len(questions) == 80
    assert len({one.category for one in questions}) == 8


def test_the_command_asks_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    rows = [{"question_id": q.id, "category": q.category, "turns": q.turns} for q in QUESTIONS]
    Path("q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cai = shell(monkeypatch, capsys)
    command = ("evaluate", "two-turn", "--questions", "q.jsonl", "--engine", "scripted")
    ended = cai(*command, "--checks", 0)
    assert ended.code == 0, ended.err
    written = json.loads(Path("runs/evaluate-two-turn/two-turn.json").read_bytes())
    assert {row["category"] for row in written["details"]["rows"]} == {"a", "b"}
    turn = next(f for f in written["figures"] if f["name"] == "turn 1")
    assert turn["value"] is not None
    assert turn["unchecked"]
    assert "evaluator not checked" in ended.out
    again = cai(*command, "--checks", 0)
    assert "0 asked" in again.out
    assert json.loads(Path("runs/evaluate-two-turn/two-turn.json").read_bytes()) == written
