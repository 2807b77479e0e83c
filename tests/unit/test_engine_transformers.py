"""Life of the in-process engine: starting, stopping, queueing, and requests that go wrong."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from cai.engines import TransformersEngine
from cai.engines.inprocess.loading import loaded_from_objects
from cai.engines.inprocess.runner import Runner
from cai.engines.inprocess.scheduler import Scheduler
from cai.engines.inprocess.sequence import Sequence
from cai.errors import EngineError, FatalEngineError, RowEngineError
from cai.records import Completion, Message, Request, Sampling
from tests.unit.tiny_model import CONTEXT, tiny_model, tiny_tokenizer

LOADER = "cai.engines.transformers.loaded_from_objects"


def tiny(**changes: Any) -> TransformersEngine:
    return TransformersEngine.from_objects(tiny_model(), tiny_tokenizer(), **changes)


def endless(**changes: Any) -> TransformersEngine:
    """No token ends an answer, so it goes on up to its limit."""
    model, tokenizer = tiny_model(), tiny_tokenizer()
    model.generation_config.eos_token_id = tokenizer.eos_token = None
    return TransformersEngine.from_objects(model, tokenizer, **changes)


@pytest.fixture
async def engine() -> AsyncIterator[TransformersEngine]:
    made = tiny(batch_size=3)
    await made.start()
    yield made
    await made.close()


def request(text: str = "Hello", **changes: object) -> Request:
    sampling = {"max_tokens": 12, "temperature": 0.0} | changes
    return Request((Message("user", text),), Sampling(**sampling))  # type: ignore[arg-type]


def refuse_twos(engine_tokenizer: Any) -> Any:
    """A template like those that want user and assistant in turn."""
    engine_tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        "{{ raise_exception('no assistants here') }}{% endif %}{% endfor %}"
        + engine_tokenizer.chat_template
    )
    return engine_tokenizer


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


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
    engine = endless(batch_size=1)
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
    engine = endless(batch_size=2)
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


def chat_ids(text: str) -> list[int]:
    whole = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    return list(tiny_tokenizer()(whole)["input_ids"])


async def test_the_context_may_be_filled_to_the_brim(engine: TransformersEngine) -> None:
    room = CONTEXT - len(chat_ids("")) - 4
    answer = await engine.complete(request("z" * room, max_tokens=4))
    assert answer.usage.prompt_tokens == CONTEXT - 4
    with pytest.raises(
        RowEngineError, match=f"{CONTEXT - 3} tokens and max_tokens is 4.* {CONTEXT}"
    ):
        await engine.complete(request("z" * (room + 1), max_tokens=4))


async def test_a_bad_row_harms_nobody() -> None:
    engine = TransformersEngine.from_objects(tiny_model(), refuse_twos(tiny_tokenizer()))
    await engine.start()
    refused = Request((Message("assistant", "Hi"), Message("user", "Hi")), Sampling(4))
    rows = [request("one"), refused, request("lone \ud800"), Request((), Sampling(4)), request("2")]
    results = await asyncio.gather(*map(engine.complete, rows), return_exceptions=True)
    await engine.close()
    assert isinstance(results[0], Completion)
    assert isinstance(results[4], Completion)
    for result, reason in zip(results[1:4], ("no assistants here", "", "no messages"), strict=True):
        assert isinstance(result, RowEngineError)
        assert reason in str(result)


async def test_a_row_that_spoils_its_prefill_fails_alone(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Runner.prefill
    long = len(chat_ids("spoiler"))

    def prefill(self: Runner, slot: int, prompts: Any, prefixes: Any) -> torch.Tensor:
        if long in map(len, prompts):
            raise RuntimeError("odd shapes")
        return right(self, slot, prompts, prefixes)

    expected = [(await engine.complete(request(t, temperature=1.0, seed=1))).text for t in "ab"]
    monkeypatch.setattr(Runner, "prefill", prefill)
    rows = [request(t, temperature=1.0, seed=1) for t in ("a", "spoiler", "b")]
    first, spoiler, second = await asyncio.gather(
        *map(engine.complete, rows), return_exceptions=True
    )
    assert [first.text, second.text] == expected  # type: ignore[union-attr]
    assert isinstance(spoiler, RowEngineError)
    assert "odd shapes" in str(spoiler)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(RuntimeError("broken kernel"), "broken kernel"), (MemoryError(), "Lower batch_size")],
)
async def test_a_failing_decoder_is_fatal(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def decode(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Runner, "decode", decode)
    with pytest.raises(FatalEngineError, match=reason):
        await engine.complete(request())
    monkeypatch.undo()
    assert (await engine.complete(request())).text


async def test_logits_that_are_no_numbers_fail_their_row(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Runner.prefill

    def prefill(self: Runner, slot: int, prompts: Any, prefixes: Any) -> torch.Tensor:
        logits = right(self, slot, prompts, prefixes).clone()
        logits[[len(p) == len(chat_ids("overflow")) for p in prompts]] = torch.nan
        return logits

    monkeypatch.setattr(Runner, "prefill", prefill)
    bad, good = await asyncio.gather(
        engine.complete(request("overflow")), engine.complete(request()), return_exceptions=True
    )
    assert isinstance(good, Completion)
    assert isinstance(bad, RowEngineError)
    assert "dtype: float32" in str(bad)


async def test_closing_answers_those_who_wait() -> None:
    engine = endless(batch_size=3)
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
    engine = tiny()
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
    engine = tiny()
    await asyncio.gather(engine.start(), engine.start())
    await engine.start()
    assert loads == [1]
    await engine.close()


async def test_a_dead_worker_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny()
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    await engine.start()
    with monkeypatch.context() as broken:
        broken.setattr(Scheduler, "_step", lambda self: 1 / 0)
        with pytest.raises(EngineError, match="start it and ask again"):
            await engine.complete(request())
        with pytest.raises(EngineError, match="start it and ask again"):
            await engine.complete(request())
    await until(lambda: engine._worker.ended)  # type: ignore[union-attr]
    await engine.start()
    assert (await engine.complete(request())).text
    await engine.close()


async def test_a_failed_start_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny()
    with monkeypatch.context() as broken:
        broken.setattr(LOADER, lambda *_: 1 / 0)
        broken_engine = tiny()
    with pytest.raises(ZeroDivisionError):
        await broken_engine.start()
    with pytest.raises(ZeroDivisionError):
        await broken_engine.start()
    await broken_engine.close()
    await engine.start()
    await engine.close()


def test_batches_have_rows() -> None:
    with pytest.raises(FatalEngineError, match="batch_size is 0"):
        tiny(batch_size=0)


def test_late_errors_of_cancelled_requests_are_dropped() -> None:
    sequence = Sequence(request())
    sequence.future.cancel()
    sequence.fail(EngineError("too late"))
    sequence._answer("too late", "answered", "v")
    assert sequence.future.cancelled()
