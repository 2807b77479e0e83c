"""Probes: options read from probabilities, a planted sycophant, calibration, dodged questions."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from cai.config import Config
from cai.constitution import Constitution, Principle
from cai.engines import ScriptedEngine
from cai.engines.factory import Engines
from cai.engines.memo import Answer
from cai.errors import ConfigError, RowEngineError
from cai.evaluate.probes import PROBES, Probes, probe, probes_result
from cai.evaluate.probes.calibration import Belief, calibration_figures, top_label_error
from cai.evaluate.probes.content import CalibrationFile, SycophancyFile, filled, read_probe
from cai.evaluate.probes.options import (
    Choice,
    OptionAsker,
    averaged,
    letters,
    rotations,
)
from cai.evaluate.records import Subject
from cai.evaluate.results import Figure, Result
from cai.evaluate.session import Session
from cai.records import Completion, Message, Request, Usage
from tests.unit.cli_helpers import shell

CONSTITUTION = Constitution(
    name="t", version="1.0.0", summary="S", principles=(Principle(id="kind", text="Be kind."),)
)
CONFIG = Config.model_validate(
    {"format": 1, "constitution": "t", "prompts": {"path": "starter"}, "judge": {"min_mass": 0.1}}
)
FILES = Probes.read(PROBES)
assert FILES.sycophancy
assert FILES.calibration
assert FILES.evasiveness
SWAY, BELIEFS, DODGES = FILES.sycophancy, FILES.calibration, FILES.evasiveness
RIGHT = {i.question: i.options[i.right] for i in SWAY.items if i.right is not None} | {
    i.question: BELIEFS.unknown if i.right is None else i.options[i.right] for i in BELIEFS.items
}
CHALLENGED = re.compile("|".join(map(re.escape, SWAY.challenges)))


class Model:
    """A subject that finds the right option likely, prefers slot A, and may bend to the user.

    `sure` are the log-odds of the right option, `bends` those of what the user believes, and
    `yields` those against its own answer after a challenge.
    """

    def __init__(self, sure: float = 2.0, bends: float = 0.0, yields: float = 0.0) -> None:
        self.sure, self.bends, self.yields = sure, bends, yields

    def __call__(self, request: Request) -> Completion | str:
        users = [m.content for m in request.messages if m.role == "user"]
        asked = next((u for u in reversed(users) if "(A)" in u), None)
        if asked is None:
            return "A direct answer." if len(users[0]) % 2 else "There is much to say about this."
        options = re.findall(r"^\(([A-H])\) (.*)$", asked, re.MULTILINE)
        before = asked.partition("(A)")[0]
        energy = {letter: 0.4 * (letter == "A") for letter, _ in options}
        for letter, text in options:
            known = [right for question, right in RIGHT.items() if question in before]
            energy[letter] += self.sure * (text in known)
            energy[letter] += self.bends * (f" {text}" in before)
        if CHALLENGED.search(users[-1]):
            energy[request.messages[-2].content] -= self.yields
        total = sum(math.exp(e) for e in energy.values())
        return ScriptedEngine.spread(
            {letter: 0.9 * math.exp(e) / total for letter, e in energy.items()} | {"The": 0.1}
        )


def by_name(result: Result, subject: str) -> dict[tuple[str, str], Figure]:
    return {(f.name, f.group): f for f in result.figures if f.subject == subject}


async def run(tmp_path: Path, files: Probes, **models: Model) -> tuple[Result, int]:
    subjects = [Subject(name, CONFIG.models.policy) for name in models]
    engines = {name: ScriptedEngine(model, name=name) for name, model in models.items()}
    one = ScriptedEngine(judge, name="judge")
    with Session(CONFIG, CONSTITUTION, tmp_path / "e") as session:
        found = await probe(
            session, subjects, files, engines=engines, judging=Engines(one, one, one)
        )
        asked = session.meter.asked
        again = await probe(
            session, subjects, files, engines=engines, judging=Engines(one, one, one)
        )
        assert (again, session.meter.asked) == (found, asked)
    return probes_result(found, list(models)), asked


def judge(request: Request) -> Completion:
    said = request.messages[-1].content.partition("<response>")[2].partition("</response>")[0]
    answers = {item.answers for item in DODGES.items} | {"A direct answer."}
    return ScriptedEngine.label(0.9 if said in answers else 0.2, labels=("Yes", "No"))


async def test_the_planted_sycophant_is_found_and_the_steady_model_is_not(tmp_path: Path):
    files = Probes(sycophancy=SWAY)
    result, _ = await run(tmp_path, files, steady=Model(), bent=Model(bends=3.0, yields=3.0))
    steady, bent = by_name(result, "steady"), by_name(result, "bent")
    for name in ("moves to the stated opinion", "gives in when challenged"):
        for about in ("all", "facts", "views"):
            still = steady[name, f"sycophancy/{about}"]
            assert still.value == pytest.approx(0.0, abs=1e-9)
            moved = bent[name, f"sycophancy/{about}"]
            assert moved.low is not None
            assert moved.low > 0.1
    gap = bent["moves to the stated opinion, difference", "sycophancy/all"]
    assert gap.against == "steady"
    assert gap.low is not None
    assert gap.low > 0.1
    assert steady["gives up what it knows for a wrong opinion", "sycophancy/facts"].value == 0.0
    assert bent["gives up what it knows for a wrong opinion", "sycophancy/facts"].value == 1.0
    assert bent["takes its answer back when challenged", "sycophancy/views"].value == 1.0
    # Both know the facts, whatever the slot.
    assert steady["right when asked plainly", "sycophancy/facts"].value == 1.0
    assert bent["without a reading", "sycophancy/all"].value == 0


async def test_the_shift_is_that_of_the_probabilities(tmp_path: Path):
    views = tuple(one for one in SWAY.items if one.about == "views")[:5]
    files = Probes(sycophancy=SWAY.model_copy(update={"items": views}))
    result, asked = await run(tmp_path, files, one=Model(bends=1.0))
    # Views: nothing but slot and opinion. Over both orders σ(±0.4 + 1) against ½.
    p = np.mean([1 / (1 + np.exp(-(slot + 1.0))) for slot in (0.4, -0.4)])
    found = by_name(result, "one")["moves to the stated opinion", "sycophancy/views"]
    assert found.value == pytest.approx(p - 0.5)
    assert asked == 5 * (3 * 2 + 2 * 2)


async def test_a_model_that_knows_its_limits_and_one_that_does_not(tmp_path: Path):
    files = Probes(calibration=BELIEFS)
    result, asked = await run(tmp_path, files, wise=Model(sure=6.0), blank=Model(sure=0.0))
    assert asked == 2 * 4 * len(BELIEFS.items)
    wise, blank = by_name(result, "wise"), by_name(result, "blank")
    assert wise["right", "calibration/all"].value == 1.0
    assert wise["says that it cannot be known", "calibration/unanswerable"].value > 0.9  # type: ignore[operator]
    assert wise["says that it cannot be known", "calibration/easy"].value < 0.1  # type: ignore[operator]
    # Averaged over rotations the slot leaves no trace: a quarter for each option, as often right.
    assert blank["confidence", "calibration/all"].value == pytest.approx(0.25)
    assert blank["right", "calibration/all"].value == pytest.approx(0.25)
    assert blank["Brier score, 0 to 2", "calibration/all"].value == pytest.approx(0.75)


def beliefs(n: int, sharpen: float, seed: int = 0) -> list[Belief]:
    """Right as often as the shares say, which are then sharpened."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        shares = rng.dirichlet([0.7] * 4)
        right = int(rng.choice(4, p=shares))
        told = shares**sharpen / (shares**sharpen).sum()
        found.append(Belief(f"i{i}", "hard", right, tuple(told.tolist())))
    return found


def test_brier_and_accuracy_are_those_of_scikit_learn():
    some = beliefs(200, 1.0)
    found = {f.name: f for f in calibration_figures({"x": some}) if f.group == "calibration/all"}
    shares = np.array([one.shares for one in some])
    right = [one.right for one in some]
    expected = brier_score_loss(right, shares, labels=[0, 1, 2, 3], scale_by_half=False)
    assert found["Brier score, 0 to 2"].value == pytest.approx(expected)
    assert found["right"].value == pytest.approx(np.mean(shares.argmax(axis=1) == right))
    gap = found["confidence less right"]
    assert gap.value == pytest.approx(shares.max(axis=1).mean() - found["right"].value)


def test_overconfidence_is_told_from_calibration():
    fair, sharp = beliefs(400, 1.0), beliefs(400, 4.0)
    good, bad = top_label_error(fair, draws=300), top_label_error(sharp, draws=300)
    assert good is not None
    assert bad is not None
    assert good.low == 0.0
    assert bad.low > 0.05
    # The error of the sample, by its definition over ten bins of [0, 1].
    p = np.array([one.confidence for one in sharp])
    y = np.array([one.correct for one in sharp])
    bins = np.minimum((p * 10).astype(int), 9)
    plain = sum(abs((y - p)[bins == b].sum()) / len(p) for b in range(10) if (bins == b).any())
    assert bad.low <= plain <= bad.high + 0.02
    assert abs(bad.estimate - plain) < 0.05
    found = {f.name: f for f in calibration_figures({"x": sharp}) if f.group == "calibration/all"}
    assert found["confidence less right"].low > 0.05  # type: ignore[operator]


def test_confidence_below_one_half_stays_on_its_side():
    # Says 40 % and is right in 60 %: the error is 0.2, and not none.
    some = [Belief(f"i{i}", "hard", 0 if i % 5 < 3 else 1, (0.4, 0.3, 0.3)) for i in range(400)]
    error = top_label_error(some, draws=300)
    assert error is not None
    assert error.estimate == pytest.approx(0.2, abs=0.02)


async def test_dodging_is_judged_by_a_judge_that_was_checked(tmp_path: Path):
    result, _ = await run(tmp_path, Probes(evasiveness=DODGES), one=Model())
    found = by_name(result, "one")["evasive", "evasiveness"]
    expected = np.mean([len(item.question) % 2 == 0 for item in DODGES.items])
    assert found.value == pytest.approx(expected)
    (evaluator,) = result.evaluators
    assert (evaluator.accuracy, evaluator.n) == (1.0, len(DODGES.items))


async def test_a_bad_judge_takes_away_its_own_figures_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def yes(request: Request) -> Completion:
        return ScriptedEngine.label(0.9, labels=("Yes", "No"))

    monkeypatch.setitem(globals(), "judge", yes)
    result, _ = await run(tmp_path, FILES.first(8), one=Model())
    found = by_name(result, "one")
    assert found["evasive", "evasiveness"].value is None
    assert "not measurable" in found["evasive", "evasiveness"].unmeasured
    assert found["right", "calibration/all"].value is not None
    assert found["moves to the stated opinion", "sycophancy/all"].value is not None


class Direct:
    def __init__(self, answer: Any) -> None:
        self.engine, self.asked = ScriptedEngine(answer), []  # type: ignore[var-annotated]

    async def ask(self, request: Request) -> Answer:
        self.asked.append(request)
        return Answer(f"{len(self.asked)}", await self.engine.complete(request))


ASKED = [Message("user", "Which?")]


async def test_letters_are_read_over_their_variants():
    shares = {" A": 0.2, "(A": 0.1, "C": 0.2, "The": 0.4, "a": 0.05}
    caller = Direct(lambda _: ScriptedEngine.spread(shares))
    choice = await OptionAsker(caller, CONFIG).choose(ASKED, 3)
    # B is not in sight: at most 0.05.
    assert choice.shares == pytest.approx((0.3 / 0.55, 0.05 / 0.55, 0.2 / 0.55))


async def test_no_reading_without_letters():
    said: list[Any] = [
        ScriptedEngine.spread({"The": 0.95, "A": 0.05}),
        Completion("", "refused", Usage()),
        RowEngineError("too long"),
    ]
    outcomes = []
    for one in said:
        caller = Direct(lambda _, one=one: one)
        choice = await OptionAsker(caller, CONFIG).choose(ASKED, 2)
        outcomes.append((choice.outcome, choice.shares))
    assert outcomes == [("unparsed", None), ("refused", None), ("unasked", None)]


async def test_samples_are_votes_where_there_are_no_probabilities():
    texts = ["B", "(B) the sun", "A or B", "None", "B."]
    caller = Direct(lambda request: texts[request.sample_index])
    choice = await OptionAsker(caller, CONFIG, logprobs="never").choose(ASKED, 2)
    votes = CONFIG.judge.votes
    assert len(caller.asked) == votes
    named = sum(text[:1] == "B" or text[:2] == "(B" for text in texts[:votes])
    assert choice.shares == pytest.approx((0.5 / (named + 1), (named + 0.5) / (named + 1)))


def test_rotations_give_each_option_each_slot():
    orders = rotations(4)
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    for option in range(4):
        assert {order.index(option) for order in orders} == {0, 1, 2, 3}
    assert letters(3) == ("A", "B", "C")
    both = [Choice("answered", (0.9, 0.1)), Choice("answered", (0.6, 0.4))]
    assert averaged(both, rotations(2)) == pytest.approx((0.65, 0.35))
    assert averaged([both[0], Choice("unparsed")], rotations(2)) is None


def test_packaged_files():
    assert (len(SWAY.items), len(BELIEFS.items), len(DODGES.items)) >= (40, 40, 30)
    assert {item.level for item in BELIEFS.items} == {"easy", "medium", "hard", "unanswerable"}
    for file in (SWAY, BELIEFS):
        shown = [example.answer for example in file.examples]
        assert len({shown.count(place) for place in set(shown)}) == 1
    some = FILES.first(8)
    assert some.calibration
    assert len({item.level for item in some.calibration.items}) == 4
    assert FILES.first(8).hash == some.hash != FILES.hash


def test_places_are_filled_once():
    assert filled("{a} and {b}", a="{b}", b="x") == "{b} and x"


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("sycophancy", {"ask": "{question}"}, "each of"),
        ("sycophancy", {"opinions": ["I know."]}, "{option}"),
        (
            "sycophancy",
            {"items": [{"id": "x", "question": "Q", "options": ["A fish", "Birds"]}]},
            "single letter",
        ),
        (
            "calibration",
            {"items": [{"id": "x", "level": "easy", "question": "Q", "options": ["y", "z"]}]},
            "unanswerable",
        ),
        (
            "calibration",
            {
                "items": [
                    {"id": "x", "level": "easy", "question": "Q", "options": ["y", "z"], "right": 2}
                ]
            },
            "beyond its 2 options",
        ),
    ],
)
def test_mistakes_in_files_are_named(tmp_path: Path, kind: str, change: dict[str, Any], told: str):
    models: dict[str, Any] = {"sycophancy": SycophancyFile, "calibration": CalibrationFile}
    whole = {"sycophancy": SWAY, "calibration": BELIEFS}[kind].model_dump(mode="json")
    (tmp_path / f"{kind}.yaml").write_text(json.dumps({**whole, **change}))
    with pytest.raises(ConfigError, match=re.escape(told)):
        read_probe(models[kind], kind, tmp_path)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    cai = shell(monkeypatch, capsys)
    command = ("evaluate", "probes", "--engine", "scripted", "--limit", 4)
    ended = cai(*command)
    assert ended.code == 0, ended.err
    written = json.loads(Path("runs/evaluate-probes/probes.json").read_bytes())
    assert set(written["details"]) == {*PROBES, "variants"}
    assert any("No judge is asked" in note for note in written["notes"])
    again = cai(*command)
    assert "0 asked" in again.out
    assert json.loads(Path("runs/evaluate-probes/probes.json").read_bytes()) == written
    assert cai("evaluate", "probes", "--probe", "charm").code == 2
