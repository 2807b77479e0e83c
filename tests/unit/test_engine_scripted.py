"""The model without a model."""

from __future__ import annotations

import asyncio
import doctest
import math
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from typing import Any

import pytest

import cai.engines.scripted
from cai.constitution import Principle
from cai.content import content_dir
from cai.engines import Engine, ScriptedEngine
from cai.errors import RowEngineError, TransientEngineError
from cai.judge.labels import label_mass
from cai.loop.text import leaks_revision
from cai.records import Completion, Message, Request, Sampling, Stage
from cai.templates import load_template

JUDGES = sorted(path.stem for path in content_dir("prompts").glob("judge/*.jinja"))

PRINCIPLE = Principle(id="x.y", text="Be kind.", critique="C", revise="R", judge="Which is kinder?")
judge_template = cache(partial(load_template, "judge"))


def ask(text: str = "How do I apologise?", stage: Stage = "sample", **more: Any) -> Request:
    sampling = Sampling(max_tokens=64, seed=more.pop("seed", None))
    return Request((Message("user", text),), sampling, stage=stage, **more)


def judge(template: str, first: str, second: str, top_logprobs: int = 20) -> Request:
    """What the judge stage would send."""
    values = {
        "conversation": "User: Hi",
        "answer_a": first,
        "answer_b": second,
        "principles": [PRINCIPLE],
        "reasoning": "Thought.",
    }
    messages = judge_template(template).render(values)
    return Request(messages, Sampling(1, 0.0, top_logprobs=top_logprobs), stage="judge")


async def p_first(request: Request) -> float:
    got = await ScriptedEngine().complete(request)
    mass = label_mass(got.first_logprobs, ("A", "B"))
    assert mass is not None
    assert mass.total == pytest.approx(0.97)
    return mass.p_first


def test_the_example_of_the_docstring() -> None:
    assert doctest.testmod(cai.engines.scripted).failed == 0
    assert isinstance(ScriptedEngine(), Engine)


@pytest.mark.parametrize("stage", ["sample", "critique", "revise", "reason", "judge", "score"])
async def test_the_same_request_gets_the_same_answer(stage: Stage) -> None:
    request = replace(ask(stage=stage), sampling=Sampling(8, top_logprobs=5))
    one, two = ScriptedEngine(), ScriptedEngine()
    assert await one.complete(request) == await two.complete(request) == await one.complete(request)


async def test_other_requests_get_other_answers() -> None:
    engine = ScriptedEngine()
    requests = [ask("How do I apologise?"), ask("How do I reconcile?"), ask(seed=1), ask(seed=2)]
    requests += [ask(sample_index=1), ask(sample_index=2)]
    texts = [(await engine.complete(request)).text for request in requests]
    assert len(set(texts)) == len(texts)
    # 144 wordings: 40 draws make 144 (1 - (143/144)^40) = 35 different ones on average.
    draws = {(await engine.complete(ask(seed=i))).text for i in range(40)}
    assert len(draws) >= 28


async def test_answers_take_up_the_topic_and_count_words() -> None:
    got = await ScriptedEngine().complete(ask("How do I apologise?"))
    assert "apologise" in got.text
    assert (got.outcome, got.model, got.first_logprobs) == ("answered", "scripted/scripted", ())
    assert got.usage.prompt_tokens == 4
    assert got.usage.completion_tokens == len(got.text.split())
    assert (await ScriptedEngine().complete(ask("1 2"))).text


async def test_one_critique_in_ten_finds_nothing_in_the_words_of_the_template() -> None:
    nothing = load_template("critique", "default").nothing
    engine = ScriptedEngine()
    texts = [(await engine.complete(ask(stage="critique", seed=i))).text for i in range(500)]
    clean = [text for text in texts if text.rstrip(".") == nothing.rstrip(".")]
    # Binomial with n = 500 and p = 0.1: 50 on average, standard deviation 6.7.
    assert 25 < len(clean) < 75
    assert all(text.endswith("apologise.") for text in texts if text not in clean)


async def test_revisions_do_not_talk_about_themselves() -> None:
    engine = ScriptedEngine()
    for i in range(50):
        text = (await engine.complete(ask(stage="revise", seed=i))).text
        assert "kindly" in text
        assert not leaks_revision(text)


@pytest.mark.parametrize("template", JUDGES)
async def test_the_judge_leans_a_little_to_the_first_slot(template: str) -> None:
    answers = [f"Answer number {i}." for i in range(401)]
    shown = [
        (await p_first(judge(template, a, b)), await p_first(judge(template, b, a)))
        for a, b in pairwise(answers)
    ]
    # Merits are uniform and p = σ(4 d + 0.4), so the order decides when |d| < 0.1. The difference
    # of two uniform numbers is that small with probability 1 - 0.9² = 0.19.
    flipped = sum((ab > 0.5) == (ba > 0.5) for ab, ba in shown) / len(shown)
    assert 0.12 < flipped < 0.26
    first = sum((ab > 0.5) + (ba > 0.5) for ab, ba in shown) / (2 * len(shown))
    assert first == pytest.approx(0.5 + flipped / 2)
    # The lean is 0.4 on the logit scale on average over both orders, exactly.
    for ab, ba in shown:
        lean = (math.log(ab / (1 - ab)) + math.log(ba / (1 - ba))) / 2
        assert lean == pytest.approx(0.4)


@pytest.mark.parametrize("template", JUDGES)
async def test_the_judge_compares_the_last_two_answers_not_the_examples(template: str) -> None:
    same = await p_first(judge(template, "Equal.", "Equal."))
    assert same == pytest.approx(1 / (1 + math.exp(-0.4)))


async def test_the_judge_gives_no_more_alternatives_than_asked() -> None:
    for asked, given in ((0, 0), (1, 1), (2, 2), (20, 3)):
        got = await ScriptedEngine().complete(judge("default", "x", "y", top_logprobs=asked))
        assert len(got.first_logprobs) == given


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("mass", [0.4, 1.0])
def test_label_builds_what_a_judge_reads(p: float, mass: float) -> None:
    got = ScriptedEngine.label(p, mass, ("1", "2"))
    read = label_mass(got.first_logprobs, ("1", "2"))
    assert read is not None
    assert read.total == pytest.approx(mass)
    if 0 < p < 1:
        assert read.p_first == pytest.approx(p)
    assert got.text == ("1" if p > 0.5 else "2")
    probabilities = [a.logprob for a in got.first_logprobs]
    assert probabilities == sorted(probabilities, reverse=True)


async def test_scripts_may_return_completions_or_errors_wait_or_raise() -> None:
    refusal = Completion("No.", "refused")
    assert await ScriptedEngine(lambda _: refusal).complete(ask()) is refusal

    async def slow(request: Request) -> str:
        await asyncio.sleep(0)
        return request.messages[0].content[::-1]

    assert (await ScriptedEngine(slow, name="slow").complete(ask("abc"))).text == "cba"

    def broken(_: Request) -> str:
        raise RowEngineError("cannot")

    engine = ScriptedEngine(broken)
    with pytest.raises(RowEngineError, match="cannot"):
        await engine.complete(ask(stage="revise"))
    assert (engine.calls, engine.by_stage["revise"]) == (1, 1)

    lost = TransientEngineError("come back", 3.0)
    engine = ScriptedEngine(lambda _: lost)
    with pytest.raises(TransientEngineError) as caught:
        await engine.complete(ask())
    assert caught.value is lost
    assert (engine.calls, engine.max_in_flight) == (1, 1)


async def test_counts_and_latency() -> None:
    engine = ScriptedEngine(name="x", latency_s=0.01)
    await engine.start()
    await engine.start()
    stages: list[Stage] = ["sample", "sample", "judge"]
    await asyncio.gather(*(engine.complete(ask(stage=stage)) for stage in stages))
    assert (engine.calls, engine.max_in_flight) == (3, 3)
    assert dict(engine.by_stage) == {"sample": 2, "judge": 1}
    await engine.complete(ask())
    assert engine.max_in_flight == 3
    assert engine.fingerprint == "scripted/x"
    await engine.close()
    await engine.close()
