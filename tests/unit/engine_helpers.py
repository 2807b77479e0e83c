"""Engines over the tiny model, and requests for them."""

import asyncio
from typing import Any

from cai.engines import TransformersEngine
from cai.records import Message, Request, Sampling
from tests.unit.tiny_model import tiny_model, tiny_tokenizer


def tiny_engine(**changes: Any) -> TransformersEngine:
    return TransformersEngine.from_objects(tiny_model(), tiny_tokenizer(), **changes)


def endless_engine(**changes: Any) -> TransformersEngine:
    """No token ends an answer, so it goes on up to its limit."""
    model, tokenizer = tiny_model(), tiny_tokenizer()
    model.generation_config.eos_token_id = tokenizer.eos_token = None
    return TransformersEngine.from_objects(model, tokenizer, **changes)


def request(text: str = "Hello", **changes: object) -> Request:
    sampling = {"max_tokens": 12, "temperature": 0.0} | changes
    return Request((Message("user", text),), Sampling(**sampling))  # type: ignore[arg-type]


def chat_ids(text: str) -> list[int]:
    whole = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    return list(tiny_tokenizer()(whole)["input_ids"])


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)
