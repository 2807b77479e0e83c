"""The in-process engine: any causal language model that transformers can load."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from cai.engines.inprocess.loading import Loaded, Source, load, loaded_from_objects
from cai.errors import EngineError, FatalEngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.engines.inprocess.scheduler import Scheduler
    from cai.records import Completion, Request

__all__ = ["TransformersEngine"]


class TransformersEngine:
    """Answers requests with a model in this process, batched continuously on one worker thread.

    Implements `cai.engines.base.Engine`. The model is loaded by `start`.

    Args:
        model: `smollm2-135m-instruct` (embedded), a folder with safetensors, or a hub name.
        revision: commit, tag or branch of a hub model.
        dtype: `auto`, `float32`, `bfloat16` or `float16`; `auto` is float32 on a CPU and what the
            weights were saved in on a GPU.
        device: `auto`, `cpu`, `cuda`, `cuda:1` …
        batch_size: most sequences decoded together.
        trust_remote_code: run code that the model brings along.
    """

    def __init__(
        self,
        model: str = "smollm2-135m-instruct",
        *,
        revision: str | None = None,
        dtype: str = "auto",
        device: str = "auto",
        batch_size: int = 16,
        trust_remote_code: bool = False,
    ) -> None:
        source = Source(model, revision, dtype, device, trust_remote_code)
        self._setup(partial(load, source), batch_size)

    @classmethod
    def from_objects(
        cls, model: Any, tokenizer: Any, *, name: str = "in-memory", batch_size: int = 16
    ) -> Self:
        """Wrap a model and tokenizer that are already loaded, for notebooks and tests.

        The model is put in evaluation mode, and belongs to the engine until `close`.
        """
        engine = cls.__new__(cls)
        engine._setup(partial(loaded_from_objects, model, tokenizer, name), batch_size)
        return engine

    def _setup(self, loader: Callable[[], Loaded], batch_size: int) -> None:
        if batch_size < 1:
            raise FatalEngineError(f"batch_size is {batch_size}; it must be 1 or more")
        self._loader = loader
        self._batch_size = batch_size
        self._fingerprint = ""
        self._worker: _Worker | None = None

    @property
    def fingerprint(self) -> str:
        """`transformers/<name>@<hash of weights and tokenizer>+<dtype>`; valid after `start`.

        Raises:
            EngineError: the engine was never started.
        """
        if not self._fingerprint:
            raise EngineError("the engine has no fingerprint yet: `await engine.start()` first")
        return self._fingerprint

    async def start(self) -> None:
        """Load the model, fetching it first if need be.

        Raises:
            FatalEngineError: the model does not exist or cannot run here.
            MissingExtraError: torch or transformers is not installed.
        """
        if self._worker is None or self._worker.ended:
            self._worker = _Worker(self._loader, self._batch_size)
        worker = self._worker
        try:
            self._fingerprint = await asyncio.shield(asyncio.wrap_future(worker.ready))
        except Exception:
            if self._worker is worker:
                self._worker = None
            raise

    async def complete(self, request: Request) -> Completion:
        """Answer one request; cancelling it frees its place in the batch.

        Raises:
            RowEngineError: the request does not fit the context or the chat template.
            FatalEngineError: the model failed, or the engine is not running.
        """
        scheduler = self._worker.scheduler if self._worker else None
        if scheduler is None:
            raise FatalEngineError("the engine is not running: `await engine.start()` first")
        if request.response_schema is not None:
            raise FatalEngineError(
                "the in-process engine cannot hold an answer to a JSON schema. Ask without "
                "response_schema, or serve the model and set engine: openai"
            )
        from cai.engines.inprocess.sequence import Sequence

        sequence = Sequence(request)
        scheduler.submit(sequence)
        return await asyncio.wrap_future(sequence.future)

    async def close(self) -> None:
        """Stop the thread and free the model; requests still waiting get an `EngineError`."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await asyncio.to_thread(worker.stop)
            del worker
            _give_back()


class _Worker:
    """The thread that loads and owns the model; `ready` gets the fingerprint."""

    def __init__(self, loader: Callable[[], Loaded], batch_size: int) -> None:
        self.ready: Future[str] = Future()
        self.scheduler: Scheduler | None = None
        self._loader = loader
        self._batch_size = batch_size
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="cai-transformers", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the thread is gone."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the thread and wait for it; loading cannot be interrupted."""
        self._stopping.set()
        if self.scheduler is not None:
            self.scheduler.stop()
        self._thread.join()

    def _serve(self) -> None:
        try:
            loaded = self._loader()
            _limit_threads()
            import torch

            from cai.engines.inprocess.chat import Chat
            from cai.engines.inprocess.runner import Runner
            from cai.engines.inprocess.scheduler import Scheduler

            chat = Chat(loaded.tokenizer)
            with torch.inference_mode():
                runner = Runner(loaded.model)
            scheduler = Scheduler(
                runner,
                chat,
                batch_size=self._batch_size,
                ends=_end_tokens(loaded),
                version=loaded.version,
            )
        except BaseException as error:
            self.ready.set_exception(error)
            return
        # `stop` sets the event first and looks for a scheduler then, so one of the two is seen.
        self.scheduler = scheduler
        if self._stopping.is_set():
            scheduler.stop()
        self.ready.set_result(loaded.fingerprint)
        try:
            scheduler.run()
        finally:
            runner.close()


def _give_back() -> None:
    """Let other processes, such as a training, have the GPU memory that torch keeps for later."""
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        gc.collect()
        torch.cuda.empty_cache()


def _end_tokens(loaded: Loaded) -> frozenset[int]:
    """Tokens that end an answer: those of the generation config, and the tokenizer's own."""
    configured = loaded.model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(i for i in [*ids, loaded.tokenizer.eos_token_id] if i is not None)


def _limit_threads() -> None:
    """Use no more threads than this process has processors, unless the user chose a number."""
    import torch

    if os.environ.get("OMP_NUM_THREADS") or os.environ.get("MKL_NUM_THREADS"):
        return
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    if torch.get_num_threads() > processors:
        torch.set_num_threads(processors)
