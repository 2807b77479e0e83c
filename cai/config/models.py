"""The sections about models: which plays which role, how it is reached, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from cai.config.section import ADDED, RUNTIME, Fraction, Section

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EngineKind", "ModelConfig", "ModelsConfig", "PriceConfig", "VllmConfig"]

EngineKind = Literal["transformers", "vllm", "openai", "scripted"]


class VllmConfig(Section):
    """Options of vLLM in this process, by the names that vLLM gives them."""

    adapter: str | None = None
    """Folder of a LoRA adapter that is applied to every request."""
    quantization: str | None = None
    """Quantization of the weights, as vLLM names it."""
    max_model_len: int | None = Field(default=None, ge=1)
    """Most tokens of prompt and answer together; the model's own limit when absent."""
    tensor_parallel_size: int = Field(default=1, ge=1, json_schema_extra=RUNTIME)
    """GPUs that share one copy of the model."""
    data_parallel_size: int = Field(default=1, ge=1, json_schema_extra=RUNTIME)
    """Copies of the model."""
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1, json_schema_extra=RUNTIME)
    """Share of each GPU's memory that vLLM takes."""
    kv_cache_gb: float | None = Field(default=None, gt=0, json_schema_extra=RUNTIME)
    """Gigabytes for the key-value cache on a CPU; 4 when absent."""
    enforce_eager: bool = Field(default=False, json_schema_extra=RUNTIME)
    """Starts sooner and runs slower, because nothing is compiled."""


class ModelConfig(Section):
    """One model and the engine that runs it."""

    engine: EngineKind = "transformers"
    """`transformers` and `vllm` run in this process, `openai` asks any OpenAI-compatible server,
    `scripted` is a deterministic stand-in for tests and dry runs."""
    model: str = "smollm2-135m-instruct"
    """Name at the server, path to a folder, hub name, or `smollm2-135m-instruct` (embedded)."""
    revision: str | None = None
    """Exact version of a hub model (commit hash)."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights in this process; `auto` is float32 on a CPU."""
    base_url: str | tuple[str, ...] | None = Field(default=None, json_schema_extra=RUNTIME)
    """Address of the server, up to and with `/v1`; the openai package's default when absent. A
    list of addresses that serve the same model shares the load among them."""
    api: Literal["chat", "completions"] = "chat"
    """Protocol of the server. `completions` writes the conversation out as text, for base models
    and servers without a chat endpoint."""
    logprobs: Literal["auto", "never"] = "auto"
    """Whether the server gives log-probabilities. `never` does not ask for them: a judge then takes
    `judge.votes` short samples."""
    api_key_env: str = Field(default="OPENAI_API_KEY", json_schema_extra=RUNTIME)
    """Name of the environment variable that holds the key. The key itself is never written."""
    device: str = Field(default="auto", json_schema_extra=RUNTIME)
    """`cpu`, `cuda`, `cuda:1` …; `auto` takes a GPU where there is one."""
    batch_size: int = Field(default=16, ge=1, json_schema_extra=RUNTIME)
    """Most sequences decoded together in this process. Where it is absent, `vllm` takes vLLM's own
    default, which is larger."""
    timeout_s: float = Field(default=120.0, gt=0, json_schema_extra=RUNTIME)
    """Most seconds that a server may take for one answer. Calls of a stage whose latency is known
    are given up earlier."""
    requests_per_minute: float | None = Field(default=None, gt=0, json_schema_extra=RUNTIME)
    """Most requests per minute to each address, as your account allows; no limit when absent."""
    tokens_per_minute: float | None = Field(default=None, gt=0, json_schema_extra=RUNTIME)
    """Most tokens per minute, read and generated, at each address; no limit when absent."""
    billing: Literal["auto", "paid", "free"] = Field(default="auto", json_schema_extra=RUNTIME)
    """Whether calls cost money. Where they are free, a late call is asked a second time. `auto`:
    calls to this machine and in this process are free, all others are paid."""
    batch: bool = Field(default=False, json_schema_extra=RUNTIME)
    """Sends calls through OpenAI's Batch API: half the price, answers within 24 hours."""
    vllm: VllmConfig = VllmConfig()
    """Options of the `vllm` engine."""
    trust_remote_code: bool = False
    """Runs code that a hub model brings along. Only for models whose code you have read."""

    @model_validator(mode="after")
    def _batches_have_one_server(self) -> Self:
        if self.batch and self.engine != "openai":
            raise ValueError(
                f"batch: true needs engine: openai, which asks OpenAI's Batch API; got engine: "
                f"{self.engine}. Set engine: openai, or remove batch"
            )
        if self.batch and not isinstance(self.base_url, str | None) and len(self.base_url) > 1:
            raise ValueError(
                f"batch: true needs one server that keeps the batches; base_url names "
                f"{len(self.base_url)}. Name one, or remove batch"
            )
        return self


class ModelsConfig(Section):
    """Which model plays which role."""

    policy: ModelConfig = ModelConfig()
    """Answers the prompts: the model to be aligned."""
    critic: ModelConfig | None = None
    """Critiques and revises; the policy when absent."""
    judge: ModelConfig | None = None
    """Compares answers; the critic when absent."""
    judges: tuple[ModelConfig, ...] = Field(default=(), json_schema_extra=ADDED)
    """A panel of different models that compare answers in place of `judge`, put together as
    `judge.panel` says (PoLL, Verga et al. 2024)."""
    fallback_judge: ModelConfig | None = Field(default=None, json_schema_extra=ADDED)
    """Compares answers where the judge, or the panel as a whole, refuses to."""

    @model_validator(mode="after")
    def _panel_of_different_models(self) -> Self:
        names = [(m.engine, m.model, m.revision, m.dtype, m.vllm.adapter) for m in self.judges]
        twice = next((name[1] for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(
                f"judges names {twice} twice; the same model gives the same answers. Name "
                "different models"
            )
        return self

    @property
    def roles(self) -> dict[str, ModelConfig]:
        """Every role that is played, and its model.

        The roles are policy and critic; judge, or the panel as `judges.0`, `judges.1` …; and
        fallback_judge, where there is one.
        """
        critic = self.critic or self.policy
        roles = {"policy": self.policy, "critic": critic}
        if self.judges:
            roles |= {f"judges.{i}": model for i, model in enumerate(self.judges)}
        else:
            roles["judge"] = self.judge or critic
        if self.fallback_judge is not None:
            roles["fallback_judge"] = self.fallback_judge
        return roles

    @property
    def judging(self) -> tuple[ModelConfig, ...]:
        """The models that compare answers: the panel, or the one judge."""
        return self.judges or (self.judge or self.critic or self.policy,)

    def judges_alone(self) -> ModelsConfig:
        """The same with no other models than those that judge; the first of them has every role."""
        only = {"policy": self.judging[0], "critic": None, "judge": None}
        return self.model_copy(update=only)

    def over(self, change: Callable[[ModelConfig], ModelConfig]) -> ModelsConfig:
        """The same with every model that is named changed; what is absent stays so."""
        named = {
            name: change(model)
            for name in ("policy", "critic", "judge", "fallback_judge")
            if (model := getattr(self, name)) is not None
        }
        return self.model_copy(update={**named, "judges": tuple(map(change, self.judges))})


class PriceConfig(Section):
    """What a model costs, in dollars per million tokens."""

    input: float = Field(ge=0)
    """Tokens read."""
    output: float = Field(ge=0)
    """Tokens generated."""
    cached: float | None = Field(default=None, ge=0)
    """Tokens read from the provider's cache; as `input` when absent."""
    batch: Fraction = 0.5
    """Share of the price that is paid through the Batch API."""
