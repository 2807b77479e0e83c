"""What a run store can tell: queries over its tables, each with typed results."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Any, get_args

import orjson

from cai.errors import StoreError
from cai.records import Completion, Request, Row, Stage, load
from cai.store.facts import (
    Bill,
    ListedRow,
    ModelCalls,
    Recent,
    Spent,
    StageTotals,
    StoredBatch,
    StoredCall,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from cai.records import Split
    from cai.store.reader import Reader

__all__ = ["RunReader"]


class RunReader:
    """The reading half of `cai.store.RunStore`."""

    _reader: Reader

    def meta(self, key: str) -> Any:
        """A fact about the run, or None."""
        found = self._reader.first("SELECT value FROM meta WHERE key = ?", key)
        return orjson.loads(found[0]) if found else None

    def metas(self, prefix: str) -> dict[str, Any]:
        """Facts whose keys begin so, by the rest of their keys."""
        found = self._reader.select(
            "SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?", len(prefix), prefix
        )
        return {key.removeprefix(prefix): orjson.loads(value) for key, value in found}

    def completion(self, request_id: str) -> Completion | None:
        """What was answered to this request, or None if it was never answered."""
        found = self._reader.first("SELECT completion FROM calls WHERE request_id = ?", request_id)
        return load(Completion, found[0]) if found else None

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

    def select(self, query: str, *values: Any) -> Iterator[Any]:
        """Yield the records that a query finds, for rooms with tables of their own.

        Raises:
            StoreError: the file is damaged or cannot be read.
        """
        return self._reader.select(query, *values)

    def rows(
        self, *splits: Split, failed: bool = False, retired: bool = True
    ) -> Iterator[tuple[Row, Split]]:
        """Rows of the current plan and prompt file, in the order of the prompts.

        Args:
            splits: whose rows to read.
            failed: rows that were given up, in place of finished ones.
            retired: also those whose labels by people were handed to training.

        `cai.store.access` decides who may read which split; exporters and trainers go through it.
        """
        marks = ", ".join("?" for _ in splits)
        kept = "" if retired else "AND g.group_id NOT IN (SELECT group_id FROM retired) "
        cursor = self._reader.select(
            "SELECT r.record, g.split FROM prompts p JOIN rows r USING (prompt_id) "
            f"JOIN groups g USING (group_id) WHERE g.split IN ({marks}) AND r.status = ? "
            f"AND r.plan = ? AND p.epoch = ? {kept}ORDER BY p.position",
            *(*splits, "failed" if failed else "done", self.meta("plan"), self.meta("epoch")),
        )
        for record, split in cursor:
            yield load(Row, record), split

    def groups(self, split: Split) -> dict[str, str]:
        """The group of each prompt of a split, by the id of the prompt."""
        return dict(
            self._reader.select(
                "SELECT p.prompt_id, p.group_id FROM prompts p JOIN groups g USING (group_id) "
                "WHERE g.split = ?",
                split,
            )
        )

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
        """Answered calls, their tokens and dollars by stage, over the whole life of the run.

        Calls that `cai gc` has deleted still count.
        """
        collected = self.meta("collected") or {}
        cursor = self._reader.select(
            "SELECT stage, count(*), sum(prompt_tokens), sum(completion_tokens), "
            "sum(cached_tokens), coalesce(sum(cost_usd), 0.0), count(*) - count(cost_usd) "
            "FROM calls GROUP BY stage ORDER BY min(created)"
        )
        totals = []
        for stage, *sums in cursor:
            more = collected.pop(stage, [0] * len(sums))
            totals.append(StageTotals(stage, *map(add, sums, more)))
        return totals + [StageTotals(stage, *sums) for stage, sums in collected.items()]

    def spent(self) -> Spent:
        """What the run has used up over its whole life, lost attempts included."""
        totals = self.totals()
        lost, lost_usd, lost_tokens, lost_unpriced = self._reader.first(
            "SELECT count(*), coalesce(sum(cost_usd), 0.0), "
            "coalesce(sum(prompt_tokens + completion_tokens), 0), count(*) - count(cost_usd) "
            "FROM lost"
        )
        return Spent(
            usd=sum(t.cost_usd for t in totals) + lost_usd,
            tokens=sum(t.prompt_tokens + t.completion_tokens for t in totals) + lost_tokens,
            unpriced_calls=sum(t.unpriced for t in totals) + lost_unpriced,
            lost_calls=lost,
            lost_usd=lost_usd,
        )

    def since(self, moment: float) -> Recent:
        """What was answered and finished after a moment, in Unix seconds."""
        # One range of the index for each stage, without a look at what is older.
        calls, tokens = self._reader.first(
            "SELECT count(*), coalesce(sum(completion_tokens), 0) FROM calls "
            "WHERE stage IN (SELECT value FROM json_each(?)) AND created > ?",
            *(orjson.dumps(get_args(Stage)).decode(), moment),
        )
        (rows,) = self._reader.first("SELECT count(*) FROM rows WHERE finished > ?", moment)
        return Recent(rows, calls, tokens)

    def open_batches(self, fingerprint: str | None = None) -> list[StoredBatch]:
        """Batches that have not ended, oldest first; of one model, or of all when None."""
        cursor = self._reader.select(
            "SELECT batch_id, fingerprint, status, created, requests FROM batches "
            "WHERE ended IS NULL AND coalesce(fingerprint = ?, true) ORDER BY created, batch_id",
            fingerprint,
        )
        return [
            StoredBatch(batch_id, model, status, created, tuple(orjson.loads(requests)))
            for batch_id, model, status, created, requests in cursor
        ]

    def models(self) -> list[ModelCalls]:
        """Which revisions of which models gave the stored answers, by stage, and their totals."""
        cursor = self._reader.select(
            "SELECT stage, fingerprint, json_extract(CAST(completion AS TEXT), '$.model') AS model,"
            " count(*), sum(prompt_tokens), sum(completion_tokens), sum(cached_tokens), "
            "coalesce(sum(cost_usd), 0.0), count(*) - count(cost_usd) "
            "FROM calls GROUP BY stage, fingerprint, model "
            "ORDER BY min(created), stage, fingerprint, model"
        )
        return [ModelCalls(*record) for record in cursor]

    def bill(self, request_ids: Iterable[str]) -> Bill:
        """What these calls have used up; ids that are not in the store count nothing."""
        return Bill(
            *self._reader.first(
                "SELECT count(*), coalesce(sum(prompt_tokens), 0), "
                "coalesce(sum(completion_tokens), 0), coalesce(sum(cost_usd), 0.0), "
                "count(*) - count(cost_usd) FROM calls "
                "WHERE request_id IN (SELECT value FROM json_each(?))",
                orjson.dumps(list(request_ids)).decode(),
            )
        )

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
