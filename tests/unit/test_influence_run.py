"""Asking about every principle on pairs of a run: with its judge, once, and none held out."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import cai
from cai.config import JudgeConfig
from cai.constitution.principle import Selector
from cai.engines import Engines, ScriptedEngine
from cai.engines.memo import Meter
from cai.errors import ConfigError, RowEngineError, UsageError
from cai.loop.asked_price import price_principles
from cai.loop.asked_principles import ask_principles
from cai.loop.asked_store import read_asked
from cai.loop.judged_run import JudgedRun
from cai.loop.spread_pairs import spread_pairs
from cai.records import Message, Prompt
from cai.report.influence import read_influence
from cai.store import RunStore, rows_for
from tests.unit.influence_helpers import (
    CONSTITUTION,
    NAMES,
    PROMPTS,
    ask,
    judge,
    judged_of,
    planted,
    run_of,
)
from tests.unit.judge_helpers import principle


def influence_of(run: Path, **options: Any) -> Any:
    with RunStore.read(run) as store:
        return read_influence(store, run / "influence", draws=200, **options)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as it is by default: one principle for each pair."""
    return run_of(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with every principle asked about on 40 of its pairs."""
    run = run_of(tmp_path_factory.mktemp("asked"))
    ask(run, 40, judge())
    return run


def test_one_principle_for_each_pair_leaves_nothing_out(drawn: Path) -> None:
    found = influence_of(drawn)
    assert (found.source, found.several) == ("stored", 0)
    assert influence_of(drawn, always=False) is None
    assert not judged_of(drawn).asks_several


def test_what_was_planted_is_found_on_asked_pairs(asked: Path) -> None:
    found = influence_of(asked)
    assert (found.source, found.pairs, found.several) == ("asked", 40, 40)
    assert [one.names for one in found.related("redundant")] == [("kind", "warm")]
    conflicts = {one.names for one in found.related("conflict")}
    assert conflicts == {("blunt", "kind"), ("blunt", "warm")}
    assert all(one.pairs == 40 for one in found.principles)
    assert found.own is not None


def test_stored_verdicts_say_the_same_without_a_call(tmp_path: Path, asked: Path) -> None:
    found = influence_of(run_of(tmp_path, scope="each"))
    assert (found.source, found.own) == ("stored", None)
    assert found.pairs == found.several == len(PROMPTS)
    assert [one.names for one in found.related("redundant")] == [("kind", "warm")]
    assert ("blunt", "kind") in {one.names for one in found.related("conflict")}


def test_asked_verdicts_are_those_of_a_run_that_asks_under_each(
    tmp_path: Path, asked: Path
) -> None:
    each = run_of(tmp_path, scope="each")
    with RunStore.read(each) as store:
        rows = (row for row, _ in rows_for(store, "report"))
        stored = {pair.id: pair.verdict for row in rows for pair in row.pairs}
    kept = read_asked(asked / "influence", judged_of(asked).digest)
    assert len(kept) == 40
    for pair, verdict in kept.items():
        # With the orders and the ids of the calls.
        assert stored[pair].principles == verdict.principles
        assert stored[pair].p == pytest.approx(verdict.p)


def test_no_held_out_text_leaves_the_run(asked: Path) -> None:
    with RunStore.read(asked) as store:
        held_out = {pair.id for row, _ in rows_for(store, "validation") for pair in row.pairs}
        texts = [row.prompt.messages[0].content for row, _ in rows_for(store, "validation")]
        everything = spread_pairs(store, 1000)
    assert held_out
    assert len(everything) == len(PROMPTS) - len(texts)
    assert not held_out & {pair.id for _, pair in everything}
    assert not held_out & read_asked(asked / "influence", judged_of(asked).digest).keys()
    written = (asked / "influence" / "run.db").read_bytes()
    assert not any(text.encode() in written for text in texts)


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    meter, again, more = Meter(), judge(), judge()
    ask(run, 10, judge(), meter)
    # Of five principles the run has asked about one on each pair, in both orders.
    assert (meter.asked, meter.remembered) == (10 * 4 * 2, 10 * 2)
    ask(run, 10, again)
    assert again.calls == 0
    ask(run, 20, more)
    assert more.calls == 10 * 4 * 2
    assert influence_of(run).pairs == 20


@pytest.mark.parametrize(
    ("judging", "calls"), [({"orders": "first"}, 4), ({"quoting": "nonce"}, 8), ({"votes": 3}, 8)]
)
def test_the_judge_is_asked_as_the_run_had_it(
    tmp_path: Path, judging: dict[str, Any], calls: int
) -> None:
    run, engine = run_of(tmp_path, **judging), judge()
    one = ask(run, 5, engine)[0].verdict
    assert engine.calls == 5 * calls
    assert one is not None
    assert {len(v.orders) for v in one.principles} == {calls // 4}


def test_principles_that_are_for_other_prompts_are_not_asked_about(tmp_path: Path) -> None:
    limited = CONSTITUTION.model_copy(
        update={
            "principles": tuple(
                one.model_copy(update={"applies_to": Selector(any=("harm",))})
                if one.id in ("true", "warm")
                else one
                for one in CONSTITUTION.principles
            )
        }
    )
    prompts = [
        Prompt((Message("user", text),), ("harm",) if i % 2 else ("help",))
        for i, text in enumerate(PROMPTS[:20])
    ]
    made = cai.Generation.create(
        *(limited, prompts),
        policy=ScriptedEngine(),
        judge=judge(),
        run=tmp_path / "run",
        loop={"samples": 2, "rounds": 0, "pairs": ["samples"]},
        split={"dev": 0.0, "held_out": 0.0},
    )
    list(made)
    ask(made.folder, 20, judge())
    found = influence_of(made.folder)
    counts = {one.principle: one.pairs for one in found.principles}
    assert counts == {"blunt": 20, "kind": 20, "terse": 20, "true": 10, "warm": 10}
    assert {one.names: one.n for one in found.couples}["true", "warm"] == 10


def test_drawn_principles_are_pooled_by_the_weights_they_are_drawn_with(tmp_path: Path) -> None:
    assert judged_of(run_of(tmp_path / "a")).every().pooling.aggregate == "weighted"
    judged = judged_of(run_of(tmp_path / "b", aggregate="median"))
    assert judged.every().pooling.aggregate == judged.pooling.aggregate == "median"
    judged = judged_of(run_of(tmp_path / "c", scope="constitution"))
    assert judged.every().pooling.aggregate == "mean"


def test_several_drawn_principles_can_be_left_out(tmp_path: Path) -> None:
    found = influence_of(run_of(tmp_path, principles=3))
    assert (found.source, found.several) == ("stored", len(PROMPTS))
    assert sum(one.pairs for one in found.principles) == 3 * len(PROMPTS)


def test_a_whole_constitution_in_one_question_is_asked_apart(tmp_path: Path) -> None:
    run = run_of(tmp_path, scope="constitution")
    before = influence_of(run)
    assert (before.several, len(before.principles)) == (0, 1)
    assert before.principles[0].principle == "5 principles together"
    ask(run, 10, judge())
    assert {one.principle for one in influence_of(run).principles} == set(NAMES)


def test_verdicts_of_another_judge_are_not_read(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    ask(run, 5, judge())
    assert len(read_asked(run / "influence", judged_of(run).digest)) == 5
    other = ScriptedEngine(planted, name="another judge")
    again = cai.Generation.create(
        *(CONSTITUTION, PROMPTS),
        policy=ScriptedEngine(),
        judge=other,
        run=run,
        loop={"samples": 2, "rounds": 0, "pairs": ["samples"]},
        split={"dev": 0.2, "held_out": 0.2},
        update=True,
    )
    list(again)
    assert read_asked(run / "influence", judged_of(run).digest) == {}
    assert influence_of(run).source == "stored"
    with pytest.raises(UsageError, match=r"judged by scripted/another judge .*Bring the old judge"):
        ask(run, 5, judge())


def test_a_change_of_how_many_are_drawn_keeps_what_was_asked(tmp_path: Path) -> None:
    one, three = (judged_of(run_of(tmp_path / str(n), principles=n)) for n in (1, 3))
    banded = judged_of(run_of(tmp_path / "band", tie_band=0.2))
    assert one.digest == three.digest != banded.digest


def test_a_changed_template_is_refused(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    with RunStore.open(run, durable=False) as store:
        templates = store.meta("templates")
        templates["judge"]["hash"] = "0" * 64
        store.set_meta(templates=templates)
    with pytest.raises(ConfigError, match=r"judge/default has changed since .*--update"):
        ask(run, 5, judge())


def test_answers_are_kept_apart_from_runs(tmp_path: Path, drawn: Path) -> None:
    other = run_of(tmp_path)
    engine = judge()

    async def carry_out() -> None:
        with RunStore.read(drawn) as store:
            pairs = spread_pairs(store, 2)
            asking = ask_principles(
                *(store, judged_of(drawn), pairs, other),
                engines=Engines(engine, engine, engine),
            )
            async for _ in asking:
                pass

    with pytest.raises(UsageError, match="holds a run"):
        asyncio.run(carry_out())
    assert engine.calls == 0


def test_a_pair_that_cannot_be_judged_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    refused: list[str] = []

    def answer(request: Any) -> Any:
        text = request.messages[-1].content
        refused.append(text) if not refused else None
        if request.stage == "judge" and text == refused[0]:
            raise RowEngineError("Too long for the model.")
        return planted(request)

    found = ask(run, 6, ScriptedEngine(answer, name="judge"))
    failed = [one for one in found if one.verdict is None]
    assert [one.problem for one in failed] == ["Too long for the model."]
    assert influence_of(run).pairs == 5
    ask(run, 6, judge())
    assert influence_of(run).pairs == 6


def test_panels_are_asked_whole(tmp_path: Path) -> None:
    panel = [ScriptedEngine(planted, name=name) for name in ("one", "two")]
    made = cai.Generation.create(
        *(CONSTITUTION, PROMPTS[:12]),
        policy=ScriptedEngine(),
        judges=panel,
        run=tmp_path / "run",
        judging=JudgeConfig(panel="majority"),
        loop={"samples": 2, "rounds": 0, "pairs": ["samples"]},
        split={"dev": 0.0, "held_out": 0.0},
    )
    list(made)
    before = [one.calls for one in panel]

    async def carry_out() -> list[Any]:
        with RunStore.read(made.folder) as store:
            asking = ask_principles(
                *(store, JudgedRun.of(store), spread_pairs(store, 6), made.folder / "influence"),
                engines=Engines(panel[0], panel[0], panel[0], tuple(panel)),
            )
            return [one async for one in asking]

    found = asyncio.run(carry_out())
    assert [one.calls - n for one, n in zip(panel, before, strict=True)] == [6 * 4 * 2] * 2
    assert all(len(one.verdict.principles) == 2 * 5 for one in found)
    assert {one.pairs for one in influence_of(made.folder).principles} == {6}
    with RunStore.read(made.folder) as store, pytest.raises(UsageError, match=r"judges\.0"):
        price_principles(store, judged_of(made.folder), spread_pairs(store, 1), tmp_path / "x")


def test_a_principle_without_a_question_is_left_out(tmp_path: Path) -> None:
    mute = principle("mute").model_copy(update={"judge": ""})
    constitution = CONSTITUTION.model_copy(update={"principles": (*CONSTITUTION.principles, mute)})
    made = cai.Generation.create(
        *(constitution, PROMPTS[:6]),
        policy=ScriptedEngine(),
        judge=judge(),
        run=tmp_path / "run",
        loop={"samples": 2, "rounds": 0, "pairs": ["samples"]},
        split={"dev": 0.0, "held_out": 0.0},
    )
    list(made)
    ask(made.folder, 6, judge())
    assert {one.principle for one in influence_of(made.folder).principles} == set(NAMES)
