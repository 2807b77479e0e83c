"""The embedded model as fetched from the package index, against transformers itself.

What it answers, judges and generates is in test_real_model.py.
"""

import asyncio
import re
from pathlib import Path

import pytest
import torch

from cai.engines import TransformersEngine
from cai.engines.embedded import ensure_model
from cai.engines.inprocess.loading import Source, load
from cai.records import Message, Request, Sampling

pytestmark = pytest.mark.integration

QUESTIONS = ("What is the capital of France?", "Name three colours.", "Count from 97 to 101.")


@pytest.fixture(scope="module")
def folder() -> Path:
    # pip runs in a process of its own, which the ban on sockets in tests does not reach.
    return ensure_model()


def test_the_tokenizer_is_mended(folder: Path) -> None:
    loaded = load(Source("smollm2-135m-instruct"))
    tokenizer = loaded.tokenizer
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert [tokenizer.decode([i]) for i in tokenizer.encode("in 2026")] == [
        "in",
        " ",
        "2",
        "0",
        "2",
        "6",
    ]
    text = "  Café, naïve — 日本 🙂\n\tend"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    turn = tokenizer.encode("<|im_start|>user\nHi<|im_end|>")
    assert turn[0] == tokenizer.bos_token_id
    assert turn[-1] == tokenizer.eos_token_id
    assert re.fullmatch(
        r"transformers/smollm2-135m-instruct@[0-9a-f]{16}\+float32", loaded.fingerprint
    )


async def test_greedy_text_is_that_of_generate(folder: Path) -> None:
    loaded = load(Source("smollm2-135m-instruct"))
    model, tokenizer = loaded.model, loaded.tokenizer
    expected = []
    for question in QUESTIONS:
        chat = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        inputs = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
        ids = model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            do_sample=False,
            max_new_tokens=12,
            pad_token_id=tokenizer.pad_token_id,
        )
        expected.append(tokenizer.decode(ids[0, inputs.shape[1] :], skip_special_tokens=True))
    engine = TransformersEngine.from_objects(model, tokenizer)
    await engine.start()
    answers = await asyncio.gather(
        *(
            engine.complete(Request((Message("user", q),), Sampling(12, temperature=0.0)))
            for q in QUESTIONS
        )
    )
    await engine.close()
    assert [answer.text for answer in answers] == expected
    assert "Paris" in answers[0].text
