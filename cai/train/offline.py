"""Carrying out the trainings that sample nothing: sft, rm, dpo and kto."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cai.errors import ConfigError, TrainingError
from cai.train import processes
from cai.train.data import Data, kind_of, load_data, mix
from cai.train.examples import Demonstration, Preference
from cai.train.models import Policy, autocasts, load_policy, load_reward_model, trainable_share
from cai.train.sharded import whole_model
from cai.train.tokens import Encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cai.train.gate import Validation
    from cai.train.log import TrainLog
    from cai.train.settings import DPOConfig, Method, TrainConfig

__all__ = ["Trained", "train_offline"]

Say = "Callable[[str], None]"


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training: the model in memory, what it learned from, and how it does.

    `watch` says in sentences what the watch of an online training saw; only the main process has
    watched. `share` is how many weights were trained, and how many there are.
    """

    policy: Policy
    data: Data[Any]
    dev: dict[str, float]
    held_out: dict[str, float]
    watch: tuple[str, ...] = ()
    share: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class _Job:
    """Everything that a trainer is built from."""

    method: Method
    config: TrainConfig
    output: Path
    log: TrainLog
    resume: bool
    say: Callable[[str], None]

    def carry_out(
        self,
        policy: Policy,
        data: Data[Any],
        trainer_class: Any,
        encode: Callable[[Any], Any],
        collate: Any,
        expand: Callable[[Any], Sequence[Any]] = lambda example: (example,),
        **options: Any,
    ) -> Trained:
        """Train, then measure on dev and, once, on held-out."""
        from cai.train.checkpoints import last_checkpoint
        from cai.train.trainer import Items, arguments

        optim, share = self.config.training, trainable_share(policy.model)
        order = self._order(data, expand)
        dev = Items(_by_length([s for e in data.dev for s in expand(e)]), encode)
        model = self.config.model
        precision = {"adapters": model.adapt in ("lora", "qlora"), "bf16": autocasts(model)}
        trainer = trainer_class(
            policy.model,
            self.log,
            args=arguments(self.method, optim, self.output, len(order[0]), **precision),
            train_dataset=Items(order[1], encode),
            eval_dataset=dev,
            data_collator=collate,
            processing_class=policy.tokenizer,
            say=self.say,
            **options,
        )
        if self.resume:
            trainer.train(resume_from_checkpoint=last_checkpoint(self.output))
        else:
            trainer.train()
        held_out = Items(_by_length([s for e in data.held_out for s in expand(e)]), encode)
        found = trainer.measure(dev), trainer.measure(held_out)
        whole = whole_model(trainer, policy.model, model, reward=self.method == "rm")
        return Trained(replace(policy, model=whole), data, *found, share=share)

    def _order(
        self, data: Data[Any], expand: Callable[[Any], Sequence[Any]]
    ) -> tuple[list[Any], list[Any]]:
        """The examples of the first epoch, and those of all epochs one after the other.

        Micro-batches go round the processes in turn, so that an optimiser step takes the same
        examples as one of a single process with a batch of their size together.
        """
        optim, size = self.config.training, self.config.training.batch_size * processes.count()
        epochs = [[s for e in mix(data.train, data.weights, 0) for s in expand(e)]]
        if not epochs[0]:
            raise ConfigError(
                "The weights of all sources are so small that no example is drawn. Raise one."
            )
        needed = (optim.max_steps or 0) * size or math.ceil(len(epochs[0]) * optim.epochs)
        if processes.count() > 1:
            # The last batch is filled up from the next epoch; else it would be from the beginning.
            needed = math.ceil(needed / size) * size
        while sum(map(len, epochs)) < needed:
            drawn = mix(data.train, data.weights, len(epochs))
            epochs.append([s for e in drawn for s in expand(e)])
        order = [example for epoch in epochs for example in epoch]
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        # The gradient of a batch does not depend on how it is cut; like lengths need less padding.
        return epochs[0], [example for batch in batches for example in _by_length(batch)]


def train_offline(
    method: Method,
    config: TrainConfig,
    output: Path,
    log: TrainLog,
    *,
    resume: bool,
    validation: Validation | None,
    say: Callable[[str], None],
) -> Trained:
    """Read the data, load the model, train it and measure it.

    Raises:
        CaiError: as `load_data`, `load_policy` and the trainers.
    """
    job = _Job(method, config, output, log, resume, say)
    return {"sft": _sft, "rm": _rm, "dpo": _dpo, "kto": _kto}[method](job, validation)


def _sft(job: _Job, validation: Validation | None) -> Trained:
    from cai.train.sft import SFTTrainer, sft_collate, sft_encode

    data = load_data(Demonstration, job.config, validation=validation)
    policy = load_policy(job.config.model)
    encode = sft_encode(_encoder(job, policy))
    collate = sft_collate(policy.tokenizer.pad_token_id)
    return job.carry_out(policy, data, SFTTrainer, encode, collate)


def _rm(job: _Job, validation: Validation | None) -> Trained:
    from cai.train.rm import RewardModelTrainer, rm_collate, rm_encode

    settings = job.config.rm
    data = load_data(kind_of("rm", job.config), job.config, validation=validation)
    policy = load_reward_model(job.config.model, training=True)
    encode = rm_encode(_encoder(job, policy))
    collate = rm_collate(policy.tokenizer.pad_token_id)
    return job.carry_out(policy, data, RewardModelTrainer, encode, collate, settings=settings)


def _dpo(job: _Job, validation: Validation | None) -> Trained:
    from cai.train.preference import PreferenceTrainer, needs_reference, pair_collate, pair_encode

    settings = job.config.dpo
    data = load_data(Preference, job.config, validation=validation)
    noise = _label_noise(settings, data)
    policy = load_policy(job.config.model)
    encoder = _encoder(job, policy)
    reference = None
    if needs_reference(settings):
        questions = {
            f"{e.id}{sign}": (e.prompt, text)
            for e in (*data.train, *data.dev, *data.held_out)
            for sign, text in (("+", e.chosen), ("-", e.rejected))
        }
        known = _reference(job, policy, encoder, questions)
        ids = {name[:-1] for name in known}
        reference = {i: (known[f"{i}+"], known[f"{i}-"]) for i in ids}
    encode = pair_encode(encoder, reference)
    collate = pair_collate(policy.tokenizer.pad_token_id)
    options: dict[str, Any] = {"settings": settings, "label_noise": noise}
    return job.carry_out(policy, data, PreferenceTrainer, encode, collate, **options)


def _label_noise(settings: DPOConfig, data: Data[Any]) -> float | None:
    """What the config says, or else what people's labels of the data have shown."""
    noise = settings.label_noise
    if noise is not None or settings.loss not in ("robust", "cdpo"):
        return noise
    noise = data.label_noise
    if noise is None:
        raise ConfigError(
            f"dpo.loss: {settings.loss} needs the share of wrong labels, and not every source of "
            "data has an estimate. Make it with cai judge calibrate RUN, set dpo.label_noise (for "
            "example 0.1), or use loss: sigmoid."
        )
    if noise >= 0.5:
        raise ConfigError(
            f"dpo.loss: {settings.loss} needs a share of wrong labels below 0.5, and people "
            f"contradict {noise:.0%} of these. Such labels teach the contrary: use another judge."
        )
    return noise


def _kto(job: _Job, validation: Validation | None) -> Trained:
    from cai.train.kto import KTOTrainer, kto_collate, kto_encode, mismatched, sides_of

    if job.config.training.micro_batch_size < 2:
        raise ConfigError(
            "kto estimates the divergence over a micro-batch: training.micro_batch_size is 1 and "
            "must be 2 or more."
        )
    data = load_data(kind_of("kto", job.config), job.config, validation=validation)
    policy = load_policy(job.config.model)
    encoder = _encoder(job, policy)
    sides = [s for e in (*data.train, *data.dev, *data.held_out) for s in sides_of(e)]
    others = mismatched(sides)
    questions = {s.name: (s.prompt, s.answer) for s in sides}
    questions |= {f"{s.name}?": (s.prompt, others[s.name]) for s in sides}
    encode = kto_encode(encoder, others, _reference(job, policy, encoder, questions))
    collate = kto_collate(policy.tokenizer.pad_token_id)
    settings = job.config.kto
    return job.carry_out(policy, data, KTOTrainer, encode, collate, sides_of, settings=settings)


def _by_length(examples: Sequence[Any]) -> list[Any]:
    """Examples of like length together, for less padding."""
    return sorted(examples, key=_characters)


def _characters(example: Any) -> int:
    answers = [getattr(example, name, "") for name in ("answer", "chosen", "rejected")]
    answers += getattr(example, "answers", ())
    return sum(len(m.content) for m in example.prompt) + max(map(len, answers))


def _encoder(job: _Job, policy: Policy) -> Encoder:
    return Encoder(policy.tokenizer, job.config.training.max_length)


def _reference(
    job: _Job, policy: Policy, encoder: Encoder, questions: dict[str, Any]
) -> dict[str, float]:
    """Log-probabilities of the model that the policy is tied to."""
    from contextlib import nullcontext

    from cai.train.reference import reference_log_probs

    named = job.config.reference
    other = policy
    if named:
        other = load_policy(job.config.model.model_copy(update={"name": named}), training=False)
    if named and other.tokenizer.get_vocab() != policy.tokenizer.get_vocab():
        raise TrainingError(
            f"reference: {named} has another vocabulary than {job.config.model.name}. It must be "
            "of the same family."
        )
    untouched = getattr(other.model, "disable_adapter", nullcontext)
    job.say(f"Log-probabilities of the reference for {len(questions):,} answers …")
    with untouched():
        return reference_log_probs(
            other.model,
            encoder,
            questions,
            fingerprint=other.fingerprint,
            batch_size=job.config.training.micro_batch_size * 2,
            cache=job.output / "reference.json",
        )
