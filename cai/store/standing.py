"""What a run holds of single prompts, for whoever compares it with what would be asked now.

Rows of all splits are looked at here, one at a time, and none is handed on: only counts are made
of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.hashing import canonical_json
from cai.records import Completion, Row, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.records import Stage
    from cai.store.run import RunStore

__all__ = [
    "Standing",
    "current_prompts",
    "gives_logprobs",
    "made_of",
    "rows_of_other_plans",
    "standings",
]

_LOOKED_AT = 200
"""Of the last answers of a stage: so many are looked at for log-probabilities."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A prompt that the run has admitted; `plan` and `status` are of its row, if it has one."""

    epoch: int
    plan: str | None
    status: str | None


def standings(store: RunStore, prompt_ids: Iterable[str]) -> dict[str, Standing]:
    """What is known of these prompts, by id; prompts that were never admitted are not in it."""
    found = store.select(
        "SELECT p.prompt_id, p.epoch, r.plan, r.status FROM prompts p "
        "LEFT JOIN rows r USING (prompt_id) WHERE p.prompt_id IN (SELECT value FROM json_each(?))",
        canonical_json(list(prompt_ids)).decode(),
    )
    return {prompt_id: Standing(*facts) for prompt_id, *facts in found}


def made_of(store: RunStore, prompt_id: str) -> Row | None:
    """The row of a prompt, whatever plan it is of; None where there is none."""
    found = store.select("SELECT record FROM rows WHERE prompt_id = ?", prompt_id)
    return next((load(Row, record) for (record,) in found), None)


def current_prompts(store: RunStore) -> int:
    """How many prompts the prompt file had when the run was last started, as far as it came."""
    ((count,),) = store.select("SELECT count(*) FROM prompts WHERE epoch = ?", store.meta("epoch"))
    return int(count)


def rows_of_other_plans(store: RunStore) -> int:
    """Rows of the current prompts that were made under a plan before the stored one."""
    ((count,),) = store.select(
        "SELECT count(*) FROM rows r JOIN prompts p USING (prompt_id) "
        "WHERE r.plan <> ? AND p.epoch = ?",
        *(store.meta("plan"), store.meta("epoch")),
    )
    return int(count)


def gives_logprobs(store: RunStore, fingerprint: str, stage: Stage) -> bool | None:
    """Whether a model gave log-probabilities in its last answers; None when it gave no answer."""
    found = store.select(
        "SELECT fingerprint, completion FROM calls WHERE stage = ? ORDER BY created DESC LIMIT ?",
        *(stage, _LOOKED_AT),
    )
    given = [
        bool(load(Completion, record).first_logprobs) for who, record in found if who == fingerprint
    ]
    return any(given) if given else None
