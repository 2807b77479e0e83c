"""The run store: everything a run asked, was answered and made of it, in one SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cai.errors import StoreError
from cai.hashing import canonical_json, content_hash
from cai.store.admit import admit
from cai.store.connect import connect_writer, lock_run
from cai.store.facts import (
    Admitted,
    ListedRow,
    ModelCalls,
    Spent,
    StageTotals,
    StoredBatch,
    StoredCall,
)
from cai.store.known import KnownIds
from cai.store.reader import Reader
from cai.store.reading import RunReader
from cai.store.shard import admit_to_shard
from cai.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from cai.records import Completion, Message, Prompt, Request, Row, Usage
    from cai.store.groups import GroupIndex

__all__ = [
    "Admitted",
    "ListedRow",
    "ModelCalls",
    "RunStore",
    "Spent",
    "StageTotals",
    "StoredBatch",
    "StoredCall",
]

_Result = TypeVar("_Result")

_HEADS = 1024
"""Most shared beginnings whose hashes are kept in memory; a run has a few dozen."""


class RunStore(RunReader):
    """One run. `RunStore.open` to write (one process at a time), `RunStore.read` to look.

    Writes return only after they are durable. Reads see all that was written before; while a walk
    over rows is under way, other reads of the same store see the state in which it began.
    """

    def __init__(self, folder: Path, *, writable: bool, durable: bool) -> None:
        self.folder = folder
        self.path = folder / "run.db"
        self._writer: Writer | None = None
        self._lock = lock_run(folder) if writable else None
        try:
            if writable:
                self._writer = Writer(connect_writer(self.path, durable), self.path)
            self._reader = Reader(self.path)
        except BaseException:
            self.close()
            raise
        self._heads: dict[tuple[Message, ...], tuple[str, Future[Any]]] = {}
        self._known: KnownIds | None = None

    @classmethod
    def open(cls, folder: Path | str, *, durable: bool = True) -> Self:
        """Open a run for writing; a new one is created.

        Args:
            folder: the run's folder; holds `run.db`.
            durable: also survive a power cut, not only a killed process.

        Raises:
            StoreError: another process writes to it, or the folder cannot be written.
        """
        return cls(Path(folder), writable=True, durable=durable)

    @classmethod
    def read(cls, folder: Path | str) -> Self:
        """Open an existing run for reading, also while another process writes to it.

        Raises:
            StoreError: there is no run, or it is of a newer version.
        """
        return cls(Path(folder), writable=False, durable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish pending writes and release the run."""
        # The last connection to go folds the log into run.db; a reader could not.
        if hasattr(self, "_reader"):
            self._reader.close()
        if self._writer:
            self._writer.close()
        if self._lock:
            self._lock.close()
            self._lock = None

    def transact(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Let `work` change the file, wholly or not at all. Returns when it is durable."""
        return self._write(work)

    def _write(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        return self._writing().submit(work).result()

    async def _write_async(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        return await asyncio.wrap_future(self._writing().submit(work))

    def _writing(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self.path} was opened for reading. Open it with RunStore.open.")
        return self._writer

    def set_meta(self, **facts: Any) -> None:
        """Store facts about the run, all or none of them."""
        values = [(key, canonical_json(value)) for key, value in facts.items()]
        self._write(lambda c: c.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values))

    def completion(self, request_id: str) -> Completion | None:
        """What was answered to this request, or None if it was never answered."""
        # A look-up gives Python's lock away; most calls of a run are new, and need none.
        if self._writer is not None and not self._known_ids().maybe(request_id):
            return None
        return super().completion(request_id)

    async def remember(
        self,
        request_id: str,
        fingerprint: str,
        request: Request,
        completion: Completion,
        cost: float | None = None,
    ) -> None:
        """Store an answered call. Returns when it is on disk.

        Args:
            request_id: `request.identity(fingerprint)`; the first answer to it stays.
            fingerprint: names the model.
            request: what was asked.
            completion: what was answered.
            cost: in US dollars; None when the price is not known, 0 when the call was free.
        """
        head = request.messages[: request.shared]
        head_id, head_stored = self._heads.get(head) or self._store_head(head)
        body = canonical_json(
            {
                "messages": request.messages[request.shared :],
                "sampling": request.sampling,
                "sample_index": request.sample_index,
                "response_schema": request.response_schema,
                "shared": request.shared,
                "stage": request.stage,
            }
        )
        usage = completion.usage
        call = (
            *(request_id, request.stage, fingerprint, head_id, body, canonical_json(completion)),
            *(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, time.time(), cost),
        )
        self._known_ids().add(request_id)
        try:
            await self._writing().insert("INSERT OR IGNORE INTO calls VALUES", call)
        except (sqlite3.IntegrityError, StoreError):
            # A call without its head is refused. What became of the head is the better message,
            # and whoever asks next has to store it again.
            self._heads.pop(head, None)
            head_stored.result()
            raise

    def _known_ids(self) -> KnownIds:
        if self._known is None:
            self._known = KnownIds(self.request_ids())
        return self._known

    def _store_head(self, head: tuple[Message, ...]) -> tuple[str, Future[Any]]:
        """Queue messages that requests begin with, to be stored once.

        Nobody waits for it: the calls that name the head are queued behind it.

        Returns:
            Their hash, and a future that tells whether they could be stored.
        """
        head_id = content_hash(head)
        line = (head_id, canonical_json(head))
        stored = self._writing().submit(
            lambda c: c.execute("INSERT OR IGNORE INTO heads VALUES (?, ?)", line)
        )
        if len(self._heads) >= _HEADS:
            self._heads.clear()
        self._heads[head] = (head_id, stored)
        return head_id, stored

    async def lost(
        self,
        request_id: str,
        fingerprint: str,
        request: Request,
        usage: Usage,
        cost: float | None,
        reason: str,
    ) -> None:
        """Store that an attempt was sent and never answered. Returns when it is on disk.

        Args:
            request_id: of the request; it may be lost several times.
            fingerprint: names the model.
            request: what was asked.
            usage: the most that the attempt may have used.
            cost: the most that it may have cost in US dollars; None when the price is not known.
            reason: what went wrong, such as `timeout`.
        """
        attempt = (
            *(request_id, request.stage, fingerprint, reason),
            *(usage.prompt_tokens, usage.completion_tokens, cost, time.time()),
        )
        await self._writing().insert("INSERT INTO lost VALUES", attempt)

    async def put_batch(
        self, batch_id: str, fingerprint: str, request_ids: Sequence[str], status: str
    ) -> None:
        """Store that a batch of requests was handed to a server, or what it says of it now.

        Args:
            batch_id: the server's name for the batch.
            fingerprint: names the model.
            request_ids: what was asked.
            status: in the server's words.
        """
        values = (batch_id, fingerprint, status, time.time(), canonical_json(list(request_ids)))
        await self._write_async(
            lambda c: c.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, NULL, ?) ON CONFLICT (batch_id) "
                "DO UPDATE SET status = excluded.status, requests = excluded.requests",
                values,
            )
        )

    async def end_batch(self, batch_id: str, status: str) -> None:
        """Store that nothing more is to come from a batch."""
        values = (status, time.time(), batch_id)
        await self._write_async(
            lambda c: c.execute(
                "UPDATE batches SET status = ?, ended = ? WHERE batch_id = ?", values
            )
        )

    async def admit(
        self, prompts: Sequence[Prompt], groups: GroupIndex, epoch: int, start: int
    ) -> list[Admitted]:
        """Give prompts their place, group and split, and say what is known of their rows."""

        def work(connection: sqlite3.Connection) -> list[Admitted]:
            return admit(connection, prompts, groups, epoch, start)

        return await self._write_async(work)

    async def admit_to_shard(
        self, prompts: Sequence[tuple[int, Prompt]], epoch: int, start: int
    ) -> list[Admitted]:
        """The same for a shard: prompts with their places in the file, and no groups yet."""
        return await self._write_async(lambda c: admit_to_shard(c, prompts, epoch, start))

    async def put_row(self, row: Row) -> None:
        """Store what the loop made of a prompt, in place of an earlier attempt."""
        status = "failed" if row.failed else "done"
        line = (row.prompt.id, row.plan, status, canonical_json(row), time.time())
        await self._writing().insert("INSERT OR REPLACE INTO rows VALUES", line)
