"""The fallback judge: asked where the judge refuses, and the record says so."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cai.cli.app import app
from cai.engines import ScriptedEngine
from cai.engines.scripted import made_up
from cai.errors import RowEngineError
from cai.hashing import canonical_json
from cai.records import Completion, Request, Verdict
from cai.store import RunStore, rows_for
from cai.store.gc import request_ids
from cai.store.spending import calls_of
from tests.unit.judge_helpers import (
    KIND,
    PROMPT,
    REFUSED,
    Fixed,
    jury,
    make_run,
    principle,
    verdict,
)

GROUPS = ((KIND,), (principle("true"),))
NEVER = verdict(None, "refused")


def judged(*seats: Fixed, fallback: Fixed, **options: Any) -> Verdict:
    found = jury(*seats, fallback=fallback, **options)
    return asyncio.run(found.judge(PROMPT, "one", "two", GROUPS))


def test_it_is_asked_where_the_judge_refused_and_nowhere_else() -> None:
    main, other = Fixed(kind=NEVER, true=verdict(0.8)), Fixed(kind=verdict(0.3), true=verdict(0.1))
    found = judged(main, fallback=other)
    assert other.asked == ["kind"]
    assert found.p == pytest.approx((0.3 + 0.8) / 2)
    refused, told, own = found.principles
    assert (refused.outcome, refused.superseded, refused.judge) == ("refused", True, "")
    assert (told.p, told.superseded, told.judge) == (0.3, False, "stand-in")
    assert (own.p, own.judge) == (0.8, "")
    assert found.judged_by == ("stand-in", "")
    assert found.judges == ()


@pytest.mark.parametrize("outcome", ["tie", "unparsed", "truncated"])
def test_other_outcomes_stand_unless_they_are_listed(outcome: str) -> None:
    silent = verdict(0.5 if outcome == "tie" else None, outcome)
    main, other = Fixed(kind=silent, true=silent), Fixed(kind=verdict(0.9), true=verdict(0.9))
    found = judged(main, fallback=other)
    assert other.asked == []
    assert found.outcome == outcome
    found = judged(main, fallback=other, fallback_on=("refused", outcome))
    assert other.asked == ["kind", "true"]
    # The tie is replaced, not averaged in.
    assert (found.outcome, found.p) == ("first", 0.9)


def test_two_refusals_are_a_refusal_and_no_tie() -> None:
    found = judged(Fixed(kind=NEVER, true=NEVER), fallback=Fixed(kind=NEVER, true=NEVER))
    assert (found.outcome, found.p) == ("refused", None)
    assert [v.judge for v in found.principles] == ["", "stand-in"] * 2
    assert not any(v.superseded for v in found.principles)


def test_a_tie_stands_where_the_fallback_is_silent() -> None:
    tie = verdict(0.52, "tie")
    found = judged(
        Fixed(kind=tie, true=tie), fallback=Fixed(kind=NEVER, true=NEVER), fallback_on=("tie",)
    )
    assert (found.outcome, found.p) == ("tie", 0.52)


def test_a_panel_needs_it_only_where_all_are_silent() -> None:
    one, two = Fixed(kind=NEVER, true=NEVER), Fixed(kind=NEVER, true=verdict(0.8))
    other = Fixed(kind=verdict(0.2), true=verdict(0.2))
    found = judged(one, two, fallback=other)
    assert other.asked == ["kind"]
    assert found.p == pytest.approx((0.2 + 0.8) / 2)
    assert {j.name: (j.outcome, j.p) for j in found.judges} == {
        "j0": ("refused", None),
        "j1": ("first", 0.8),
        "stand-in": ("second", 0.2),
    }


@pytest.mark.parametrize("mode", ["labels", "reasoning", "score", "propositions"])
def test_a_run_with_a_fallback_in_every_mode(mode: str, tmp_path: Path) -> None:
    def prim(request: Request) -> str | Completion:
        # Refuses every question about one of the three conversations.
        text = " ".join(m.content for m in request.messages)
        if "Question number two" in text:
            return REFUSED
        return made_up(request)  # type: ignore[return-value]

    judging = {"mode": mode, "scope": "each"}
    main, other = ScriptedEngine(prim, name="prim"), ScriptedEngine(name="stand-in")
    rows = list(make_run(tmp_path, judging=judging, judge=main, fallback_judge=other))
    assert other.calls > 0
    for row in rows:
        refused = "two" in row.prompt.messages[-1].content
        for pair in row.pairs:
            assert pair.verdict is not None and pair.p is not None
            assert pair.verdict.judged_by == ("scripted/stand-in" if refused else "",)
            assert any(
                v.outcome == "refused" and v.superseded for v in pair.verdict.principles
            ) == (refused)
    again = [ScriptedEngine(prim, name="prim"), ScriptedEngine(name="stand-in")]
    changed = judging | {"tie_band": 0.01}
    redone = make_run(
        tmp_path, judging=changed, judge=again[0], fallback_judge=again[1], update=True
    )
    assert len(list(redone)) == 3
    assert [engine.calls for engine in again] == [0, 0]
    redone.export()
    judges = {
        json.loads(line)["judge"]
        for table in ("preferences", "undecided")
        for line in (tmp_path / "run" / "export" / f"{table}.jsonl").read_text().splitlines()
    }
    assert judges <= {"scripted/prim", "scripted/stand-in"} and judges
    with RunStore.read(tmp_path / "run") as store:
        for row, _ in rows_for(store, "report"):
            kept = set(filter(None, request_ids(json.loads(canonical_json(row)))))
            assert {i for _, i in calls_of(row)} == kept
        asked = {m.fingerprint for m in store.models()}
    assert {"scripted/prim", "scripted/stand-in"} <= asked


@pytest.mark.parametrize("mode", ["reasoning", "propositions"])
def test_answers_of_unfinished_rows_are_found_again(mode: str, tmp_path: Path) -> None:
    """What a failed row has paid for, from judge and stand-in, outlives a `cai gc`."""

    def half(request: Request) -> Any:
        text = " ".join(m.content for m in request.messages)
        if "Question number two" in text:
            if any(part in text for part in ("more kind?", "response is warm", "response mocks")):
                return RowEngineError("The server has had enough.")
            return REFUSED
        return made_up(request)

    judging = {"mode": mode, "scope": "each"}
    main, other = ScriptedEngine(half, name="prim"), ScriptedEngine(name="stand-in")
    rows = list(make_run(tmp_path, judging=judging, judge=main, fallback_judge=other))
    assert [row.failed for row in rows].count(True) == 1
    paid = other.calls
    assert paid > 0
    collected = CliRunner().invoke(app, ["gc", str(tmp_path / "run")])
    assert collected.exit_code == 0, collected.output
    mended = ScriptedEngine(name="prim")
    list(make_run(tmp_path, judging=judging, judge=mended, fallback_judge=other))
    assert other.calls == paid
    with RunStore.read(tmp_path / "run") as store:
        kept = [m for m in store.models() if m.fingerprint == "scripted/stand-in"]
    assert sum(m.calls for m in kept) == paid
