"""Loading what is trained: policies and reward models, in the right precision, with what moves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.engines.inprocess.loading import Source, load, quiet
from cai.errors import FatalEngineError, TrainingError

if TYPE_CHECKING:
    from torch import Tensor

    from cai.train.settings import LoraConfig, ModelConfig

__all__ = [
    "Policy",
    "answer_log_probs",
    "autocasts",
    "load_policy",
    "load_reward_model",
    "prepare",
    "rewards_of",
    "trainable_share",
    "weights_dtype",
]


@dataclass(frozen=True, slots=True)
class Policy:
    """A loaded model; `fingerprint` names its weights before training."""

    model: Any
    tokenizer: Any
    fingerprint: str


def load_policy(config: ModelConfig, *, training: bool = True) -> Policy:
    """Load a causal language model and set which of its weights are trained.

    Args:
        config: names the model.
        training: whether it is about to be trained; a reference is not.

    Raises:
        FatalEngineError: the model does not exist or cannot run here.
        TrainingError: it cannot be trained in the way that is asked for.
        MissingExtraError: a package is not installed.
    """
    loaded = load(_source(config, training=training))
    model = prepare(loaded.model, config) if training else loaded.model
    tokenizer = loaded.tokenizer
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Policy(model, tokenizer, loaded.fingerprint)


def load_reward_model(config: ModelConfig, *, training: bool = False) -> Policy:
    """Load a model with one output: a trained reward model, or a policy that becomes one.

    Its padding token differs from the end-of-turn token, so that other programs, which look for
    the last token that is no padding, also find the end of the answer.

    Raises:
        FatalEngineError: the model does not exist or cannot run here, or, unless it is about to be
            trained, it has not been trained to give rewards.
        TrainingError: it cannot be trained in the way that is asked for.
    """
    import torch
    import transformers

    from cai.engines.inprocess.identity import hub_digest, locate, model_digest, model_name

    where, local = locate(config.name)
    options: dict[str, Any] = {
        "local_files_only": local,
        "trust_remote_code": config.trust_remote_code,
        **({"revision": config.revision} if config.revision and not local else {}),
    }
    try:
        with quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
            model: Any
            model, loading = transformers.AutoModelForSequenceClassification.from_pretrained(
                where,
                use_safetensors=True,
                dtype=getattr(torch, weights_dtype(config, training=training)),
                num_labels=1,
                output_loading_info=True,
                **options,
            )
    except (OSError, ValueError) as error:
        raise FatalEngineError(
            f"Cannot load a reward model from {config.name!r}: {str(error).splitlines()[0]} Name a "
            "folder that `cai train rm` wrote, or a model that transformers knows."
        ) from error
    if loading["missing_keys"] and not training:
        raise FatalEngineError(
            f"{config.name} is no reward model: it has no weights for "
            f"{', '.join(sorted(loading['missing_keys']))}, and its rewards would be random. Name "
            "a folder that `cai train rm` wrote."
        )
    _give_padding(model, tokenizer)
    model.to(_device(config))
    digest = (
        model_digest(config.name, Path(where)) if local else hub_digest(config.name, model.config)
    )
    name = model_name(config.name, local, model.config)
    if training:
        model = prepare(model, config)
    return Policy(model, tokenizer, f"transformers/{name}@{digest[:16]}")


def prepare(model: Any, config: ModelConfig) -> Any:
    """Set which weights of a model are trained; adapters are added where they are asked for.

    Raises:
        TrainingError: the model has no layers to choose from, or 4 bits are not possible here.
    """
    if config.adapt == "qlora":
        model = _in_four_bits(model)
    if config.adapt in ("lora", "qlora"):
        return _with_adapters(model, config.lora)
    if config.adapt == "top":
        _freeze_below(model, config.top_layers)
    return model


def trainable_share(model: Any) -> tuple[int, int]:
    """How many weights are trained, and how many there are."""
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, moves in counts if moves), sum(n for n, _ in counts)


def rewards_of(model: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The reward of each row, read at its last real token.

    Args:
        model: with a linear `score` on top of a decoder.
        input_ids: (n, t), padded on the right.
        attention_mask: (n, t).

    Returns:
        (n,) rewards in float32.
    """
    import torch

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = base.base_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    last = attention_mask.sum(-1) - 1
    pooled = hidden[torch.arange(len(hidden), device=hidden.device), last]
    rewards: Tensor = base.score(pooled).squeeze(-1).float()
    return rewards


def answer_log_probs(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the answers of a batch.

    Args:
        model: a causal language model.
        batch: from `cai.train.tokens.pad_right`.

    Returns:
        (n,) sums over the answer's tokens in float32, and (n,) their numbers.
    """
    labels = batch["labels"][:, 1:]
    answer = labels != -100
    # Prompts are long and vocabularies large: only the positions that count get logits.
    kept = answer.any(0).nonzero().squeeze(-1)
    logits = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        logits_to_keep=kept,
        use_cache=False,
    ).logits.float()
    wanted, counted = labels[:, kept].clamp(min=0), answer[:, kept]
    chosen = logits.gather(-1, wanted.unsqueeze(-1)).squeeze(-1)
    log_probs = (chosen - logits.logsumexp(-1)) * counted
    return log_probs.sum(-1), counted.sum(-1)


def save(policy_model: Any, tokenizer: Any, folder: Path) -> None:
    """Write weights as safetensors, and the tokenizer; adapters are folded in."""
    model = policy_model.merge_and_unload() if hasattr(policy_model, "merge_and_unload") else None
    (model or policy_model).save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)


def weights_dtype(config: ModelConfig, *, training: bool) -> str:
    """The precision in which weights are held.

    `auto` keeps weights that are trained in float32: a step of a learning rate of 1e-6 is lost in
    the rounding of bfloat16, which has eight significant bits. Weights that stay as they are, of a
    reference or under adapters, are in bfloat16 on a GPU that has it. On a CPU, where bfloat16 is
    emulated and slow, everything is in float32.

    Args:
        config: of the model.
        training: whether the model is trained.
    """
    if config.dtype != "auto":
        return config.dtype
    moves = training and config.adapt not in ("lora", "qlora")
    return "float32" if moves or not autocasts(config) else "bfloat16"


def autocasts(config: ModelConfig) -> bool:
    """Whether a training computes in bfloat16: `dtype: auto` on a GPU that has it."""
    import torch

    on_gpu = config.dtype == "auto" and _device(config) == "cuda"
    return on_gpu and torch.cuda.is_bf16_supported()


def _source(config: ModelConfig, *, training: bool) -> Source:
    return Source(
        config.name,
        config.revision,
        weights_dtype(config, training=training),
        config.device,
        config.trust_remote_code,
    )


def _device(config: ModelConfig) -> str:
    return ("cuda" if _cuda() else "cpu") if config.device == "auto" else config.device


def _cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _in_four_bits(model: Any) -> Any:
    """Hold the weights in 4 bits (Dettmers et al. 2023, arXiv:2305.14314)."""
    if not _cuda():
        raise TrainingError(
            "adapt: qlora holds weights in 4 bits, which needs CUDA; here is none. Use adapt: lora."
        )
    import transformers
    from peft import prepare_model_for_kbit_training

    bits: Any = transformers.BitsAndBytesConfig
    four = bits(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    again = type(model).from_pretrained(model.name_or_path, quantization_config=four)
    ready: Any = prepare_model_for_kbit_training
    return ready(again)


def _with_adapters(model: Any, lora: LoraConfig) -> Any:
    from peft import LoraConfig as Adapters
    from peft import get_peft_model

    task = "SEQ_CLS" if hasattr(model, "score") else "CAUSAL_LM"
    return get_peft_model(
        model,
        Adapters(
            task_type=task,
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets) or "all-linear",
            modules_to_save=["score"] if task == "SEQ_CLS" else None,
        ),
    )


def _freeze_below(model: Any, layers: int) -> None:
    decoder = model.base_model
    stack = getattr(decoder, "layers", None) or getattr(decoder, "h", None)
    if stack is None:
        raise TrainingError(
            f"adapt: top needs a model with a list of layers; {type(model).__name__} has none that "
            "is known. Use adapt: full or lora."
        )
    for parameter in decoder.parameters():
        parameter.requires_grad = False
    for layer in stack[max(0, len(stack) - layers) :]:
        for parameter in layer.parameters():
            parameter.requires_grad = True
    norm = getattr(decoder, "norm", None) or getattr(decoder, "ln_f", None)
    for parameter in norm.parameters() if norm is not None else ():
        parameter.requires_grad = True


def _give_padding(model: Any, tokenizer: Any) -> None:
    if tokenizer.pad_token_id in (None, tokenizer.eos_token_id):
        others = [t for t in tokenizer.all_special_tokens if t != tokenizer.eos_token]
        if not others:
            raise TrainingError(
                "The tokenizer has no special token beside the end of a turn, and padding must "
                "differ from it. Add one with tokenizer.add_special_tokens."
            )
        tokenizer.pad_token = others[-1]
    model.config.pad_token_id = tokenizer.pad_token_id
