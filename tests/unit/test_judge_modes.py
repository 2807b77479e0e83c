"""Every mode of the judge: its formula, its silences, and a run that asks nothing twice."""

import asyncio
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cai.config import Config, JudgeConfig, ReasoningSamplingConfig, parse_config
from cai.constitution.models import Constitution
from cai.engines import ScriptedEngine
from cai.errors import ConfigError, UsageError
from cai.hashing import canonical_json
from cai.judge.alone import logistic, preference
from cai.judge.reasoning import average, clamp
from cai.judge.weights import differences, fit_weights
from cai.loop.estimate import estimate
from cai.loop.plan import for_judging, load_templates
from cai.loop.scope import Scopes
from cai.records import (
    AnswerScore,
    Completion,
    OrderVerdict,
    PrincipleVerdict,
    Prompt,
    Reasoning,
    Request,
    Row,
    Verdict,
    load,
)
from cai.store import RunStore, rows_for
from cai.store.gc import request_ids
from cai.store.spending import calls_of
from tests.unit.judge_helpers import (
    CONSTITUTION,
    CUT,
    KIND,
    PROMPT,
    REFUSED,
    judge,
    make_run,
    principle,
)

MODES = ("labels", "reasoning", "score", "propositions")
probabilities = st.floats(0.001, 0.999)
label = ScriptedEngine.label


def under(one: Any, first: str = "Sorry!", second: str = "So what.") -> PrincipleVerdict:
    return asyncio.run(one.under(PROMPT, first, second, (KIND,)))


def shown(request: Request) -> str:
    """The answer that a request shows, alone or first."""
    text = next(m.content for m in reversed(request.messages) if "</" in m.content)
    tag = "answer_a" if "<answer_a>" in text else "response"
    return text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


# Reasoning


def test_it_reasons_and_then_names_a_label_for_the_reasoning() -> None:
    def script(request: Request) -> str | Completion:
        return f"  Thought {request.sample_index}. " if request.stage == "reason" else label(0.97)

    one, caller = judge("reasoning", script, reasonings=2, orders="first")
    found = under(one)
    thought, named = (
        [r for r in caller.asked if r.stage == stage] for stage in ("reason", "judge")
    )
    assert [r.sample_index for r in thought] == [0, 1]
    assert thought[0].sampling.seed != thought[1].sampling.seed
    assert (thought[0].sampling.max_tokens, thought[0].sampling.temperature) == (256, 1.0)
    for asked, index in zip(named, (0, 1), strict=True):
        *before, own, last = asked.messages
        assert tuple(before) == thought[0].messages
        assert (own.role, own.content) == ("assistant", f"Thought {index}.")
        assert last.content.startswith("So the better answer is")
        assert (asked.sampling.max_tokens, asked.sampling.top_logprobs) == (1, 20)
    assert KIND.judge in thought[0].messages[-1].content
    assert found.p == pytest.approx(0.6)
    (order,) = found.orders
    assert [r.raw for r in order.reasonings] == pytest.approx([0.97, 0.97])
    assert [r.p for r in order.reasonings] == [0.6, 0.6]
    assert {order.request_id, *order.more_request_ids} == {"1", "2", "3", "4"}


@given(st.lists(probabilities, min_size=1, max_size=7), st.floats(0.0, 0.49))
def test_clamping_comes_before_the_mean(raw: list[float], low: float) -> None:
    bounds = (low, 1 - low)
    found = average(
        "ab", [Reasoning("answered", "t", f"{i}", p, clamp(p, bounds)) for i, p in enumerate(raw)]
    )
    # In numpy, in the paper's order: clamp each, then average.
    assert found.p_shown_first == pytest.approx(np.clip(np.float64(raw), *bounds).mean())
    turned = average(
        "ba", [Reasoning("answered", "t", "i", 1 - p, clamp(1 - p, bounds)) for p in raw]
    )
    assert found.p_shown_first is not None and turned.p_shown_first is not None
    assert found.p_shown_first + turned.p_shown_first == pytest.approx(1)


def test_half_of_the_reasonings_must_come_to_a_label() -> None:
    given_ = Reasoning("answered", "t", "1", 0.9, 0.6)
    refused, cut = Reasoning("refused", "", "2"), Reasoning("truncated", "Well", "3")
    assert average("ab", [given_, refused]).p_shown_first == 0.6
    silent = average("ab", [given_, cut, refused])
    assert (silent.outcome, silent.p_shown_first) == ("truncated", None)
    assert silent.more_request_ids == ("3", "2")


@pytest.mark.parametrize(
    ("thought", "outcome"),
    [
        (REFUSED, "refused"),
        (Completion("Half a", "truncated"), "truncated"),
        (" ", "unparsed"),
    ],
)
def test_no_whole_thought_no_label(thought: str | Completion, outcome: str) -> None:
    one, caller = judge("reasoning", lambda _: thought)
    found = under(one)
    assert (found.outcome, found.p) == (outcome, None)
    assert {r.stage for r in caller.asked} == {"reason"}


def test_a_reasoning_judge_without_log_probabilities_votes() -> None:
    def script(request: Request) -> str | Completion:
        if request.stage == "reason":
            return "Thought."
        return "A" if request.sample_index < 2 else "B"

    one, caller = judge("reasoning", script, votes=3, logprobs="never", clamp=(0.0, 1.0))
    found = under(one)
    assert Counter(r.stage for r in caller.asked) == {"reason": 2, "judge": 6}
    assert found.orders[0].reasonings[0].raw == pytest.approx(2.5 / 4)
    assert found.orders[0].votes == 3
    assert found.p == pytest.approx(0.5)
    assert found.flipped


# Scores


def scores(request: Request) -> Completion:
    return ScriptedEngine.spread({"8": 0.6, "10": 0.3} if "Sorry" in shown(request) else {"6": 0.9})


def test_scores_are_compared_as_strengths() -> None:
    one, caller = judge("score", scores, score_temperature=2.0)
    found = under(one)
    # (0.6·8 + 0.3·10) / 0.9 = 8⅔ against 6.
    expected = math.exp(26 / 3 / 2) / (math.exp(26 / 3 / 2) + math.exp(6 / 2))
    assert found.p == pytest.approx(expected)
    assert [s.answer for s in found.scores] == ["first", "second"]
    assert found.orders == ()
    assert KIND.text in caller.asked[0].messages[-1].content
    assert len(caller.asked) == 2


def test_equal_scores_are_an_honest_tie() -> None:
    one, _ = judge("score", lambda _: ScriptedEngine.spread({"7": 0.9, "10": 0.05}))
    found = under(one)
    assert (found.outcome, found.p) == ("tie", 0.5)


# Propositions


def test_propositions_are_weighed_and_squashed() -> None:
    def script(request: Request) -> Completion:
        warm = "warm" in request.messages[-1].content
        p = {True: 0.9, False: 0.2}[warm] if "Sorry" in shown(request) else 0.4
        return label(p, labels=("Yes", "No"))

    one, caller = judge("propositions", script)
    found = under(one)
    x, w = np.array([0.9 - 0.4, 0.2 - 0.4]), np.array([2.0, -1.5])
    assert found.p == pytest.approx(1 / (1 + np.exp(-np.float64(w @ x))))
    assert [(s.answer, s.statement, s.weight) for s in found.scores] == [
        (answer, rule.text, rule.weight)
        for answer in ("first", "second")
        for rule in KIND.propositions
    ]
    assert len(caller.asked) == 4
    assert differences([found]) == pytest.approx(x[None])


def test_fitted_weights_are_those_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 3))
    y = rng.random(300) < 1 / (1 + np.exp(-x @ [2.0, -1.0, 0.0]))
    for penalty in (0.1, 1.0, 10.0):
        oracle = LogisticRegression(fit_intercept=False, C=1 / penalty, tol=1e-10, max_iter=1000)
        expected = oracle.fit(x, y).coef_[0]
        assert fit_weights(x, y, penalty=penalty) == pytest.approx(expected, abs=1e-5)
        # Swapping every pair changes nothing.
        assert fit_weights(-x, ~y, penalty=penalty) == pytest.approx(expected, abs=1e-5)
    soft = 1 / (1 + np.exp(-x @ [2.0, -1.0, 0.5]))
    assert fit_weights(x, soft, penalty=0.0) == pytest.approx([2.0, -1.0, 0.5], abs=1e-4)


@pytest.mark.parametrize(
    ("x", "y", "penalty"), [([1.0], [1], 1), ([[1.0]], [1, 0], 1), ([[1.0]], [2], 1), ([], [], 1)]
)
def test_labels_that_cannot_be_fitted_are_refused(x: Any, y: Any, penalty: float) -> None:
    with pytest.raises(UsageError):
        fit_weights(x, y, penalty=penalty)


def test_differences_are_of_the_same_statements() -> None:
    one = preference((KIND,), [score("first", 0.3), score("second", 0.6)], 1.0, 0.05)
    silent = preference((KIND,), [score("first", 0.3), score("second", None)], 1.0, 0.05)
    with pytest.raises(UsageError, match="Leave out pairs without a verdict"):
        differences([one, silent])


# All


def score(answer: Any, value: float | None, outcome: Any = "answered") -> AnswerScore:
    return AnswerScore(answer, "unparsed" if value is None else outcome, "r", value)


@given(st.floats(-800, 800))
def test_the_logistic_is_symmetric_and_safe(x: float) -> None:
    assert logistic(x) + logistic(-x) == 1.0
    assert logistic(x) == pytest.approx(0.5 * (1 + np.tanh(np.float64(x) / 2)))


@settings(max_examples=25, deadline=None)
@given(st.data())
@pytest.mark.parametrize("mode", MODES)
def test_swapped_answers_get_the_swapped_verdict(mode: str, data: st.DataObject) -> None:
    """Whatever the judge thinks of each text, and however it leans to a slot."""
    merit = {"Sorry!": data.draw(probabilities), "So what.": data.draw(probabilities)}
    lean = data.draw(st.floats(-2, 2))

    def script(request: Request) -> str | Completion:
        if request.stage == "reason":
            return "Thought."
        if request.stage == "judge":
            a = merit[shown(request)]
            b = sum(merit.values()) - a
            return label(1 / (1 + math.exp(-4 * (a - b) - lean)))
        if mode == "propositions":
            return label(merit[shown(request)], labels=("Yes", "No"))
        return ScriptedEngine.spread({"2": merit[shown(request)] * 0.6, "10": 0.3})

    one, _ = judge(mode, script)
    p, q = under(one).p, under(one, "So what.", "Sorry!").p
    assert p is not None and q is not None
    assert p + q == pytest.approx(1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("silence", "outcome"),
    [
        (REFUSED, "refused"),
        (CUT, "truncated"),
        (ScriptedEngine.spread({"Hm": 0.9, "Er": 0.05}), "unparsed"),
    ],
)
@pytest.mark.parametrize("logprobs", ["auto", "never"])
def test_silence_about_one_answer_is_no_verdict(
    mode: str, silence: Completion, outcome: str, logprobs: str
) -> None:
    """One answer, or one order, is judged; the other is not."""

    def script(request: Request) -> str | Completion:
        if request.stage == "reason":
            return "Thought."
        if shown(request) != "Sorry!":
            return silence
        if request.stage == "judge":
            return label(0.9)
        if mode == "propositions":
            return label(0.9, labels=("Yes", "No"))
        return ScriptedEngine.spread({"9": 0.8, "10": 0.1})

    one, _ = judge(mode, script, logprobs=logprobs)
    found = under(one)
    assert (found.outcome, found.p) == (outcome, None)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_in_every_mode_asks_nothing_twice(mode: str, tmp_path: Path) -> None:
    judging = {"mode": mode, "scope": "each", "tie_band": 0.0, "reasonings": 2}
    engine = ScriptedEngine(name="judge")
    rows = list(make_run(tmp_path, judging=judging, judge=engine))
    assert all(pair.verdict and pair.p is not None for row in rows for pair in row.pairs)
    pairs, principles = 6, 2
    expected = {
        "labels": {"judge": pairs * principles * 2},
        "reasoning": {"reason": pairs * principles * 4, "judge": pairs * principles * 4},
        # Three texts for each prompt; one is in both pairs, and its score is asked once.
        "score": {"score": 9 * principles},
        "propositions": {"score": 9 * 3},
    }[mode]
    asked = dict(engine.by_stage)
    if mode == "reasoning":
        # The scripted judge has few thoughts: where two are the same, so is their label.
        assert asked["reason"] == expected["reason"]
        assert pairs * principles * 2 <= asked["judge"] <= expected["judge"]
    else:
        assert asked == expected
    again = ScriptedEngine(name="judge")
    assert list(make_run(tmp_path, judging=judging, judge=again, update=True)) == []
    # Rows made anew find all their answers in the store.
    other = judging | {"tie_band": 0.01}
    redone = list(make_run(tmp_path, judging=other, judge=again, update=True))
    assert len(redone) == len(rows)
    assert again.calls == 0
    with RunStore.read(tmp_path / "run") as store:
        for row, _ in rows_for(store, "report"):
            calls = list(calls_of(row))
            assert {i for _, i in calls} == set(filter(None, request_ids(json.loads(dump(row)))))
            for stage, request_id in calls:
                call = store.call(request_id)
                assert call is not None and call.request.stage == stage


def dump(row: Row) -> bytes:
    assert load(Row, canonical_json(row)) == row
    return canonical_json(row)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("logprobs", ["auto", "never"])
def test_the_plan_counts_what_a_run_asks(mode: str, logprobs: str, tmp_path: Path) -> None:
    constitution = {
        "format": 1,
        "name": "mine",
        "version": "1.0.0",
        "summary": "Be good.",
        "principles": [json.loads(p.model_dump_json()) for p in CONSTITUTION.principles],
    }
    (tmp_path / "c.yaml").write_text(json.dumps(constitution))
    (tmp_path / "p.txt").write_text("Question one?\nQuestion two, longer?\nThree?\n")
    model = {"engine": "scripted", "model": "m", "logprobs": logprobs}
    settings_ = parse_config(
        {
            "run": str(tmp_path / "run"),
            "prompts": {"path": str(tmp_path / "p.txt")},
            "constitution": str(tmp_path / "c.yaml"),
            "models": {"policy": model},
            "judge": {"mode": mode, "scope": "each", "votes": 3, "reasonings": 2},
            "loop": {"skip_when_clean": False, "samples": 3},
        }
    )
    found = {stage.stage: stage.calls.likely for stage in estimate(settings_).stages}
    pairs, texts, asked = 3 * 4, 3 * 4, 3 if logprobs == "never" else 1
    expected = {
        "labels": {"judge": pairs * 2 * 2 * asked},
        "reasoning": {"reason": pairs * 2 * 2 * 2, "judge": pairs * 2 * 2 * 2 * asked},
        "score": {"score": texts * 2 * asked},
        "propositions": {"score": texts * 3 * asked},
    }[mode]
    judged = {k: v for k, v in found.items() if k in ("reason", "judge", "score")}
    assert judged == expected


# Templates and constitutions


def config(**judge_keys: Any) -> Config:
    return parse_config({"prompts": {"path": "p.txt"}, "judge": judge_keys})


@pytest.mark.parametrize("mode", MODES)
def test_the_switches_change_the_template_and_nothing_else(mode: str) -> None:
    plain = load_templates(config(mode=mode))
    as_it_is = for_judging(plain, config(mode=mode), CONSTITUTION)
    assert as_it_is == plain
    (stage,) = {"judge", "score"} & plain.keys()
    values = dict.fromkeys(plain[stage].inputs, "x") | {"principles": [KIND]}
    before = plain[stage].render(values)
    bare = for_judging(plain, config(mode=mode, few_shot=False), CONSTITUTION)[stage]
    assert bare.shared == 1
    assert bare.render(values) == (before[0], *before[plain[stage].shared :])
    told = for_judging(plain, config(mode=mode, preamble=True), CONSTITUTION)[stage]
    at = plain[stage].shared
    after = told.render(values)
    assert (*after[:at], *after[at + 1 :]) == (*before[:at], *before[at + 1 :])
    extra = after[at].content.removesuffix(before[at].content)
    assert extra.strip().endswith("Answers that are kind and honest.")
    assert len({plain[stage].hash, bare.hash, told.hash}) == 3
    other = CONSTITUTION.model_copy(update={"summary": "Another."})
    assert for_judging(plain, config(mode=mode, preamble=True), other)[stage].hash != told.hash


def test_a_preamble_needs_a_summary() -> None:
    settings_ = config(preamble=True)
    silent = CONSTITUTION.model_copy(update={"summary": " "})
    with pytest.raises(ConfigError, match="has neither"):
        for_judging(load_templates(settings_), settings_, silent)


def test_propositions_must_be_there() -> None:
    settings_ = config(mode="propositions")
    bare = Constitution(name="bare", version="1.0.0", summary="", principles=(principle("odd"),))
    with pytest.raises(ConfigError, match=r"No principle of bare@1\.0\.0 has 'propositions'"):
        for_judging(load_templates(settings_), settings_, bare)
    # One that has some is enough: the others are not judged under.
    some = bare.model_copy(update={"principles": (KIND, principle("odd"))})
    for_judging(load_templates(settings_), settings_, some)
    judged = Scopes(settings_, some).judging(Prompt(PROMPT))
    assert [p.id for p in judged.principles] == ["kind"]


@pytest.mark.parametrize(
    ("mode", "templates", "says"),
    [
        ("labels", {"judge": "reasoning"}, "makes none"),
        ("reasoning", {"judge": "compact"}, "needs a template that shows 'reasoning'"),
        ("score", {"score": "proposition"}, "needs a template that shows 'principles'"),
        ("propositions", {"score": "expected"}, "needs a template that shows 'proposition'"),
    ],
)
def test_a_template_must_suit_the_mode(mode: str, templates: dict[str, str], says: str) -> None:
    data = {"prompts": {"path": "p"}, "judge": {"mode": mode}, "templates": templates}
    with pytest.raises(ConfigError, match=says):
        load_templates(parse_config(data))


def test_a_constitution_without_propositions_keeps_its_hash() -> None:
    bare = Constitution(name="a", version="1.0.0", summary="", principles=(principle("kind"),))
    assert bare.hash[:16] == "14fec6fc6ce7f2fd"
    told = bare.model_copy(update={"principles": (principle("kind", 1.0, ("X.", 1.0)),)})
    assert told.hash != bare.hash


def test_rows_from_before_the_modes_load() -> None:
    order = {"order": "ab", "outcome": "answered", "request_id": "r", "p_shown_first": 0.7}
    old = {
        "outcome": "first",
        "principles": [
            {"principle_ids": ["kind"], "outcome": "first", "orders": [order], "p": 0.7}
        ],
        "p": 0.7,
    }
    found = load(Verdict, json.dumps(old))
    assert found.judges == () and found.judged_by == ("",)
    (one,) = found.principles
    assert (one.scores, one.judge, one.superseded) == ((), "", False)
    assert one.orders == (OrderVerdict("ab", "answered", "r", 0.7),)


def test_the_default_asks_as_before() -> None:
    assert JudgeConfig().mode == "labels"
    assert ReasoningSamplingConfig() == JudgeConfig().reasoning
    one, caller = judge("labels", lambda _: label(0.7))
    under(one)
    assert [r.identity("m")[:16] for r in caller.asked] == ["1acba31ddb70cb70", "5607ab5f05e7d2b8"]
