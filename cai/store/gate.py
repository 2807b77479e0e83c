"""The gate's verdict as the run store keeps it, and whether it still holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cai.hashing import content_hash

if TYPE_CHECKING:
    from cai.store.reading import RunReader
    from cai.store.run import RunStore

__all__ = ["GateCheck", "GateVerdict", "gate_facts", "labels_state", "read_gate", "write_gate"]

_KEY = "gate"


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One thing that people's labels had to show: what was wanted, what was found, in words."""

    name: str
    wanted: str
    found: str
    passed: bool


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether the AI labels of a run may be trained on.

    `labels` is the number of pairs that people have labelled. `state` is `labels_state` at the time
    of the verdict: once that is another, the verdict is void. `lowered` names what was asked less
    strictly than the toolkit does by default.
    """

    passed: bool
    labels: int
    checks: tuple[GateCheck, ...]
    created: str
    state: str
    lowered: tuple[str, ...] = ()

    @property
    def passed_with(self) -> str:
        """How it was passed, in words."""
        lowered = f", with lowered thresholds: {'; '.join(self.lowered)}" if self.lowered else ""
        return f"gate passed with {self.labels} pairs{lowered}"


def labels_state(store: RunReader) -> str:
    """Hash of all that a verdict rests on.

    These are the sampling plan, the labels by people that count now, the groups that were retired,
    what the run asked of its models, and the finished held-out rows with their verdicts.
    """
    plan = next(
        iter(store.select("SELECT plan_id FROM sampling_plans ORDER BY number DESC LIMIT 1")), None
    )
    labels: dict[tuple[str, str, str], str] = {}
    for role, annotator, item, record, withdrawn in store.select(
        "SELECT role, annotator_id, item_id, CAST(record AS TEXT), "
        "json_extract(CAST(record AS TEXT), '$.choice') IS NULL FROM actions "
        "JOIN annotators USING (annotator_id) "
        "WHERE kind = 'human' AND role <> 'practice' ORDER BY number"
    ):
        labels.pop((role, annotator, item), None)
        if not withdrawn:
            labels[role, annotator, item] = record
    retired = sorted(group for (group,) in store.select("SELECT group_id FROM retired"))
    asked = [store.meta("plan"), store.meta("epoch"), _held_out_rows(store)]
    return content_hash(
        [plan, sorted((*key, text) for key, text in labels.items()), retired, asked]
    )


def _held_out_rows(store: RunReader) -> str:
    rows = sha256()
    for (record,) in store.select(
        "SELECT r.record FROM prompts p JOIN rows r USING (prompt_id) JOIN groups g "
        "USING (group_id) WHERE g.split = 'held_out' AND r.status = 'done' AND r.plan = ? "
        "AND p.epoch = ? ORDER BY p.position",
        *(store.meta("plan"), store.meta("epoch")),
    ):
        rows.update(record)
    return rows.hexdigest()


def write_gate(store: RunStore, verdict: GateVerdict) -> None:
    """Keep a verdict, in place of an earlier one."""
    store.set_meta(**{_KEY: asdict(verdict)})


def read_gate(store: RunReader) -> tuple[GateVerdict, bool] | None:
    """The last verdict, and whether it still holds; None when there was none."""
    record: dict[str, Any] | None = store.meta(_KEY)
    if record is None:
        return None
    checks = tuple(GateCheck(**check) for check in record.pop("checks"))
    lowered = tuple(record.pop("lowered", ()))
    verdict = GateVerdict(**record, checks=checks, lowered=lowered)
    return verdict, verdict.state == labels_state(store)


def gate_facts(store: RunReader) -> dict[str, Any]:
    """Plain data about it for manifests: always something, so that silence says nothing."""
    found = read_gate(store)
    if found is None:
        return {"validated": False, "reason": "people have not been asked"}
    verdict, holds = found
    facts: dict[str, Any] = {"labels": verdict.labels, "created": verdict.created}
    facts["lowered"] = list(verdict.lowered)
    checks = [asdict(check) for check in verdict.checks]
    if not holds:
        reason = "labels, plan, run or toolkit have changed since the verdict"
    else:
        reason = "" if verdict.passed else "the gate was not passed"
    return {"validated": not reason, "reason": reason, **facts, "checks": checks}
