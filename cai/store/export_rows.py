"""From a row of the run to the records of the exported files: plain data, one dict per line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cai.formats.writing import answer, messages, usable_revisions
from cai.hashing import short_id
from cai.store.calibrated import calibrated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cai.records import Pair, Row
    from cai.store.run import RunStore

__all__ = ["Pedigree", "public", "row_records", "sft_records", "table_of"]

Table = Literal["sft", "preferences", "undecided"]


@dataclass(frozen=True, slots=True)
class Pedigree:
    """What all rows of a run have in common and every exported record carries."""

    constitution: str
    constitution_hash: str
    critic: str
    judge: str
    calibrated: Callable[[float], float] | None = None
    """From p to what people's labels bear out, where `cai judge calibrate` has fitted it."""

    @classmethod
    def of(cls, store: RunStore) -> Pedigree:
        """Read it from the facts of a run."""
        constitution: Mapping[str, Any] = store.meta("constitution") or {}
        fingerprints: Mapping[str, str] = store.meta("fingerprints") or {}
        panel = [name for role, name in fingerprints.items() if role.startswith("judges.")]
        judges = panel or [fingerprints.get("judge", "")]
        return cls(
            constitution=f"{constitution.get('name', '')}@{constitution.get('version', '')}",
            constitution_hash=constitution.get("hash", ""),
            critic=public(fingerprints.get("critic", "")),
            judge=", ".join(map(public, judges)),
            calibrated=calibrated(store),
        )


_FOLDERS = re.compile(r"(?<![\w.])(?:~|[A-Za-z]:)?(?:[/\\]+[^/\\]+)*[/\\]+")


def public(name: str) -> str:
    """The name of a model or file without the folders of this machine: `/data/m/llama` → `llama`.

    Hub names such as `org/model` stay as they are.
    """
    return _FOLDERS.sub("", name)


def row_records(
    row: Row, pedigree: Pedigree, sft: Literal["final", "all"]
) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Yield every record of a row with the table it belongs to."""
    for record in sft_records(row, pedigree, sft):
        yield "sft", record
    for pair in row.pairs:
        table = table_of(pair)
        if table == "preferences":
            yield table, _preference(pair.oriented(), row, pedigree)
        else:
            yield table, _undecided(pair, row, pedigree)


def table_of(pair: Pair) -> Literal["preferences", "undecided"]:
    """`preferences` for a pair with a winner; `undecided` for ties and what is set aside."""
    return "preferences" if pair.is_preference else "undecided"


def sft_records(
    row: Row, pedigree: Pedigree, which: Literal["final", "all"] = "final"
) -> Iterator[dict[str, Any]]:
    """Yield conversations that end with a revision.

    Args:
        row: a finished row.
        pedigree: of the run.
        which: the last usable revision of each chain (`final`), or that of every round (`all`).
    """
    for usable in usable_revisions(row, which):
        sample, revision = usable.sample, usable.revision
        yield {
            "messages": messages(row.prompt) + answer(revision.text),
            "id": short_id([row.prompt.id, "revision", sample, revision.round, revision.text]),
            "prompt_id": row.prompt.id,
            "source": "revision",
            "sample": sample,
            "round": revision.round,
            # A later round builds on the earlier ones, so their principles count as well.
            "principle_ids": [done.principle_id for done in usable.upto],
            "tags": list(row.prompt.tags),
            "constitution": pedigree.constitution,
            "constitution_hash": pedigree.constitution_hash,
            "model": pedigree.critic,
            "plan": row.plan,
            "request_id": revision.revise_request_id,
        }


def _preference(pair: Pair, row: Row, pedigree: Pedigree) -> dict[str, Any]:
    """A record in TRL's conversational preference format; `pair` is oriented and decided."""
    p = pair.soft_label
    assert p is not None
    # The map is that of the judge, who was not asked about pairs by construction.
    function = pedigree.calibrated if pair.verdict else None
    return {
        "prompt": messages(row.prompt),
        "chosen": answer(pair.first),
        "rejected": answer(pair.second),
        "p": p,
        "p_calibrated": None if function is None else function(p),
        "margin": 2.0 * p - 1.0,
        "id": pair.id,
        "prompt_id": pair.prompt_id,
        "kind": pair.kind,
        "chosen_name": pair.first_name,
        "rejected_name": pair.second_name,
        **_pedigree(pair, row, pedigree),
    }


def _undecided(pair: Pair, row: Row, pedigree: Pedigree) -> dict[str, Any]:
    return {
        "prompt": messages(row.prompt),
        "first": answer(pair.first),
        "second": answer(pair.second),
        "p": pair.p,
        "outcome": pair.verdict.outcome if pair.verdict else "not judged",
        "note": pair.note,
        "id": pair.id,
        "prompt_id": pair.prompt_id,
        "kind": pair.kind,
        "first_name": pair.first_name,
        "second_name": pair.second_name,
        **_pedigree(pair, row, pedigree),
    }


def _judge(pair: Pair, pedigree: Pedigree) -> str:
    """Who said which answer is better; `by construction` where nobody was asked."""
    if pair.constructed is not None:
        return pair.note
    # Names are kept where it was not the one judge of the run: a panel, or the fallback.
    names = pair.verdict.judged_by if pair.verdict else ()
    return ", ".join(public(name) if name else pedigree.judge for name in names) or pedigree.judge


def _pedigree(pair: Pair, row: Row, pedigree: Pedigree) -> dict[str, Any]:
    verdicts = pair.verdict.principles if pair.verdict else ()
    principle_ids = dict.fromkeys(i for verdict in verdicts for i in verdict.principle_ids)
    return {
        "source": "ai",
        "principle_ids": list(principle_ids),
        "tags": list(row.prompt.tags),
        "constitution": pedigree.constitution,
        "constitution_hash": pedigree.constitution_hash,
        "judge": _judge(pair, pedigree),
        "plan": row.plan,
        "orders": [
            {
                "principle_ids": list(verdict.principle_ids),
                "order": order.order,
                "outcome": order.outcome,
                "p_shown_first": order.p_shown_first,
                "mass": order.mass,
                "bounded": order.bounded,
                "votes": order.votes,
                "request_id": order.request_id,
                "more_request_ids": list(order.more_request_ids),
            }
            for verdict in verdicts
            for order in verdict.orders
        ],
    }
