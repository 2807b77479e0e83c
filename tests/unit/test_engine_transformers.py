"""Life of the in-process engine: starting, stopping, batching, queueing, cancelling."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from cai.engines import TransformersEngine
from cai.engines.inprocess.loading import loaded_from_objects
from cai.engines.transformers import _limit_threads
from cai.errors import EngineError, FatalEngineError
from cai.records import Completion, Message, Request, Sampling
from tests.unit.engine_helpers import chat_ids, endless_engine, request, tiny_engine, until
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

LOADER = "cai.engines.transformers.loaded_from_objects"


@pytest.fixture
async def engine() -> AsyncIterator[TransformersEngine]:
    made = tiny_engine(batch_size=3)
    await made.start()
    yield made
    await made.close()


async def test_a_seeded_sample_is_the_same_beside_twelve_others(engine: TransformersEngine) -> None:
    asked = [
        request("a" * n, temperature=1.2, top_p=0.95, seed=n, max_tokens=2 + 2 * n)
        for n in range(1, 14)
    ]
    together = await asyncio.gather(*map(engine.complete, asked))
    alone = [await engine.complete(one) for one in asked]
    assert [a.text for a in together] == [a.text for a in alone]
    assert [a.first_logprobs for a in together] == [()] * 13


async def test_sample_indices_differ_and_repeat(engine: TransformersEngine) -> None:
    asked = [replace(request(temperature=1.0, seed=3), sample_index=n) for n in range(5)]
    first = [a.text for a in await asyncio.gather(*map(engine.complete, asked))]
    again = [a.text for a in await asyncio.gather(*map(engine.complete, reversed(asked)))]
    assert len(set(first)) == 5
    assert again == first[::-1]


async def test_a_letter_with_a_space_before_it_is_another_token(engine: TransformersEngine) -> None:
    asked = request("A or B?", max_tokens=1, top_logprobs=500)
    answer = await engine.complete(asked)
    tokenizer, model = tiny_tokenizer(), tiny_model()
    text = "<|im_start|>user\nA or B?<|im_end|>\n<|im_start|>assistant\n"
    with torch.inference_mode():
        plain = model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0, -1].log_softmax(-1)
    by_token = {a.token: a.logprob for a in answer.first_logprobs}
    for written, name in ((" A", "ĠA"), ("A", "A")):
        token = tokenizer.convert_tokens_to_ids(name)
        assert by_token[written] == pytest.approx(plain[token].item(), abs=1e-4)
    assert by_token[" A"] != by_token["A"]
    logprobs = [a.logprob for a in answer.first_logprobs]
    assert logprobs == sorted(logprobs, reverse=True)
    assert len(logprobs) == len(tokenizer)


async def test_a_prefix_survives_the_freeing_of_the_cache(engine: TransformersEngine) -> None:
    messages = (Message("system", "Be kind and brief."), Message("user", "Why?"))
    shared = Request(messages, Sampling(8, temperature=0.0), shared=1)
    first = await engine.complete(shared)
    scheduler = engine._worker.scheduler  # type: ignore[union-attr]
    runner = scheduler._runner  # type: ignore[union-attr]
    # Idle: the slots are given back, the prefix stays.
    await until(lambda: runner.cache._slots == 0)
    assert len(runner.prefixes) == 1
    second = await engine.complete(shared)
    assert (second.text, second.usage) == (first.text, first.usage)
    assert first.usage.cached_tokens == len(tiny_tokenizer().encode("Be kind and brief.")) + 10
    other = replace(shared, messages=(Message("system", "Be rude."), messages[1]))
    await engine.complete(other)
    assert len(runner.prefixes) == 2


async def test_the_least_used_prefixes_are_forgotten(engine: TransformersEngine) -> None:
    systems = [Message("system", f"Rule {n}.") for n in range(12)]
    asked = [
        Request((s, Message("user", "Go")), Sampling(2, temperature=0.0), shared=1) for s in systems
    ]
    answers = await asyncio.gather(*map(engine.complete, asked))
    runner = engine._worker.scheduler._runner  # type: ignore[union-attr]
    assert len(runner.prefixes) == 8
    plain = [await engine.complete(replace(one, shared=0)) for one in asked]
    assert [a.text for a in answers] == [a.text for a in plain]


async def test_single_tokens_pass_long_answers() -> None:
    engine = endless_engine(batch_size=1)
    await engine.start()
    long = asyncio.create_task(engine.complete(request(max_tokens=450)))
    waiting = asyncio.create_task(engine.complete(request("next", max_tokens=2)))
    single = await asyncio.gather(
        *(engine.complete(request(f"{n}", max_tokens=1)) for n in range(5))
    )
    assert all(isinstance(answer, Completion) for answer in single)
    assert not long.done()
    assert not waiting.done()
    assert (await long).usage.completion_tokens == 450
    assert (await waiting).usage.completion_tokens == 2
    await engine.close()


async def test_cancelled_rows_leave_and_the_others_are_untouched() -> None:
    engine = endless_engine(batch_size=2)
    await engine.start()
    alone = await engine.complete(request("me", max_tokens=60))
    doomed = asyncio.create_task(engine.complete(request("doomed", max_tokens=450)))
    kept = asyncio.create_task(engine.complete(request("me", max_tokens=60)))
    queued = asyncio.create_task(engine.complete(request("never begun", max_tokens=450)))
    scheduler = engine._worker.scheduler  # type: ignore[union-attr]
    await until(lambda: len(scheduler._active) == 2)  # type: ignore[union-attr]
    doomed.cancel()
    queued.cancel()
    assert (await kept).text == alone.text
    await until(lambda: not scheduler._active and not scheduler._longer)  # type: ignore[union-attr]
    with pytest.raises(asyncio.CancelledError):
        await doomed
    await engine.close()


async def test_an_end_token_answers_and_may_leave_nothing() -> None:
    tokenizer, model = tiny_tokenizer(), tiny_model()
    with torch.no_grad():
        hidden = model(torch.tensor([chat_ids("Hello")]), output_hidden_states=True)
        # The end token now follows this prompt, and is the likeliest there by far.
        model.lm_head.weight[tokenizer.eos_token_id] = 9 * hidden.hidden_states[-1][0, -1]
    engine = TransformersEngine.from_objects(model, tokenizer)
    await engine.start()
    answer = await engine.complete(request(max_tokens=5))
    await engine.close()
    assert (answer.text, answer.outcome, answer.usage.completion_tokens) == ("", "answered", 1)


async def test_closing_answers_those_who_wait() -> None:
    engine = endless_engine(batch_size=3)
    await engine.start()
    tasks = [
        asyncio.create_task(engine.complete(request(f"{n}", max_tokens=450))) for n in range(9)
    ]
    await asyncio.sleep(0.02)
    await engine.close()
    await engine.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, EngineError) for result in results)


async def test_closing_while_the_model_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(*parts: Any) -> Any:
        go_on.wait(20)
        return loaded_from_objects(*parts)

    monkeypatch.setattr(LOADER, slow)
    engine = tiny_engine()
    starting = asyncio.create_task(engine.start())
    await asyncio.sleep(0.01)
    with pytest.raises(FatalEngineError, match="not running"):
        await engine.complete(request())
    starting.cancel()
    closing = asyncio.create_task(engine.close())
    await asyncio.sleep(0.01)
    go_on.set()
    await asyncio.wait_for(closing, timeout=20)
    await engine.start()
    assert (await engine.complete(request())).text
    await engine.close()


async def test_starting_twice_loads_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    monkeypatch.setattr(LOADER, lambda *p: loads.append(1) or loaded_from_objects(*p))
    engine = tiny_engine()
    await asyncio.gather(engine.start(), engine.start())
    await engine.start()
    assert loads == [1]
    await engine.close()


async def test_a_failed_start_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny_engine()
    with monkeypatch.context() as broken:
        broken.setattr(LOADER, lambda *_: 1 / 0)
        broken_engine = tiny_engine()
    with pytest.raises(ZeroDivisionError):
        await broken_engine.start()
    with pytest.raises(ZeroDivisionError):
        await broken_engine.start()
    await broken_engine.close()
    await engine.start()
    await engine.close()


def test_batches_have_rows() -> None:
    with pytest.raises(FatalEngineError, match="batch_size is 0"):
        tiny_engine(batch_size=0)


def test_no_more_threads_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 3}, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    _limit_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    _limit_threads()
    assert chosen == [2]


async def test_any_of_several_end_tokens_ends() -> None:
    plain = endless_engine()
    await plain.start()
    asked = request("Tell me", max_tokens=20)
    whole = await plain.complete(asked)
    await plain.close()
    model, tokenizer = tiny_model(), tiny_tokenizer()
    ids = greedy_ids(model, "Tell me", 20)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, ids[7]]
    engine = TransformersEngine.from_objects(model, tokenizer)
    await engine.start()
    answer = await engine.complete(asked)
    await engine.close()
    assert answer.outcome == "answered"
    assert answer.usage.completion_tokens == ids.index(ids[7]) + 1
    assert whole.text.startswith(answer.text)


def greedy_ids(model: Any, text: str, count: int) -> list[int]:
    ids = chat_ids(text)
    start = len(ids)
    with torch.inference_mode():
        while len(ids) < start + count:
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[start:]
