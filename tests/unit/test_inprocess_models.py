"""Architectures: which run in process, and that they give what transformers' `generate` gives."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

from cai.engines import TransformersEngine
from cai.errors import FatalEngineError
from cai.records import Message, Request, Sampling
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
SIZES: dict[str, Any] = {
    "vocab_size": len(TOKENIZER),
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.5,
    "bos_token_id": None,
    "pad_token_id": None,
    "eos_token_id": TOKENIZER.eos_token_id,
}
QUESTIONS = ("Hi", "A much longer question, is it not?", "x" * 70)
# Two such layers see 31 tokens back: across the turn's end, into the question.
WINDOW = 16


def llama() -> Any:
    return tiny_model()


def mistral() -> Any:
    """Every layer looks back over a short window."""
    return transformers.MistralForCausalLM(
        transformers.MistralConfig(**SIZES, head_dim=8, sliding_window=WINDOW)
    )


def qwen2() -> Any:
    """One layer looks at everything and one at a window."""
    kinds = ["full_attention", "sliding_attention"]
    config = transformers.Qwen2Config(
        **SIZES, use_sliding_window=True, sliding_window=WINDOW, layer_types=kinds
    )
    return transformers.Qwen2ForCausalLM(config)


def gpt2() -> Any:
    """Learned positions, and a key head for each query head."""
    config = transformers.GPT2Config(
        vocab_size=len(TOKENIZER),
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=512,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=TOKENIZER.eos_token_id,
    )
    return transformers.GPT2LMHeadModel(config)


def made(build: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    return build().eval()


def turns(question: str) -> tuple[Message, ...]:
    return (Message("system", "Be kind."), Message("user", question))


def generated(model: Any, question: str, tokens: int) -> str:
    chat = [{"role": m.role, "content": m.content} for m in turns(question)]
    text = TOKENIZER.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    ids = torch.tensor([TOKENIZER(text, add_special_tokens=False)["input_ids"]])
    whole = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=tokens,
        pad_token_id=TOKENIZER.pad_token_id,
    )
    return TOKENIZER.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("build", [llama, mistral, qwen2, gpt2])
async def test_greedy_text_is_that_of_generate(build: Callable[[], Any]) -> None:
    model = made(build)
    expected = [generated(model, question, 16) for question in QUESTIONS]
    assert len(set(expected)) > 1
    engine = TransformersEngine.from_objects(model, TOKENIZER, batch_size=2)
    await engine.start()
    sampling = Sampling(16, temperature=0.0)
    for shared in (0, 1):
        answers = await asyncio.gather(
            *(engine.complete(Request(turns(q), sampling, shared=shared)) for q in QUESTIONS)
        )
        assert [answer.text for answer in answers] == expected
        assert [answer.usage.cached_tokens > 0 for answer in answers] == [shared > 0] * 3
    await engine.close()
    assert generated(model, QUESTIONS[0], 16) == expected[0]


async def test_long_prompts_run_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(qwen2)
    expected = generated(model, QUESTIONS[2], 8)
    monkeypatch.setattr("cai.engines.inprocess.runner._BUDGET", {"cpu": 16})
    engine = TransformersEngine.from_objects(model, TOKENIZER)
    await engine.start()
    answer = await engine.complete(Request(turns(QUESTIONS[2]), Sampling(8, temperature=0.0)))
    await engine.close()
    assert answer.text == expected


def mamba() -> Any:
    config = transformers.MambaConfig(
        vocab_size=len(TOKENIZER), hidden_size=16, num_hidden_layers=1, state_size=4
    )
    return transformers.MambaForCausalLM(config)


def lfm2() -> Any:
    return transformers.Lfm2ForCausalLM(
        transformers.Lfm2Config(**SIZES, layer_types=["conv", "full_attention"])
    )


@pytest.mark.parametrize("build", [mamba, lfm2])
async def test_models_with_other_states_are_refused(build: Callable[[], Any]) -> None:
    engine = TransformersEngine.from_objects(made(build), TOKENIZER)
    with pytest.raises(FatalEngineError, match="set engine: openai"):
        await engine.start()
    await engine.close()


async def test_wrong_logits_are_noticed_when_the_model_loads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cai.engines.inprocess.runner import Runner

    right = Runner._mask

    def see_the_future(self: Runner, *args: Any) -> torch.Tensor:
        return right(self, *args) * 0.0

    monkeypatch.setattr(Runner, "_mask", see_the_future)
    model = made(llama)
    engine = TransformersEngine.from_objects(model, TOKENIZER)
    with pytest.raises(FatalEngineError, match="differ from plain ones"):
        await engine.start()
    assert model.config._attn_implementation == "sdpa"
