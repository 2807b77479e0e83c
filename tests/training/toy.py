"""A policy of a few thousand weights over twenty-odd letters, and rewards that can be counted."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from cai.records import Message
from cai.train.examples import PromptExample
from cai.train.ppo import PPOTrainer
from cai.train.rewards.base import Combined, FunctionReward
from cai.train.settings import OptimConfig, PPOConfig

torch.set_num_threads(1)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PROMPTS = [PromptExample((Message("user", letter * 2),), letter) for letter in LETTERS[:16]]


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {letter: i for i, letter in enumerate(LETTERS)} | {"?": len(LETTERS)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<end>", pad_token="<pad>", unk_token="?"
    )
    made.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}?"
    return made


def policy(seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return LlamaForCausalLM(config)


def share_of_a(prompts: Sequence[Sequence[Message]], completions: Sequence[str]) -> list[float]:
    """The share of the letter a among the letters of an answer."""
    texts = [text.replace(" ", "") for text in completions]
    return [text.count("a") / len(text) if text else 0.0 for text in texts]


def early_letters(prompts: Sequence[Sequence[Message]], completions: Sequence[str]) -> list[float]:
    """How many letters before n an answer has, of 12: more reward costs more divergence."""
    return [sum("a" <= letter < "n" for letter in text) / 12 for text in completions]


def count_of_a(prompts: Sequence[Sequence[Message]], completions: Sequence[str]) -> list[float]:
    """How often an answer has the letter a, of 12."""
    return [text.count("a") / 12 for text in completions]


def some_of_a(prompts: Sequence[Sequence[Message]], completions: Sequence[str]) -> list[float]:
    """What `count_of_a` stands for: the letter a in half of the places is best, more is worse."""
    return [min(share, 1.0 - share) for share in count_of_a(prompts, completions)]


def reward(function: Any = share_of_a) -> Combined:
    return Combined([(FunctionReward(function), 1.0)])


def ppo(
    folder: Path, seed: int = 0, steps: int = 160, stop_after: int | None = None, **settings: Any
) -> PPOTrainer:
    """A trainer of `policy`; `stop_after` ends it after so many updates."""
    model = settings.pop("model", None) or policy(seed)
    after = settings.pop("after_update", lambda number, *_: number == stop_after)
    log = settings.pop("log", None)
    function = settings.pop("function", share_of_a)
    options = {"rollouts": 64, "epochs": 2, "minibatches": 2, "missing_eos_penalty": 0.0}
    generate = {"max_tokens": 12}
    return PPOTrainer(
        model,
        tokenizer(),
        PROMPTS,
        reward(function),
        settings=PPOConfig.model_validate({**options, "generate": generate, **settings}),
        optim=OptimConfig(
            max_steps=steps,
            seed=seed,
            batch_size=64,
            micro_batch_size=64,
            schedule="constant",
            warmup=0.0,
            checkpoint_every=20,
        ),
        output=folder,
        learning_rate=3e-3,
        reference=copy.deepcopy(model),
        after_update=after,
        log=log,
    )
