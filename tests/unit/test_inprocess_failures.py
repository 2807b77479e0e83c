"""Requests and models that go wrong in the in-process engine, and what it costs the others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import torch

from cai.engines import TransformersEngine
from cai.engines.inprocess.runner import Runner
from cai.engines.inprocess.scheduler import Scheduler
from cai.engines.inprocess.sequence import Sequence
from cai.errors import EngineError, FatalEngineError, RowEngineError
from cai.records import Completion, Message, Request, Sampling
from tests.unit.engine_helpers import chat_ids, request, tiny_engine, until
from tests.unit.tiny_model import CONTEXT, tiny_model, tiny_tokenizer


@pytest.fixture
async def engine() -> AsyncIterator[TransformersEngine]:
    made = tiny_engine(batch_size=3)
    await made.start()
    yield made
    await made.close()


def refuse_twos(engine_tokenizer: Any) -> Any:
    """A template like those that want user and assistant in turn."""
    engine_tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        "{{ raise_exception('no assistants here') }}{% endif %}{% endfor %}"
        + engine_tokenizer.chat_template
    )
    return engine_tokenizer


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


async def test_a_dead_worker_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny_engine()
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


def test_late_errors_of_cancelled_requests_are_dropped() -> None:
    sequence = Sequence(request())
    sequence.future.cancel()
    sequence.fail(EngineError("too late"))
    sequence._answer("too late", "answered", "v")
    assert sequence.future.cancelled()
