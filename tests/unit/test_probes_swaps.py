"""Swaps: a model that prefers one group is found, one that does not is left alone."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ttest_1samp

from cai.config import Config
from cai.constitution import Constitution, Principle
from cai.engines import Engines, ScriptedEngine
from cai.errors import ConfigError
from cai.evaluate.helpful import labelled_pairs
from cai.evaluate.probes import Probes, probe, probes_result
from cai.evaluate.probes.content import read_probe
from cai.evaluate.probes.swaps import Swapped, swap_prompts, swaps_figures
from cai.evaluate.probes.swaps_content import SwapsFile
from cai.evaluate.probes.swaps_judged import Variant, variants_figures
from cai.evaluate.records import Subject
from cai.evaluate.results import Figure
from cai.evaluate.session import Session
from cai.hashing import unit_interval
from cai.records import Completion, Request

CONSTITUTION = Constitution(
    name="t", version="1.0.0", summary="S", principles=(Principle(id="kind", text="Be kind."),)
)
CONFIG = Config.model_validate({"format": 1, "constitution": "t", "prompts": {"path": "starter"}})
FILE = read_probe(SwapsFile, "swaps")


def model(bias: float) -> Any:
    """Decides by the question; men get so much more, and texts about them are twice as long."""
    men = FILE.axes["gender"]["men"]

    def answer(request: Request) -> Completion | str:
        asked = request.messages[-1].content
        person = next((one for one in men if re.search(rf"(?<!wo){re.escape(one)}", asked)), None)
        if "(A)" not in asked:
            return "word " * (20 if person and bias else 10)
        decision = next(
            d for d in FILE.decisions if all(p in asked for p in d.question.split("{person}"))
        )
        energy = 2 * unit_interval(decision.id) - 1 + bias * bool(person)
        favourable = f"(A) {decision.options[0]}" in asked
        p = 1 / (1 + math.exp(-energy))
        return ScriptedEngine.label(p if favourable else 1 - p)

    return answer


def rater(request: Request) -> Completion:
    """Ten points for packaged answers that help and for long texts, few for all others."""
    said = request.messages[-1].content.partition("<response>")[2].partition("</response>")[0]
    helpful = {better for _, better, _ in labelled_pairs()}
    good = said.strip() in helpful or said.split().count("word") == 20
    return ScriptedEngine.spread({"10": 0.96, "1": 0.02} if good else {"1": 0.96, "10": 0.02})


async def figures(tmp_path: Path, bias: float) -> dict[tuple[str, str], Figure]:
    gender = {"gender": FILE.axes["gender"], "age": FILE.axes["age"]}
    files = Probes(swaps=FILE.model_copy(update={"axes": gender}))
    subject = Subject("one", CONFIG.models.policy)
    engine = ScriptedEngine(model(bias))
    with Session(CONFIG, CONSTITUTION, tmp_path / "e") as session:
        rating = ScriptedEngine(rater, name="rater")
        given: dict[str, Any] = {
            "engines": {"one": engine},
            "judging": Engines(rating, rating, rating),
        }
        found = await probe(session, [subject], files, **given)
        asked = session.meter.asked
        await probe(session, [subject], files, **given)
        assert session.meter.asked == asked
    assert len(found.swaps["one"]) == 5 * (len(FILE.decisions) + len(FILE.texts))
    result = probes_result(found, ["one"])
    assert any("false discovery" in note for note in result.notes)
    return {(f.name, f.group): f for f in result.figures}


async def test_a_model_that_prefers_men_is_found(tmp_path: Path):
    found = await figures(tmp_path, 1.0)
    men = found["favourable option, from the mean", "swaps/gender/men"]
    women = found["favourable option, from the mean", "swaps/gender/women"]
    assert men.low is not None
    assert men.low > 0.05
    assert women.value == pytest.approx(-(men.value or 0.0))
    longer = found["length of the answer, from the mean", "swaps/gender/men"]
    assert longer.value == pytest.approx((math.log(21) - math.log(11)) / 2)
    assert found["favourable option, from the mean", "swaps/age/older"].value == pytest.approx(0)
    assert found["groups that differ after correction", "swaps/all"].value == 4
    assert found["groups that differ after correction", "swaps/all"].n == 10


async def test_texts_about_men_get_more_points(tmp_path: Path):
    """By a judge that is right about the packaged pairs; texts about men are as it likes them."""
    found = await figures(tmp_path, 1.0)
    name = "points of the text, mean absolute difference"
    gender = found[name, "swaps/gender"]
    assert gender.value == pytest.approx(9 * 0.94 / 0.98)
    assert (gender.n, gender.unit, gender.better) == (len(FILE.texts), "score", "lower")
    assert found[name, "swaps/age"].value == pytest.approx(0.0)
    assert found["texts without points", "swaps/all"].value == 0
    level = await figures(tmp_path / "level", 0.0)
    assert level[name, "swaps/gender"].value == pytest.approx(0.0)


def test_differences_of_points_are_paired_by_request():
    def variants(*gaps: float | None) -> list[Variant]:
        return [
            Variant(f"q{i}", "axis", group, None if gap is None else 5.0 + gap * part)
            for i, gap in enumerate(gaps)
            for group, part in (("a", 0.0), ("b", 1.0), ("c", -1.0))
        ]

    rows = {"before": variants(*[0.0] * 6), "after": variants(3.0, 3.0, 3.0, 3.0, 3.0, None)}
    found = list(variants_figures(rows, draws=200))
    (one,) = (
        f for f in found if f.subject == "after" and f.group == "swaps/axis" and not f.against
    )
    # Of the three pairs two are 3 apart, and one is 6.
    assert (one.value, one.n) == (pytest.approx(4.0), 5)
    (gap,) = (f for f in found if f.against == "before" and f.group == "swaps/axis")
    assert (gap.value, gap.n, gap.subject) == (pytest.approx(4.0), 5, "after")
    assert [f.value for f in found if f.name == "texts without points"] == [0.0, 3.0]
    few = list(variants_figures({"one": variants(1.0, 1.0, 1.0, 1.0)}, draws=200))
    assert all(f.value is None and f.unmeasured.startswith("too few") for f in few[:2])


async def test_a_judge_that_guesses_gives_no_points(tmp_path: Path):
    guess = ScriptedEngine(lambda _: ScriptedEngine.spread({"5": 0.98}), name="guess")
    files = Probes(swaps=FILE)
    engine = ScriptedEngine(model(1.0))
    subject = Subject("one", CONFIG.models.policy)
    judging = Engines(guess, guess, guess)
    with Session(CONFIG, CONSTITUTION, tmp_path / "e") as session:
        found = await probe(session, [subject], files, engines={"one": engine}, judging=judging)
    result = probes_result(found, ["one"], draws=100)
    points = [f for f in result.figures if f.name.startswith("points of the text")]
    assert points and all("not measurable with this evaluator" in f.unmeasured for f in points)
    # What is read from the model's own probabilities needs no judge.
    assert any(
        f.name.startswith("favourable option") and f.value is not None for f in result.figures
    )


async def test_a_model_that_looks_at_the_question_alone_is_left_alone(tmp_path: Path):
    found = await figures(tmp_path, 0.0)
    gaps = [f for (name, _), f in found.items() if name.endswith("from the mean")]
    assert gaps
    assert all(f.value == pytest.approx(0.0, abs=1e-12) for f in gaps)
    assert found["groups that differ after correction", "swaps/all"].value == 0


def test_the_correction_is_that_of_benjamini_and_yekutieli():
    rng = np.random.default_rng(2)
    shifts = {"a": 0.0, "b": 0.02, "c": 0.1, "d": -0.12}
    rows = [
        Swapped(f"q{i}", "axis", group, "p", "favourable option", 0.5 + shift + 0.08 * noise)
        for group, shift in shifts.items()
        for i, noise in enumerate(rng.normal(size=15).tolist())
    ]
    table = np.array([[r.read for r in rows if r.group == g] for g in shifts]).T
    gaps = table - table.mean(axis=1, keepdims=True)
    p = [ttest_1samp(gaps[:, i], 0.0).pvalue for i in range(4)]
    found = list(swaps_figures({"x": rows}))
    values = [f.value for f in found if f.name.endswith("from the mean")]
    assert values == pytest.approx(gaps.mean(axis=0))
    count = next(f for f in found if f.name == "groups that differ after correction")
    assert count.value == (false_discovery_control(p, method="by") <= 0.05).sum()
    assert 0 < (count.value or 0) < 4


def test_a_question_without_a_reading_for_one_group_counts_for_none():
    rows = [
        Swapped(f"q{i}", "axis", group, "p", "favourable option", value)
        for i in range(6)
        for group, value in (("a", 0.6), ("b", None if i == 0 else 0.4))
    ]
    found = {(f.name, f.group): f for f in swaps_figures({"x": rows})}
    one = found["favourable option, from the mean", "swaps/axis/a"]
    assert (one.n, one.value) == (5, pytest.approx(0.1))
    assert found["without a reading", "swaps/all"].value == 1


def test_the_packaged_file():
    assert len(FILE.decisions) >= 20
    assert len(swap_prompts(FILE)) == len(FILE.texts) * len(FILE.persons(0))
    assert not any("{" in one.messages[0].content for one in swap_prompts(FILE))


def test_groups_have_as_many_persons(tmp_path: Path):
    import orjson

    data = FILE.model_dump(mode="json")
    data["axes"]["gender"]["men"].pop()
    (tmp_path / "swaps.yaml").write_bytes(orjson.dumps(data))
    with pytest.raises(ConfigError, match="the same number of persons"):
        read_probe(SwapsFile, "swaps", tmp_path)
