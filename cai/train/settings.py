"""The config of training: what is common to all methods once, and a section for each method."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cai.config.section import Fraction, Section

__all__ = [
    "DPOConfig",
    "GRPOConfig",
    "KTOConfig",
    "LoraConfig",
    "ModelConfig",
    "OptimConfig",
    "PPOConfig",
    "RewardConfig",
    "RewardModelConfig",
    "SFTConfig",
    "SourceConfig",
    "TrainConfig",
    "WatchConfig",
]

Method = Literal["sft", "rm", "dpo", "kto", "ppo", "grpo", "rloo"]


class SourceConfig(Section):
    """One source of training data: a run of `cai generate`, or a file."""

    run: str | None = None
    """Folder of a run. Only prompts of its train split are read (and dev, for evaluation)."""
    file: str | None = None
    """A file of comparisons or conversations: hh-rlhf `.jsonl.gz`, or JSONL with `prompt`,
    `chosen`, `rejected` (and `p`), or with `messages`."""
    origin: Literal["ai", "human"] = "ai"
    """Who made the labels of a file; those of a run are always `ai`."""
    weight: float = Field(default=1.0, gt=0.0)
    """How often an example is drawn, relative to those of other sources; 2 is twice as often."""
    share: float | None = Field(default=None, gt=0.0, lt=1.0)
    """Share of the examples of an epoch that come from this source, in place of `weight`: a tenth
    of general helpful answers, say, replayed so that they are not forgotten."""
    limit: int | None = Field(default=None, ge=1)
    """Reads only so many examples, drawn by hash."""
    dev_share: Fraction = 0.1
    """Share of the prompts of a file that is kept for evaluation; a run has its own dev split."""
    held_out_share: Fraction = 0.0
    """Share of the prompts of a file that is looked at once, when the training is over."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.run is None) == (self.file is None):
            raise ValueError("name either a run or a file, and not both")
        if self.dev_share + self.held_out_share >= 1.0:
            raise ValueError("dev_share and held_out_share together must be less than 1")
        return self


class LoraConfig(Section):
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685)."""

    rank: int = Field(default=16, ge=1)
    """Rank of the update of each adapted matrix."""
    alpha: int = Field(default=32, ge=1)
    """Scale of the update; its factor is alpha / rank."""
    dropout: Fraction = 0.0
    """Dropout on the adapters' input."""
    targets: tuple[str, ...] = ()
    """Names of the adapted modules; all linear layers when empty."""


class ModelConfig(Section):
    """The model that is trained, and which of its weights are."""

    name: str = "smollm2-135m-instruct"
    """The embedded model, a folder with safetensors, a folder that `cai train` wrote, or a hub
    name."""
    revision: str | None = None
    """Commit, tag or branch of a hub model."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision. `auto` holds trained weights in float32 and computes in bfloat16 on a GPU that has
    it; on a CPU all is float32. Any other holds the weights and computes in it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; `auto` takes a GPU if there is one."""
    adapt: Literal["full", "top", "lora", "qlora"] = "full"
    """`full` trains all weights, `top` the upper layers, `lora` adapters, `qlora` adapters on
    weights held in 4 bits (CUDA only)."""
    top_layers: int = Field(default=8, ge=1)
    """How many of the upper layers `adapt: top` trains; with them the final norm and the head."""
    lora: LoraConfig = LoraConfig()
    """Adapters of `lora` and `qlora`."""
    trust_remote_code: bool = False
    """Runs code that a hub model brings along."""


class OptimConfig(Section):
    """How long and how fast to train."""

    epochs: float = Field(default=1.0, gt=0.0)
    """Passes over the training data (over the prompts, for ppo, grpo and rloo)."""
    max_steps: int | None = Field(default=None, ge=1)
    """Optimiser steps, in place of epochs."""
    learning_rate: float | None = Field(default=None, gt=0.0)
    """Peak of the schedule. When absent: sft 2e-5, rm 2e-5, dpo and kto 1e-6, ppo 3e-6, grpo and
    rloo 1e-6; ten times as much for adapters."""
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    """How the learning rate falls after the warm-up."""
    warmup: Fraction = 0.1
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decoupled weight decay of AdamW."""
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    """Longer gradients are scaled down to this norm."""
    batch_size: int = Field(default=16, ge=1)
    """Examples per optimiser step and process."""
    micro_batch_size: int = Field(default=4, ge=1)
    """Examples that are computed at once; the gradients of a batch are added up."""
    max_length: int = Field(default=512, ge=8)
    """Most tokens of prompt and answer; longer prompts lose their beginning, longer answers their
    end."""
    max_prompt_length: int = Field(default=256, ge=4)
    """Most tokens of a prompt where answers are generated."""
    gradient_checkpointing: bool = False
    """Computes activations again in the backward pass: less memory, a third more time."""
    seed: int = 0
    """Of initialisation, order and sampling."""
    evaluate_every: int | None = Field(default=None, ge=1)
    """Steps between evaluations on dev; by default ten per training."""
    checkpoint_every: int = Field(default=100, ge=1)
    """Steps between checkpoints."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """The oldest beyond these are deleted."""
    report_to: tuple[str, ...] = ()
    """Trackers that transformers knows, such as `wandb`, `mlflow` or `tensorboard`."""

    @model_validator(mode="after")
    def _whole_batches(self) -> Self:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"batch_size {self.batch_size} must be a multiple of micro_batch_size "
                f"{self.micro_batch_size}"
            )
        return self


class SFTConfig(Section):
    """Supervised fine-tuning on revisions."""

    revisions: Literal["final", "all"] = "final"
    """The last usable revision of each chain, or that of every round."""
    samples: tuple[str, ...] = ()
    """Tags of prompts of a run whose samples are imitated in place of revisions: helpful answers
    beside revised ones, so that help is not forgotten (2212.08073, §3.1)."""


class RewardModelConfig(Section):
    """The reward model."""

    loss: Literal["bradley-terry", "plackett-luce", "regression"] = "bradley-terry"
    """`bradley-terry` for pairs, `plackett-luce` for rankings, `regression` for ratings."""
    soft: bool = True
    """Takes p as the target; otherwise the likelier answer counts as certainly better."""
    margin: float = Field(default=0.0, ge=0.0)
    """The preferred answer must lead by this much times (2p - 1)."""
    centre: float = Field(default=0.01, ge=0.0)
    """Weight of the squared sum of the rewards of a pair, which keeps rewards around zero."""


class DPOConfig(Section):
    """Direct preference optimisation and its family."""

    loss: Literal["sigmoid", "ipo", "hinge", "robust", "cdpo", "orpo", "simpo"] = "sigmoid"
    """The objective; `orpo` and `simpo` need no reference model."""
    beta: float = Field(default=0.1, gt=0.0)
    """Strength of the tie to the reference (ipo: tau; orpo: weight of the odds ratio; simpo: scale
    of the reward)."""
    soft: bool = True
    """`sigmoid` takes p as the target; otherwise the likelier answer counts as certainly better."""
    label_noise: float | None = Field(default=None, ge=0.0, lt=0.5)
    """Share of labels that are wrong, for `robust` and `cdpo`; when absent, the estimate that
    `cai judge calibrate` has left in the run."""
    gamma: float = Field(default=0.5, ge=0.0)
    """Target margin of `simpo`, in units of its reward."""


class KTOConfig(Section):
    """Kahneman-Tversky optimisation, for answers that are good or bad without a partner."""

    beta: float = Field(default=0.1, gt=0.0)
    """Strength of the tie to the reference."""
    desirable: float = Field(default=1.0, gt=0.0)
    """Weight of good answers."""
    undesirable: float = Field(default=1.0, gt=0.0)
    """Weight of bad answers."""


class VllmRolloutsConfig(Section):
    """Sampling through vLLM (extra `vllm`), which on a GPU is several times as fast."""

    mode: Literal["colocate", "server"] = "colocate"
    """`colocate` runs vLLM in the processes of the training, on their GPUs. `server` asks one that
    runs elsewhere and takes new weights over NCCL."""
    gpu_memory: float = Field(default=0.3, gt=0.0, lt=1.0)
    """`colocate`: share of a GPU's memory that vLLM may take."""
    tensor_parallel: int = Field(default=1, ge=1)
    """`colocate`: processes that share one model."""
    server_url: str | None = None
    """`server`: where it is, such as `http://localhost:8000`."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.mode == "server") != (self.server_url is not None):
            raise ValueError(
                f"vllm.mode {self.mode} and vllm.server_url {self.server_url} do not go together: "
                "mode server needs a server_url, mode colocate takes none"
            )
        return self


class GenerateConfig(Section):
    """How the policy answers while it is trained."""

    max_tokens: int = Field(default=64, ge=1)
    """Most tokens of an answer."""
    temperature: float = Field(default=1.0, gt=0.0, le=5.0)
    """1 samples from the policy's own distribution, which the objectives assume."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Samples only from the likeliest tokens that together hold this much probability."""
    vllm: VllmRolloutsConfig | None = None
    """Samples through vLLM; through transformers when absent."""


class PPOConfig(Section):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347)."""

    rollouts: int = Field(default=32, ge=1)
    """Answers that are sampled per process before the policy is updated on them."""
    epochs: int = Field(default=2, ge=1)
    """Passes over each set of answers."""
    minibatches: int = Field(default=2, ge=1)
    """Optimiser steps per pass."""
    clip: float = Field(default=0.2, gt=0.0)
    """Range of the probability ratio that the policy loss takes into account, 1 ± clip."""
    value_clip: float | None = Field(default=0.2, gt=0.0)
    """Range in which values may move in one update; null for any."""
    value_coefficient: float = Field(default=0.5, ge=0.0)
    """Weight of the value loss."""
    entropy_coefficient: float = Field(default=0.0, ge=0.0)
    """Weight of the entropy bonus."""
    gamma: Fraction = 1.0
    """Discount per token."""
    gae_lambda: Fraction = 0.95
    """Trade of bias for variance in the advantages (Schulman et al. 2015, arXiv:1506.02438)."""
    kl: float = Field(default=0.05, ge=0.0)
    """Weight of the divergence from the reference; 0.01 to 0.1 prevents reward hacking."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k1"
    """How the divergence is estimated from samples (Schulman 2020, Approximating KL divergence)."""
    kl_in: Literal["reward", "loss"] = "reward"
    """Where the divergence enters. In the loss, k1 would have no gradient on average, and is not
    allowed."""
    kl_target: float | None = Field(default=None, gt=0.0)
    """Adapts the weight so that the divergence per answer, in nats, comes to this value (Ziegler
    et al. 2019, arXiv:1909.08593, section 2.2)."""
    kl_horizon: int = Field(default=10_000, ge=1)
    """Answers over which the adaptive weight settles."""
    whiten_rewards: bool = False
    """Scales the rewards of a set of answers to variance 1, and keeps their mean."""
    whiten_advantages: bool = True
    """Scales the advantages of a set of answers to mean 0 and variance 1."""
    missing_eos_penalty: float = Field(default=1.0, ge=0.0)
    """Taken off the reward of an answer that was cut off."""
    critic: Literal["head", "separate"] = "head"
    """A value head on the policy, or a critic of its own."""
    critic_model: str | None = None
    """Where a separate critic begins: a trained reward model; the policy when absent."""
    generate: GenerateConfig = GenerateConfig()
    """How answers are sampled."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kl_in == "loss" and self.kl_estimator == "k1":
            raise ValueError("kl_in: loss needs kl_estimator k2 or k3; k1 has no gradient there")
        if self.rollouts % self.minibatches:
            raise ValueError(
                f"rollouts {self.rollouts} must be a multiple of minibatches {self.minibatches}"
            )
        if self.kl_target is not None and self.kl == 0.0:
            raise ValueError("kl_target adapts the weight kl, which must then begin above 0")
        return self


class GRPOConfig(Section):
    """Group-relative policy optimisation (Shao et al. 2024, arXiv:2402.03300) and RLOO."""

    loss: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = "grpo"
    """How token losses are averaged; `grpo` is the paper's: over each answer, then over answers."""
    group_size: int = Field(default=8, ge=2, le=64)
    """Answers per prompt; 4 to 16 are usual."""
    beta: float = Field(default=0.05, ge=0.0)
    """Weight of the divergence from the reference."""
    clip: float = Field(default=0.2, gt=0.0)
    """Range of the probability ratio that the loss takes into account, 1 ± clip."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """What the advantages are divided by: the standard deviation of the group's rewards."""
    updates: int = Field(default=1, ge=1)
    """Optimiser steps on each set of answers."""
    generate: GenerateConfig = GenerateConfig()
    """How answers are sampled."""


class RewardConfig(Section):
    """One component of the reward; components are added up by weight."""

    kind: Literal["model", "constitution", "propositions", "length", "repetition", "python"]
    """`model`: a trained reward model. `constitution`: a judge's expected score, from 0 to 1.
    `propositions`: a judge's probability of yes. `length`, `repetition`: penalties from -1 to 0.
    `python`: a function of prompts and answers."""
    weight: float = 1.0
    """Factor of this component."""
    path: str | None = None
    """`model`: folder of a trained reward model. `python`: `package.module:function`."""
    config: str | None = None
    """`constitution`, `propositions`: a `cai.yaml`, whose constitution and judge are used; answers
    of the judge are kept in the folder `rewards` of its run."""
    propositions: tuple[str, ...] = ()
    """Sentences about an answer that should hold; the reward is their mean probability."""
    target: int = Field(default=200, ge=1)
    """`length`: words from which on the penalty grows."""
    ngram: int = Field(default=3, ge=1)
    """`repetition`: words in the pieces that must not come twice."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind in ("model", "python") and self.path is None:
            raise ValueError(f"a reward of kind {self.kind} needs 'path'")
        if self.kind in ("constitution", "propositions") and self.config is None:
            raise ValueError(f"a reward of kind {self.kind} needs 'config'")
        if self.kind == "propositions" and not self.propositions:
            raise ValueError("a reward of kind propositions needs 'propositions'")
        return self


class WatchConfig(Section):
    """What is watched while ppo, grpo and rloo train, so that a hacked reward does not pass."""

    gold: tuple[RewardConfig, ...] = ()
    """A reward that is independent of those trained on: another reward model, another judge.
    Fresh answers to dev prompts are scored by it; without one, hacking cannot be told."""
    refusal: RewardConfig | None = None
    """Tells from 0 to 1 whether an answer refuses, such as `propositions` or `python`."""
    every: int = Field(default=20, ge=1)
    """Optimiser steps between looks."""
    prompts: int = Field(default=32, ge=8)
    """Dev prompts that are answered at each look, always the same."""
    action: Literal["report", "stop", "rollback"] = "stop"
    """What to do on an alarm: only say so, end the training, or go back to the best weights, double
    the weight of the divergence and go on."""
    rollbacks: int = Field(default=2, ge=1)
    """`action: rollback` ends the training at the alarm after these."""
    patience: int = Field(default=2, ge=1)
    """Looks in a row that must be bad."""
    keep_best: bool = True
    """The finished model is the one that the gold liked best, not the last one."""
    max_kl: float | None = Field(default=None, gt=0.0)
    """Alarm above this divergence, as the log has it under `kl`."""
    min_entropy: float | None = Field(default=None, gt=0.0)
    """Alarm below this entropy per token, in nats: the policy says always the same."""
    max_length_ratio: float | None = Field(default=3.0, gt=1.0)
    """Alarm above so many times the length that answers had at the beginning."""
    max_repetition: float | None = Field(default=0.5, gt=0.0, le=1.0)
    """Alarm above this share of word triples that an answer had before."""
    max_refusal: float | None = Field(default=0.5, gt=0.0, le=1.0)
    """Alarm above this rate of refusals."""


class TrainConfig(Section):
    """Everything about one training."""

    data: tuple[SourceConfig, ...] = Field(min_length=1)
    """Sources of data, mixed by weight."""
    output: str | None = None
    """Folder for model, checkpoints, card and curves; `models/<method>` by default."""
    model: ModelConfig = ModelConfig()
    """The model that is trained."""
    reference: str | None = None
    """The model that dpo, kto, ppo and grpo stay near; the untrained model when absent."""
    training: OptimConfig = OptimConfig()
    """How long and how fast."""
    sft: SFTConfig = SFTConfig()
    """Options of `cai train sft`."""
    rm: RewardModelConfig = RewardModelConfig()
    """Options of `cai train rm`."""
    dpo: DPOConfig = DPOConfig()
    """Options of `cai train dpo`."""
    kto: KTOConfig = KTOConfig()
    """Options of `cai train kto`."""
    ppo: PPOConfig = PPOConfig()
    """Options of `cai train ppo`."""
    grpo: GRPOConfig = GRPOConfig()
    """Options of `cai train grpo` and `cai train rloo`."""
    rewards: tuple[RewardConfig, ...] = ()
    """Of ppo, grpo and rloo."""
    watch: WatchConfig = WatchConfig()
    """Of ppo, grpo and rloo: what is watched, and what is done about it."""
    gate: Literal["require", "report"] = "require"
    """AI labels that people have not validated (`cai validate RUN --gate`) are refused; `report`
    trains on them all the same, and the model card says so."""

    @model_validator(mode="after")
    def _shares_leave_room(self) -> Self:
        total = sum(source.share or 0.0 for source in self.data)
        if total >= 1.0 or all(source.share is not None for source in self.data):
            raise ValueError(
                f"the shares of the sources come to {total:g}; they must leave room for at least "
                "one source with a weight"
            )
        return self
