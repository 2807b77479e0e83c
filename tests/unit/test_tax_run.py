"""Asking for the tax: planted losses are found, and silence is none."""

import math
import re
from collections.abc import Callable
from pathlib import Path

from cai.config import Config
from cai.constitution import Constitution, Principle
from cai.engines import ScriptedEngine
from cai.evaluate.records import Subject
from cai.evaluate.results import Figure, Result, read_results, write_result
from cai.evaluate.session import Session
from cai.evaluate.tax import ask_tax, judged_changes, read_tax, tax_changes, tax_result
from cai.evaluate.tax.ask import Scored
from cai.evaluate.tax.gate import Verdict
from cai.evaluate.tax.paired import paired
from cai.evaluate.tax.report import Change
from cai.records import Completion, Request
from tests.unit.test_tax_content import ANSWERS, CONTENT, REQUESTS

CONSTITUTION = Constitution(
    name="t", version="1.0.0", summary="S", principles=(Principle(id="kind", text="Be kind."),)
)
CONFIG = Config.model_validate(
    {"format": 1, "constitution": "t", "prompts": {"path": "starter"}, "judge": {"min_mass": 0.1}}
)
KNOWN = {i.question: (f.area, i.options[0]) for f in CONTENT.options for i in f.items}
FOLLOWED = {REQUESTS[name].ask: both for name, both in ANSWERS.items()}

Says = Callable[[Request], Completion | str]


def model(lost: str = "", silent: str = "", sure: float = 2.0, follows: bool = True) -> Says:
    """A subject that knows everything but one area, prefers slot B, and may be silent in one."""

    def say(request: Request) -> Completion | str:
        asked = request.messages[-1].content
        if asked in FOLLOWED:
            return FOLLOWED[asked][0 if follows else 1]
        options = re.findall(r"^\(([A-D])\) (.*)$", asked, re.MULTILINE)
        area, right = KNOWN[asked.partition("\n\n(A)")[0]]
        if area == silent:
            return ScriptedEngine.spread({"The": 1.0})
        knows = sure * (-1 if area == lost else 1)
        energy = {n: math.exp(0.9 * (n == "B") + knows * (t == right)) for n, t in options}
        whole = sum(energy.values())
        return ScriptedEngine.spread({n: 0.9 * e / whole for n, e in energy.items()} | {"I": 0.1})

    return say


async def run(tmp_path: Path, limit: int | None = None, **models: Says) -> dict[str, list[Scored]]:
    subjects = [Subject(name, CONFIG.models.policy) for name in models]
    engines = {name: ScriptedEngine(says, name=name) for name, says in models.items()}
    content = CONTENT.first(limit)
    with Session(CONFIG, CONSTITUTION, tmp_path / "e") as session:
        found = await ask_tax(session, subjects, content, engines=engines)
        asked = session.meter.asked
        again = await ask_tax(session, subjects, content, engines=engines)
        assert (again, session.meter.asked) == (found, asked)
        count = {area == "instructions": 0 for area, _ in content.keys}
        for area, _ in content.keys:
            count[area == "instructions"] += 1
        assert asked == len(models) * (4 * count[False] + count[True])
    for own in found.values():
        assert [(one.area, one.item) for one in own] == content.keys
    return found


def get(result: Result, name: str, subject: str, group: str) -> Figure:
    (one,) = (f for f in result.figures if (f.name, f.subject, f.group) == (name, subject, group))
    return one


async def test_a_planted_loss_is_found_in_its_area_and_nowhere_else(tmp_path: Path):
    found = await run(tmp_path, base=model(), dpo=model(lost="code"))
    verdicts = judged_changes(tax_changes(found, "base"), (), 3)
    result = tax_result(found, "base", verdicts=verdicts)
    assert get(result, "accuracy", "base", "all").value == 1
    assert get(result, "accuracy", "dpo", "code").value == 0
    lost = get(result, "accuracy, difference", "dpo", "code")
    assert (lost.value, lost.n, lost.against) == (-1, 24, "base")
    assert get(result, "accuracy, difference", "dpo", "reading").value == 0
    assert {v.group: v.state for v in verdicts} == {
        "all": "worse", "code": "worse", "arithmetic": "held", "language": "held",
        "common-sense": "held", "reading": "held", "instructions": "held", "knowledge": "held",
    }  # fmt: skip
    write_result(result, tmp_path / "r")
    (read,) = read_results(tmp_path / "r")
    assert read.figures == result.figures
    by_area = {one["area"]: one["paired"] for one in read.details["changes"]}
    assert (by_area["code"]["lost"], by_area["code"]["gained"]) == (24, 0)
    assert by_area["code"]["p"] < 1e-6


async def test_a_favourite_letter_is_no_knowledge_and_guessing_no_measure(tmp_path: Path):
    found = await run(tmp_path, 70, base=model(sure=0.0, follows=False), dpo=model(sure=0.0))
    changes = {one.area: one for one in tax_changes(found, "base")}
    assert not any(one.right for one in found["base"] if one.area != "instructions")
    assert "neither base nor dpo is above chance in 'code'" in changes["code"].unmeasured
    assert changes["instructions"].paired.gained == 10
    assert changes["instructions"].unmeasured == ""
    verdicts = {v.group: v for v in judged_changes([*changes.values()], (), 3)}
    assert (verdicts["code"].state, verdicts["code"].fails) == ("unmeasured", False)
    assert (verdicts["all"].state, verdicts["all"].fails) == ("unmeasured", True)


async def test_silence_is_no_reading_and_fails_the_limit(tmp_path: Path):
    found = await run(tmp_path, 70, base=model(), dpo=model(silent="knowledge"))
    result = tax_result(found, "base")
    assert {one.outcome for one in found["dpo"] if one.area == "knowledge"} == {"unparsed"}
    assert get(result, "without a reading", "dpo", "all").value == 10
    gap = get(result, "accuracy, difference", "dpo", "knowledge")
    assert gap.value is None
    assert "dpo has no reading for 10 of the 10 questions of 'knowledge'" in gap.unmeasured
    assert get(result, "accuracy", "dpo", "knowledge").value is None
    verdicts = {v.group: v for v in judged_changes(tax_changes(found, "base"), (), 3)}
    assert verdicts["knowledge"].fails
    assert not verdicts["code"].fails


async def test_a_limit_is_not_kept_where_the_first_model_gave_hardly_a_reading():
    keys = CONTENT.keys
    mute = [Scored(a, i, None if a != "instructions" else True, "unparsed") for a, i in keys]
    found = {"base": mute, "dpo": [Scored(a, i, True) for a, i in keys]}
    changes = {one.area: one for one in tax_changes(found, "base")}
    said = "24 of the 168 questions of 'all' have a reading by both, 24 by base"
    assert said in changes["all"].unmeasured
    verdicts = {v.group: v for v in judged_changes([*changes.values()], (), 3)}
    assert verdicts["instructions"].state == "held"
    assert verdicts["all"].fails
    assert not verdicts["code"].fails


async def test_one_subject_has_accuracies_alone(tmp_path: Path):
    found = await run(tmp_path, 14, base=model())
    assert {f.name for f in tax_result(found, None).figures} == {"accuracy", "without a reading"}


def change(gained: int, lost: int, same: int) -> Change:
    after = [True] * gained + [False] * lost + [True] * same
    before = [False] * gained + [True] * lost + [True] * same
    return Change("dpo", "base", "all", paired(after, before))


def verdict(made: Change, limit: float) -> Verdict:
    (one,) = judged_changes([made], (), limit)
    return one


def test_the_limit_fails_what_is_surely_worse_and_warns_of_what_seems_so():
    made = change(2, 14, 150)
    assert made.paired.interval is not None
    points = 100 * made.paired.interval.estimate, 100 * made.paired.interval.high
    assert points[0] < -7 < points[1] < -2
    assert (verdict(made, 2).state, verdict(made, 2).fails) == ("worse", True)
    assert (verdict(made, 7).state, verdict(made, 7).fails) == ("doubtful", False)
    assert (verdict(made, 8).state, verdict(made, 8).fails) == ("held", False)
    assert verdict(change(14, 2, 150), 0).state == "held"


def test_only_some_areas():
    assert {area for area, _ in read_tax(["code", "reading"]).keys} == {"reading", "code"}
