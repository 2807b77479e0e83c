"""Continuous batching: rows join and leave the batch between two decoding steps.

Iteration-level scheduling as in Orca (Yu et al., OSDI 2022, section 4.1), with a memory of shared
prefixes. One thread owns the model and runs `Scheduler.run`.
"""

from __future__ import annotations

import contextlib
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import torch

from cai.engines.inprocess.sampling import choose
from cai.errors import EngineError, FatalEngineError, RowEngineError

if TYPE_CHECKING:
    from cai.engines.inprocess.chat import Chat
    from cai.engines.inprocess.runner import Runner
    from cai.engines.inprocess.sequence import Sequence

__all__ = ["Scheduler"]

# Padding that a group of prompts may carry: rows of up to twice the shortest one's length …
_STRETCH = 2
# … plus this many tokens.
_SLACK = 32


class Scheduler:
    """Keeps up to `batch_size` sequences decoding.

    Requests for a single token need no place in the decoding batch, so they pass ahead of longer
    ones; at most `batch_size` of them do between two steps, so neither kind waits for the other.
    """

    def __init__(
        self, runner: Runner, chat: Chat, *, batch_size: int, ends: frozenset[int], version: str
    ) -> None:
        self._runner = runner
        self._chat = chat
        self._batch_size = batch_size
        self._ends = ends
        self._version = version
        self._inbox: SimpleQueue[Sequence | None] = SimpleQueue()
        self._single: deque[Sequence] = deque()
        self._longer: deque[Sequence] = deque()
        # Row i of the decoding batch lives in slot i of the cache.
        self._active: list[Sequence] = []
        self._ended = False

    def submit(self, sequence: Sequence) -> None:
        """Queue a sequence; callable from any thread."""
        self._inbox.put(sequence)
        if self._ended:
            self._reject_arrivals()

    def stop(self) -> None:
        """Make `run` return; callable from any thread."""
        self._inbox.put(None)

    def run(self) -> None:
        """Serve until `stop`. Whatever is unanswered then gets an `EngineError`."""
        try:
            with torch.inference_mode():
                while self._collect():
                    self._admit()
                    self._step()
        finally:
            self._abandon()

    def _collect(self) -> bool:
        """Move arrivals to the queues; wait for one when there is nothing to do."""
        idle = not (self._active or self._single or self._longer)
        if idle and self._inbox.empty():
            self._runner.cache.clear()
        while idle or not self._inbox.empty():
            sequence = self._inbox.get()
            if sequence is None:
                return False
            (self._single if sequence.prefill_only else self._longer).append(sequence)
            idle = False
        return True

    def _admit(self) -> None:
        ready = self._take(self._single, self._batch_size)
        ready += self._take(self._longer, self._batch_size - len(self._active))
        ready.sort(key=_rest)
        while ready:
            size = self._group_size(ready)
            self._prefill(ready[:size])
            del ready[:size]

    def _take(self, queue: deque[Sequence], count: int) -> list[Sequence]:
        taken: list[Sequence] = []
        while queue and len(taken) < count:
            sequence = queue.popleft()
            if sequence.done:
                continue
            try:
                sequence.prepare(self._chat, self._runner.max_positions)
            except EngineError as error:
                sequence.fail(error)
            except Exception as error:
                sequence.fail(_explained(error, alone=True))
            else:
                taken.append(sequence)
        return taken

    def _group_size(self, ready: list[Sequence]) -> int:
        """How many of the sorted sequences go into one pass: similar lengths, bounded memory."""
        shortest, size = _rest(ready[0]), 1
        while size < len(ready):
            width = _rest(ready[size])
            if width * (size + 1) > self._runner.budget or width > _STRETCH * shortest + _SLACK:
                break
            size += 1
        return size

    def _prefill(self, group: list[Sequence]) -> None:
        first = len(self._active)
        try:
            logits = self._runner.prefill(
                first, [s.prompt for s in group], [s.prefix for s in group]
            )
            self._accept(group, logits)
        except Exception as error:
            if len(group) == 1:
                group[0].fail(_explained(error, alone=True))
                return
            # One row may have spoilt the pass for all.
            for sequence in group:
                if not sequence.done:
                    sequence.restart()
                    self._prefill([sequence])
            return
        self._active.extend(group)
        self._drop_done()

    def _step(self) -> None:
        self._drop_done()
        if not self._active:
            return
        try:
            logits = self._runner.decode(
                [s.generated[-1] for s in self._active], [s.stored for s in self._active]
            )
            self._accept(self._active, logits)
        except Exception as error:
            for sequence in self._active:
                sequence.fail(_explained(error, alone=False))
        self._drop_done()

    def _accept(self, rows: list[Sequence], logits: torch.Tensor) -> None:
        sound = logits.amax(dim=-1).isfinite().tolist()
        tokens = choose(logits, [row.draw for row in rows])
        for row, token, finite, scores in zip(rows, tokens, sound, logits, strict=True):
            if not finite:
                row.fail(
                    RowEngineError(
                        f"the model gave logits that are not numbers after {row.stored + 1} "
                        "tokens. Number formats of 16 bits can overflow: set dtype: float32"
                    )
                )
                continue
            row.note_first(scores, self._chat)
            row.accept(token, self._chat, self._ends, self._version)

    def _drop_done(self) -> None:
        """Close the gaps: the last row moves into the slot of a finished one."""
        row = 0
        while row < len(self._active):
            if not self._active[row].done:
                row += 1
                continue
            last = self._active.pop()
            if row < len(self._active):
                if not last.done:
                    self._runner.cache.move(len(self._active), row, last.stored)
                self._active[row] = last

    def _abandon(self) -> None:
        self._ended = True
        for sequence in [*self._active, *self._single, *self._longer]:
            sequence.fail(_closed())
        self._active.clear()
        self._reject_arrivals()

    def _reject_arrivals(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                sequence = self._inbox.get_nowait()
                if sequence is not None:
                    sequence.fail(_closed())


def _closed() -> EngineError:
    return EngineError("the engine was closed before it answered; start it and ask again")


def _rest(sequence: Sequence) -> int:
    """Tokens of the prompt that no shared prefix covers."""
    return len(sequence.prompt) - len(sequence.prefix)


def _explained(error: Exception, *, alone: bool) -> EngineError:
    """Say what can be done about an error of the model itself."""
    text = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {text[0] if text else 'no message'}"
    memory = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "memory" in reason.lower()
    if memory:
        advice = "memory ran out. Lower batch_size or max_tokens, or take a smaller model or dtype"
        wrapped: EngineError = (RowEngineError if alone else FatalEngineError)(
            f"{advice} ({reason})"
        )
    elif alone:
        wrapped = RowEngineError(f"the model failed on this request ({reason})")
    else:
        wrapped = FatalEngineError(f"the model failed while it decoded a batch ({reason})")
    wrapped.__cause__ = error
    return wrapped
