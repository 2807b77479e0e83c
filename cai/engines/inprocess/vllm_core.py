"""A running vLLM: how it is started, asked and read. The one module that imports vLLM."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.engines.inprocess.chat import Chat
from cai.engines.inprocess.identity import hub_digest, locate, model_digest, model_name
from cai.engines.inprocess.vllm_options import (
    VllmSource,
    engine_options,
    missing_vllm,
    read_adapter,
    sampling_options,
)
from cai.engines.structured import schema_problem
from cai.errors import EngineError, FatalEngineError, RowEngineError, TransientEngineError
from cai.records import Completion, TokenAlternative, Usage

if TYPE_CHECKING:
    from cai.records import CompletionOutcome, Request

__all__ = ["Core", "boot"]

_OUTCOMES: dict[str, CompletionOutcome] = {"stop": "answered", "length": "truncated"}


@dataclass(frozen=True, slots=True)
class Core:
    """A loaded vLLM with all that turns requests into its words and its words into answers."""

    llm: Any
    chat: Chat
    fingerprint: str
    version: str
    longest: int
    vocabulary: int
    adapter: Any = None

    async def load_adapter(self) -> None:
        """Load the adapter now rather than with the first request.

        Raises:
            FatalEngineError: it does not fit the model.
        """
        if self.adapter is None:
            return
        try:
            loaded = await self.llm.add_lora(self.adapter)
        except Exception as error:
            raise FatalEngineError(_cannot_adapt(self.adapter, str(error))) from error
        if not loaded:
            raise FatalEngineError(_cannot_adapt(self.adapter, "it was refused"))

    async def hush(self) -> None:
        """Stop listening to vLLM's processes, so that their end is not reported as a failure."""
        listening = getattr(self.llm, "output_handler", None)
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def stop(self) -> None:
        """End vLLM's processes; callable from any thread."""
        self.llm.shutdown()
        # vLLM shuts down once more as the interpreter ends, when what it needs for that is gone.
        self.llm.shutdown = _nothing

    async def answer(self, request: Request, name: str) -> Completion:
        """Answer one request; errors as `cai.engines.vllm.VllmEngine.complete`."""
        prompt = self._prompt(request)
        output = await self._generate(prompt, self._params(request), name)
        (choice,) = output.outputs
        outcome = _OUTCOMES.get(str(choice.finish_reason))
        if outcome is None:
            raise TransientEngineError(
                f"vLLM ended the answer with {choice.finish_reason!r}; it must be 'stop' or "
                "'length'. The request is asked again"
            )
        ids = list(choice.token_ids)
        if request.sampling.stop:
            text = str(choice.text)
        else:
            text = self.chat.text(ids[:-1] if outcome == "answered" else ids)
        schema = request.response_schema
        if outcome == "answered" and schema is not None and (why := schema_problem(text, schema)):
            raise RowEngineError(why)
        usage = Usage(len(prompt), len(ids), output.num_cached_tokens or 0)
        return Completion(text, outcome, usage, self._first(request, choice), self.version)

    def _prompt(self, request: Request) -> list[int]:
        ids, limit = self.chat.prompt_ids(request.messages), request.sampling.max_tokens
        if len(ids) + limit > self.longest:
            raise RowEngineError(
                f"the prompt has {len(ids)} tokens and max_tokens is {limit}, together "
                f"{len(ids) + limit}; the context allows {self.longest}. Shorten the prompt, lower "
                "max_tokens, or raise vllm.max_model_len where the model allows it"
            )
        return ids

    def _params(self, request: Request) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        options = sampling_options(request.sampling, request.sample_index, self.vocabulary)
        if request.response_schema is not None:
            options["structured_outputs"] = StructuredOutputsParams(json=request.response_schema)
        # Only the whole answer is wanted, not each token as it comes.
        return SamplingParams(output_kind=RequestOutputKind.FINAL_ONLY, **options)

    async def _generate(self, prompt: list[int], params: Any, name: str) -> Any:
        from vllm.exceptions import VLLMClientError
        from vllm.inputs import tokens_input
        from vllm.v1.engine.exceptions import EngineDeadError

        stream = self.llm.generate(tokens_input(prompt), params, name, lora_request=self.adapter)
        try:
            async with contextlib.aclosing(stream) as outputs:
                async for output in outputs:
                    if output.finished:
                        return output
        except EngineDeadError as error:
            raise FatalEngineError(
                "vLLM has died; its own message is above. What was answered is kept: start the "
                "same command again, with a smaller vllm.kv_cache_gb or max_model_len if memory "
                "ran out"
            ) from error
        except (VLLMClientError, ValueError) as error:
            raise RowEngineError(f"vLLM refuses this request: {error}") from error
        except Exception as error:
            reason = error.__cause__ or error
            raise RowEngineError(
                f"vLLM failed on this request ({type(reason).__name__}: {reason})"
            ) from error
        raise TransientEngineError("vLLM gave no answer. The request is asked again")

    def _first(self, request: Request, choice: Any) -> tuple[TokenAlternative, ...]:
        count = request.sampling.top_logprobs
        if not count or not choice.logprobs:
            return ()
        # vLLM adds the token that was drawn, if it is not among the likeliest.
        found = sorted(choice.logprobs[0].items(), key=lambda item: -item[1].logprob)[:count]
        return tuple(TokenAlternative(self.chat.token_text(i), at.logprob) for i, at in found)


def boot(source: VllmSource) -> Core:
    """Load a model; callable from any thread.

    Raises:
        FatalEngineError: the model does not exist or cannot run here.
        MissingExtraError: vLLM is not installed.
    """
    # vLLM tells its makers about each start, and the terminal about each step, unless told not to.
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    if source.vllm.kv_cache_gb is not None:
        os.environ.pop("VLLM_CPU_KVCACHE_SPACE", None)  # vLLM would prefer it
    try:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.lora.request import LoRARequest
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM
    except ImportError as error:
        raise missing_vllm() from error
    _check_device(source.device, current_platform.device_type)
    adapter = read_adapter(source.vllm.adapter) if source.vllm.adapter else None
    where, local = locate(source.model)
    llm = None
    try:
        config, tokenizer = _read_config(source, where, local)
        chat = Chat(tokenizer)
        commit = None if local else hub_digest(source.model, config)
        digest = commit or model_digest(source.model, Path(where))
        on_cpu = current_platform.device_type == "cpu"
        options = engine_options(source, where, commit, adapter, on_cpu=on_cpu)
        llm = AsyncLLM.from_engine_args(
            AsyncEngineArgs(disable_log_stats=True, use_tqdm_on_load=False, **options)
        )
    except EngineError:
        raise
    except Exception as error:
        raise FatalEngineError(_cannot_start(source, error)) from error
    version = f"{model_name(source.model, local, config)}@{digest[:16]}"
    dtype = str(llm.model_config.dtype).removeprefix("torch.")
    parts = [f"vllm/{version}", dtype, source.vllm.quantization or ""]
    parts.append(f"lora:{adapter.digest[:16]}" if adapter else "")
    return Core(
        llm=llm,
        chat=chat,
        fingerprint="+".join(filter(None, parts)),
        version="+".join(filter(None, (version, parts[-1]))),
        longest=llm.model_config.max_model_len,
        vocabulary=llm.model_config.get_vocab_size(),
        adapter=LoRARequest("adapter", 1, str(adapter.folder)) if adapter else None,
    )


def _nothing(timeout: float | None = None) -> None: ...


def _read_config(source: VllmSource, where: str, local: bool) -> tuple[Any, Any]:
    import transformers

    from cai.engines.inprocess.loading import quiet

    options: dict[str, Any] = {
        "local_files_only": local,
        "trust_remote_code": source.trust_remote_code,
    }
    if not local and source.revision:
        options["revision"] = source.revision
    with quiet():
        config = transformers.AutoConfig.from_pretrained(where, **options)
        return config, transformers.AutoTokenizer.from_pretrained(where, **options)


def _check_device(device: str, built_for: str) -> None:
    if device not in ("auto", built_for):
        raise FatalEngineError(
            f"device is {device!r}, and the installed vLLM runs on {built_for!r}. Allowed are "
            f"'auto' and {built_for!r}; choose GPUs with CUDA_VISIBLE_DEVICES"
        )


def _cannot_start(source: VllmSource, error: Exception) -> str:
    lines = str(error).strip().splitlines()
    reason = lines[0] if lines else "no message"
    return (
        f"vLLM cannot run the model {source.model!r}: {type(error).__name__}: {reason}. If its own "
        "message above says no more, start again with VLLM_LOGGING_LEVEL=INFO. Where memory is "
        "short, lower vllm.kv_cache_gb (CPU), vllm.gpu_memory_utilization or vllm.max_model_len"
    )


def _cannot_adapt(adapter: Any, reason: str) -> str:
    return (
        f"the LoRA adapter {adapter.lora_path!r} cannot be used with this model: {reason}. "
        "vllm.adapter must name an adapter that was trained on it"
    )
