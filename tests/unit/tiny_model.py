"""A random Llama of a few thousand weights and a tokenizer of bytes, made in a moment."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

# Tests share the processors, and so small a model gains nothing from threads.
torch.set_num_threads(1)

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTEXT = 512


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate(letters)}
    # One token with a space in it, as the labels of a judge have.
    vocabulary["ĠA"] = len(letters)
    backend = Tokenizer(models.BPE(vocabulary, [("Ġ", "A")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def tiny_model(seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer()),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        # Far from uniform, so that a wrong mask or position shows in the choice of tokens.
        initializer_range=0.5,
    )
    model = LlamaForCausalLM(config).eval()
    model.generation_config.eos_token_id = tiny_tokenizer().eos_token_id
    model.generation_config.pad_token_id = tiny_tokenizer().pad_token_id
    return model
