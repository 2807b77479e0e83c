"""Thumbs against constitution: liked answers that the judge finds worse than a plain one.

A thumb up says that somebody was pleased. Sycophantic answers please (Sharma et al. 2023,
arXiv:2310.13548, section 4), so the judge of a constitution compares what was liked with an answer
that nobody picked for pleasing: one sample of the config's policy to the same prompt. What loses
goes to people and not into training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from cai.config import load_config
from cai.constitution import load_constitution
from cai.feedback.record import Stored
from cai.hashing import content_hash
from cai.quality import ConfigJudge
from cai.records import Pair, load
from cai.store import RunStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cai.engines import Engines
    from cai.loop import Generation
    from cai.loop.opinions import Opinion
    from cai.records import Prompt, Verdict

__all__ = ["BREAKS", "Looked", "look_at_liked"]

BREAKS = 0.1
"""A liked answer breaks a principle if it wins under that principle with no more than this p."""

_PROMPTS = "prompts.jsonl"
_LIKED = (
    "FROM feedback WHERE kind = 'thumbs' AND value = 'up' AND fate IN ('train', 'dev') "
    "AND answer_id NOT IN (SELECT answer_id FROM feedback_judged)"
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What the judge has looked at in this import.

    `asked` are liked answers that it compared; `conflicts` those of them that go to people;
    `silent` those without a verdict or without a plain answer to compare with, which stay.
    """

    judge: str
    asked: int
    conflicts: int
    silent: int


def look_at_liked(
    store: RunStore,
    config: Path,
    folder: Path,
    *,
    watch: Callable[[Generation], None],
    engines: Engines | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Looked | None:
    """Compare the liked answers that are to be trained on and were not compared yet.

    Everything that is asked is kept in `folder`, so that nothing is asked twice.

    Args:
        store: has the feedback, sorted.
        config: its policy answers once, its judge compares, under its constitution.
        folder: for what is asked.
        watch: runs the sampling to its end and shows how far it is.
        engines: in place of those that the config describes; they stay open.
        say: is told how many answers were compared.

    Raises:
        CaiError: the config cannot be used, or a model cannot be asked.
    """
    settings = load_config(config, _sampling(folder))
    if not _write_prompts(store, folder):
        return None
    from cai.loop import Generation

    watch(Generation(settings, engines=engines, update=True))
    constitution = load_constitution(settings.constitution)
    judge = ConfigJudge(settings, constitution, folder / "answers", engines=engines)
    counts = {"asked": 0, "conflicts": 0, "silent": 0}
    with RunStore.read(folder / "plain") as plain:
        waiting: dict[int, tuple[str, Pair, str]] = {}
        for opinion in judge.opinions(_contests(store, plain, waiting)):
            answer, pair, neutral = waiting.pop(opinion.number)
            p, conflict, why = _found(opinion, neutral == pair.first, settings.judge.tie_band)
            line = (answer, judge.name, p, int(conflict), why, neutral)
            store.transact(partial(_keep, line=line))
            counts["asked"] += 1
            counts["conflicts"] += conflict
            counts["silent"] += p is None
            say(f"Compared {counts['asked']:,} liked answers …")
        (left,), *_ = store.select(f"SELECT count(DISTINCT answer_id) {_LIKED}")
    counts["silent"] += left
    return Looked(judge.name, **counts)


def _keep(connection: sqlite3.Connection, line: tuple[object, ...]) -> None:
    connection.execute("INSERT OR REPLACE INTO feedback_judged VALUES (?, ?, ?, ?, ?, ?)", line)


def _sampling(folder: Path) -> dict[str, Any]:
    """One plain answer to each prompt, and nothing else."""
    prompts = {"path": str((folder / _PROMPTS).absolute()), "format": "jsonl", "mix": []}
    return {
        "run": str(folder / "plain"),
        **{f"prompts.{key}": value for key, value in prompts.items()},
        "prompts.limit": None,
        "loop.samples": 1,
        "loop.rounds": 0,
        "loop.pairs": [],
    }


def _write_prompts(store: RunStore, folder: Path) -> int:
    """Write each prompt with a liked answer once; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / _PROMPTS).open("wb") as file:
        for (record,) in store.select(
            f"SELECT min(record) {_LIKED} GROUP BY prompt_id ORDER BY prompt_id"
        ):
            turns = [{"role": m.role, "content": m.content} for m in load(Stored, record).messages]
            line = orjson.dumps({"messages": turns}, option=orjson.OPT_APPEND_NEWLINE)
            file.write(line)
            count += 1
    return count


def _contests(
    store: RunStore, plain: RunStore, waiting: dict[int, tuple[str, Pair, str]]
) -> Iterator[tuple[Prompt, Pair]]:
    """Yield pairs of a liked and a plain answer, in an order that tells nothing."""
    number = 0
    for answer, record in store.select(
        f"SELECT answer_id, min(record) {_LIKED} GROUP BY answer_id ORDER BY answer_id"
    ):
        kept = load(Stored, record)
        found = plain.row(kept.prompt.id)
        neutral = found[0].samples[0].text.strip() if found and found[0].samples else ""
        liked = kept.answer.strip()
        if not neutral or neutral == liked:
            continue
        prompt = kept.prompt
        both = sorted((liked, neutral), key=lambda text: content_hash([prompt.id, text]))
        pair = Pair(prompt.id, "samples", both[0], both[1], "sample 0", "sample 1")
        waiting[number] = answer, pair, neutral
        number += 1
        yield prompt, pair


def _found(opinion: Opinion, turned: bool, band: float) -> tuple[float | None, bool, str]:
    """The p of the liked answer, whether it is a conflict, and the principles behind it."""
    verdict = opinion.verdict
    if verdict is None or verdict.p is None:
        return None, False, opinion.problem or (verdict.outcome if verdict else "")
    p = 1.0 - verdict.p if turned else verdict.p
    broken = _broken(verdict, turned)
    return p, p < 0.5 - band or bool(broken), ", ".join(broken)


def _broken(verdict: Verdict, turned: bool) -> list[str]:
    found: dict[str, None] = {}
    for one in verdict.principles:
        if one.p is None or one.superseded:
            continue
        p = 1.0 - one.p if turned else one.p
        if p <= BREAKS:
            found |= dict.fromkeys(one.principle_ids)
    return list(found)
