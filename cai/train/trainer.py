"""What the offline trainers share: arguments, order of the data, logs, evaluation, resume."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch.utils.data import Dataset, SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from cai.train import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cai.train.log import TrainLog
    from cai.train.settings import OptimConfig

__all__ = ["BaseTrainer", "Items", "arguments", "learning_rate", "one_gpu"]

_RATES = {
    "sft": 2e-5,
    "rm": 2e-5,
    "dpo": 1e-6,
    "kto": 1e-6,
    "ppo": 3e-6,
    "grpo": 1e-6,
    "rloo": 1e-6,
}
_EVALUATIONS = 10
_SECONDS_BETWEEN_LINES = 10.0

_Arguments = TypeVar("_Arguments", bound=TrainingArguments)


def learning_rate(method: str, optim: OptimConfig, *, adapters: bool) -> float:
    """The peak learning rate: what is set, or the usual one of the method."""
    if optim.learning_rate is not None:
        return optim.learning_rate
    return _RATES[method] * (10.0 if adapters else 1.0)


def arguments(
    method: str,
    optim: OptimConfig,
    output: Path,
    examples: int,
    *,
    adapters: bool,
    bf16: bool = False,
) -> TrainingArguments:
    """The arguments of transformers' `Trainer` for a training.

    Args:
        method: decides the learning rate where none is set.
        optim: of the training.
        output: its folder.
        examples: in an epoch.
        adapters: whether adapters are trained.
        bf16: whether to compute in bfloat16; said outright, because the library's default would do
            so on a CPU, too.
    """
    at_once = optim.batch_size * processes.count()
    steps = optim.max_steps or max(1, math.ceil(examples * optim.epochs / at_once))
    every = optim.evaluate_every or max(1, steps // _EVALUATIONS)
    made = TrainingArguments(
        output_dir=str(output / "checkpoints"),
        max_steps=steps,
        per_device_train_batch_size=optim.micro_batch_size,
        per_device_eval_batch_size=optim.micro_batch_size,
        gradient_accumulation_steps=optim.batch_size // optim.micro_batch_size,
        learning_rate=learning_rate(method, optim, adapters=adapters),
        lr_scheduler_type=optim.schedule,
        warmup_steps=round(optim.warmup * steps),
        weight_decay=optim.weight_decay,
        max_grad_norm=optim.max_grad_norm,
        gradient_checkpointing=optim.gradient_checkpointing,
        seed=optim.seed,
        data_seed=optim.seed,
        eval_strategy="steps",
        eval_steps=every,
        logging_steps=1,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=optim.checkpoint_every,
        save_total_limit=optim.keep_checkpoints,
        report_to=list(optim.report_to) or "none",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        bf16=bf16,
        fp16=False,
        disable_tqdm=True,
        label_names=[],
    )
    return one_gpu(made)


def one_gpu(arguments: _Arguments) -> _Arguments:
    """Arguments of a process that trains on one GPU, however many it sees.

    With more, transformers would spread each micro-batch over all of them, and count it so often.
    By default, too, it says more in the other processes than in the main process.
    """
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    arguments.log_level_replica = arguments.log_level
    return arguments


class Items(Dataset[Any]):
    """Examples that are encoded when they are asked for."""

    def __init__(self, examples: Sequence[Any], encode: Callable[[Any], Any]) -> None:
        self._examples = examples
        self._encode = encode

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Any:
        return self._encode(self._examples[index])


class BaseTrainer(Trainer):
    """A `Trainer` whose subclasses give a loss with its figures.

    Subclasses define `loss(model, batch)`: (n,) losses and figures by name, each an (n,) tensor.
    Figures are averaged over steps and over the whole of dev, where `summary` may add to them.
    Those whose names begin with an underscore are there for `summary` alone.
    """

    def __init__(
        self, model: Any, log: TrainLog, *, say: Callable[[str], None], **options: Any
    ) -> None:
        super().__init__(model=model, **options)
        # Losses are means over a micro-batch, so those of a batch have to be averaged.
        self.model_accepts_loss_kwargs = False
        self._sums: dict[str, list[float]] = {}
        # It prints every row as a dict.
        self.remove_callback(PrinterCallback)
        self.add_callback(_Writer(log, say))

    def loss(self, model: Any, batch: Mapping[str, Any]) -> tuple[torch.Tensor, dict[str, Any]]:
        """The losses of a batch and what to report."""
        raise NotImplementedError

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """One by one: the data comes in the order of training, all epochs one after the other."""
        items: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(items)

    def summary(self, figures: dict[str, torch.Tensor]) -> dict[str, float]:
        """Figures of a whole evaluation that are no averages."""
        return {}

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The mean loss; each micro-batch counts the same."""
        losses, figures = self.loss(model, inputs)
        for name, values in _shown(figures).items():
            self._sums.setdefault(name, []).append(float(values.detach().float().mean()))
        loss = losses.mean()
        return (loss, {}) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the figures since the last line, averaged over all processes."""
        if "loss" in logs:
            logs |= processes.means({name: sum(v) / len(v) for name, v in self._sums.items()})
            self._sums.clear()
        super().log(logs, *args, **kwargs)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Mean loss and figures over a set of examples, by default dev."""
        metrics = self.measure(self.eval_dataset if eval_dataset is None else eval_dataset)
        named = {f"{metric_key_prefix}_{name}": value for name, value in metrics.items()}
        self.log(named)
        return named

    @torch.no_grad()
    def measure(self, items: Any) -> dict[str, float]:
        """Mean loss and figures over examples, without a trace in the log.

        Processes share the examples and all see the same figures; each example counts once.
        """
        if not len(items):
            return {}
        model: Any = self.model
        was_training = model.training
        model.eval()
        seen: dict[str, list[torch.Tensor]] = {}
        for batch in self.get_eval_dataloader(items):
            losses, figures = self.loss(model, self._prepare_inputs(batch))
            own = {n: v.detach().float() for n, v in {"loss": losses, **figures}.items()}
            # Leaves out what fills up the last batch, so that no process has less to do.
            for name, values in self.accelerator.gather_for_metrics(own).items():
                seen.setdefault(name, []).append(values.cpu())
        model.train(was_training)
        whole = {name: torch.cat(values) for name, values in seen.items()}
        means = {name: float(values.mean()) for name, values in _shown(whole).items()}
        return means | self.summary(whole)


def _shown(figures: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: values for name, values in figures.items() if not name.startswith("_")}


class _Writer(TrainerCallback):
    """Puts each row of the log on disk, and says every ten seconds how far the training is."""

    def __init__(self, log: TrainLog, say: Callable[[str], None]) -> None:
        self._log = log
        self._say = say
        self._said = 0.0

    def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Take the figures of a step."""
        row = rest["logs"]
        self._log.append(step=state.global_step, **row)
        now = time.monotonic()
        if "eval_loss" in row or ("loss" in row and now - self._said > _SECONDS_BETWEEN_LINES):
            self._said = now
            names = ("loss", "accuracy", "eval_loss", "eval_accuracy")
            figures = ", ".join(f"{name} {row[name]:.4g}" for name in names if name in row)
            self._say(f"step {state.global_step} of {state.max_steps}: {figures}")
