"""The run store: everything a run asked, was answered and made of it, in one SQLite file."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

import orjson

from cai.errors import StoreError
from cai.hashing import canonical_json, content_hash
from cai.records import Completion, Request, Row, load
from cai.store.admit import admit
from cai.store.connect import connect_writer, lock_run
from cai.store.facts import Admitted, ListedRow, ModelCalls, StageTotals, StoredCall
from cai.store.reader import Reader
from cai.store.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cai.records import Prompt, Split
    from cai.store.groups import GroupIndex

__all__ = ["Admitted", "ListedRow", "ModelCalls", "RunStore", "StageTotals", "StoredCall"]

_Result = TypeVar("_Result")


class RunStore:
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
        self._heads: set[str] = set()

    @classmethod
    def open(cls, folder: Path, *, durable: bool = True) -> Self:
        """Open a run for writing; a new one is created.

        Args:
            folder: the run's folder; holds `run.db`.
            durable: also survive a power cut, not only a killed process.

        Raises:
            StoreError: another process writes to it, or the folder cannot be written.
        """
        return cls(folder, writable=True, durable=durable)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open an existing run for reading, also while another process writes to it.

        Raises:
            StoreError: there is no run, or it is of a newer version.
        """
        return cls(folder, writable=False, durable=False)

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

    def _write(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        return self._writing().submit(work).result()

    async def _write_async(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        return await asyncio.wrap_future(self._writing().submit(work))

    def _writing(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self.path} was opened for reading. Open it with RunStore.open.")
        return self._writer

    def meta(self, key: str) -> Any:
        """A fact about the run, or None."""
        found = self._reader.first("SELECT value FROM meta WHERE key = ?", key)
        return orjson.loads(found[0]) if found else None

    def set_meta(self, **facts: Any) -> None:
        """Store facts about the run, all or none of them."""
        values = [(key, canonical_json(value)) for key, value in facts.items()]
        self._write(lambda c: c.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values))

    def completion(self, request_id: str) -> Completion | None:
        """What was answered to this request, or None if it was never answered."""
        found = self._reader.first("SELECT completion FROM calls WHERE request_id = ?", request_id)
        return load(Completion, found[0]) if found else None

    async def remember(
        self, request_id: str, fingerprint: str, request: Request, completion: Completion
    ) -> None:
        """Store an answered call. Returns when it is on disk."""
        head = request.messages[: request.shared]
        head_id = content_hash(head)
        new_head = None if head_id in self._heads else canonical_json(head)
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
            *(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, time.time()),
        )

        def work(connection: sqlite3.Connection) -> None:
            if new_head is not None:
                connection.execute("INSERT OR IGNORE INTO heads VALUES (?, ?)", (head_id, new_head))
            connection.execute(
                "INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", call
            )

        await self._write_async(work)
        self._heads.add(head_id)

    def call(self, request_id: str) -> StoredCall | None:
        """An answered call with its whole request, or None."""
        found = self._reader.first(
            "SELECT c.fingerprint, h.messages, c.request, c.completion FROM calls c "
            "JOIN heads h ON h.hash = c.head WHERE c.request_id = ?",
            request_id,
        )
        if not found:
            return None
        fingerprint, head, body, completion = found
        request = orjson.loads(body)
        request["messages"] = [*orjson.loads(head), *request["messages"]]
        return StoredCall(
            request_id,
            fingerprint,
            load(Request, orjson.dumps(request)),
            load(Completion, completion),
        )

    def request_ids(self) -> Iterator[str]:
        """The ids of all answered calls."""
        for (request_id,) in self._reader.select("SELECT request_id FROM calls"):
            yield request_id

    async def admit(
        self, prompts: Sequence[Prompt], groups: GroupIndex, epoch: int, start: int
    ) -> list[Admitted]:
        """Give prompts their place, group and split, and say what is known of their rows."""

        def work(connection: sqlite3.Connection) -> list[Admitted]:
            return [admit(connection, prompt, groups, epoch, start) for prompt in prompts]

        return await self._write_async(work)

    async def put_row(self, row: Row) -> None:
        """Store what the loop made of a prompt, in place of an earlier attempt."""
        status = "failed" if row.failed else "done"
        values = (row.prompt.id, row.plan, status, canonical_json(row))
        await self._write_async(
            lambda c: c.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", values)
        )

    def rows(self, *splits: Split, failed: bool = False) -> Iterator[tuple[Row, Split]]:
        """Rows of the current plan and prompt file, in the order of the prompts.

        `cai.store.access` decides who may read which split; exporters and trainers go through it.
        """
        marks = ", ".join("?" for _ in splits)
        cursor = self._reader.select(
            "SELECT r.record, g.split FROM prompts p JOIN rows r USING (prompt_id) "
            f"JOIN groups g USING (group_id) WHERE g.split IN ({marks}) AND r.status = ? "
            "AND r.plan = ? AND p.epoch = ? ORDER BY p.position",
            *(*splits, "failed" if failed else "done", self.meta("plan"), self.meta("epoch")),
        )
        for record, split in cursor:
            yield load(Row, record), split

    def row(self, prompt_id: str) -> tuple[Row, Split] | None:
        """The row of the one prompt whose id begins with `prompt_id`, whatever its split.

        Raises:
            StoreError: several ids begin so.
        """
        cursor = self._reader.select(
            "SELECT r.record, g.split FROM rows r JOIN prompts p USING (prompt_id) "
            "JOIN groups g USING (group_id) WHERE substr(r.prompt_id, 1, ?) = ? LIMIT 2",
            *(len(prompt_id), prompt_id),
        )
        found = list(cursor)
        if len(found) > 1:
            raise StoreError(f"Several rows begin with '{prompt_id}'. Give more digits of the id.")
        return (load(Row, found[0][0]), found[0][1]) if found else None

    def row_counts(self) -> dict[tuple[Split, str], int]:
        """How many rows of the current plan and prompt file there are, by split and status.

        Prompts that were admitted and have no row yet count as `waiting`.
        """
        cursor = self._reader.select(
            "SELECT g.split, coalesce(r.status, 'waiting'), count(*) FROM prompts p "
            "JOIN groups g USING (group_id) "
            "LEFT JOIN rows r ON r.prompt_id = p.prompt_id AND r.plan = ? "
            "WHERE p.epoch = ? GROUP BY 1, 2",
            *(self.meta("plan"), self.meta("epoch")),
        )
        return {(split, status): count for split, status, count in cursor}

    def totals(self) -> list[StageTotals]:
        """Answered calls and their tokens by stage, over the whole life of the run."""
        cursor = self._reader.select(
            "SELECT stage, count(*), sum(prompt_tokens), sum(completion_tokens), "
            "sum(cached_tokens) FROM calls GROUP BY stage ORDER BY min(created)"
        )
        return [StageTotals(*record) for record in cursor]

    def models(self) -> list[ModelCalls]:
        """Which revisions of which models answered, by stage, over the whole life of the run."""
        cursor = self._reader.select(
            "SELECT stage, fingerprint, json_extract(CAST(completion AS TEXT), '$.model') AS model,"
            " count(*) FROM calls GROUP BY stage, fingerprint, model "
            "ORDER BY min(created), stage, fingerprint, model"
        )
        return [ModelCalls(*record) for record in cursor]

    def listing(self, *statuses: str) -> Iterator[ListedRow]:
        """Prompts of the current prompt file in their order, and what has become of them.

        Args:
            statuses: only rows that are `done`, `failed` or `waiting`; all when absent.
        """
        marks = ", ".join("?" for _ in statuses)
        wanted = f"AND coalesce(r.status, 'waiting') IN ({marks}) " if statuses else ""
        cursor = self._reader.select(
            "SELECT p.position + 1, p.prompt_id, g.split, coalesce(r.status, 'waiting') "
            "FROM prompts p JOIN groups g USING (group_id) "
            "LEFT JOIN rows r ON r.prompt_id = p.prompt_id AND r.plan = ? WHERE p.epoch = ? "
            f"{wanted}ORDER BY p.position",
            *(self.meta("plan"), self.meta("epoch"), *statuses),
        )
        for record in cursor:
            yield ListedRow(*record)

    def snapshot(self) -> AbstractContextManager[None]:
        """Let all reads inside see one and the same state, whatever is written meanwhile."""
        return self._reader.snapshot()

    def check(self) -> None:
        """Run SQLite's own integrity check.

        Raises:
            StoreError: the file is damaged.
        """
        self._reader.check()
