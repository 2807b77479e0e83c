"""Opening the judges of a config on a store: what is found again, and what is closed."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from cai.config import Config, parse_config
from cai.engines import Engines, ScriptedEngine
from cai.engines.batch import BatchCaller
from cai.engines.memo import Caller, Meter
from cai.engines.openai import OpenAIEngine
from cai.errors import ConfigError, FatalEngineError, UsageError
from cai.evaluate.session import Session
from cai.judge.attacks import load_suite
from cai.loop import judges as loop_judges
from cai.loop.attacked import attack
from cai.loop.callers import open_callers
from cai.loop.judges import Judges, StartedJudges
from cai.loop.judging import open_jury
from cai.loop.opinions import Opinion, judge_pairs
from cai.loop.plan import for_judging, load_templates, make_plan
from cai.loop.secret import quoting_secret
from cai.loop.under import judged_under
from cai.records import Message, Pair, Prompt, Verdict
from cai.store import RunStore
from tests.unit.judge_helpers import CONSTITUTION, make_run


class Watched(ScriptedEngine):
    """Knows whether it is started."""

    running = False

    async def start(self) -> None:
        self.running = True

    async def close(self) -> None:
        self.running = False


def settings(**judge: Any) -> Config:
    return parse_config({"prompts": {"path": "x"}, "judge": judge, "runtime": {"durable": False}})


def pairs(count: int = 3) -> list[tuple[Prompt, Pair]]:
    prompts = [Prompt((Message("user", f"Question {i}?"),)) for i in range(count)]
    return [(p, Pair(p.id, "samples", "One.", "Two.", "sample 0", "sample 1")) for p in prompts]


def everybody(engine: ScriptedEngine) -> Engines:
    return Engines(engine, engine, engine)


def by_parts(config: Config, folder: Path, engine: ScriptedEngine) -> list[Verdict]:
    """The verdicts on the pairs, each step written out, with nothing of `cai.loop.judges`."""

    async def carry_out() -> list[Verdict]:
        engines = everybody(engine)
        templates = for_judging(load_templates(config), config, CONSTITUTION)
        plan = make_plan(config, CONSTITUTION, templates, engines, "")
        with RunStore.open(folder, durable=False) as store:
            callers = open_callers(engines, config, store, Meter())
            secret = quoting_secret(store, folder, config.judge)
            jury = open_jury(plan, {"judge": callers[id(engine)]}, secret=secret)
            verdicts = [
                await jury.judge(
                    prompt.messages, pair.first, pair.second, judged_under(plan, prompt, pair)
                )
                for prompt, pair in pairs()
            ]
            for caller in callers.values():
                await caller.close()
            return verdicts

    return asyncio.run(carry_out())


def opinions(config: Config, folder: Path, engine: ScriptedEngine, **more: Any) -> list[Opinion]:
    async def carry_out() -> list[Opinion]:
        asking = judge_pairs(
            config, CONSTITUTION, pairs(), folder, engines=everybody(engine), **more
        )
        return [one async for one in asking]

    return sorted(asyncio.run(carry_out()), key=lambda one: one.number)


@pytest.mark.parametrize(
    "judge",
    [
        {},
        {"quoting": "nonce"},
        {"scope": "each", "aggregate": "weighted"},
        {"scope": "constitution", "orders": "first"},
        {"mode": "score"},
        {"mode": "propositions"},
        {"mode": "reasoning", "reasonings": 2},
    ],
    ids=str,
)
def test_a_store_that_was_written_part_by_part_is_found_again(
    tmp_path: Path, judge: dict[str, Any]
) -> None:
    config, folder = settings(**judge), tmp_path / "answers"
    first = ScriptedEngine()
    verdicts = by_parts(config, folder, first)
    assert first.calls > 0
    again, meter = ScriptedEngine(), Meter()
    assert [one.verdict for one in opinions(config, folder, again, meter=meter)] == verdicts
    assert (again.calls, meter.asked, meter.remembered > 0) == (0, 0, True)
    # An evaluation asks in the same way.
    third = ScriptedEngine()

    async def evaluated() -> list[Verdict]:
        with Session(config, CONSTITUTION, folder) as session:
            async with session.judges(engines=everybody(third)) as opened:
                plan = opened.plan()
                jury = opened.jury(plan)
                return [
                    await jury.judge(p.messages, q.first, q.second, judged_under(plan, p, q))
                    for p, q in pairs()
                ]

    assert asyncio.run(evaluated()) == verdicts
    assert third.calls == 0


def test_an_evaluation_knows_what_its_run_was_answered(tmp_path: Path) -> None:
    config = settings()
    verdicts = by_parts(config, tmp_path / "run", ScriptedEngine())
    engine = ScriptedEngine()

    async def judged() -> list[Verdict]:
        with (
            RunStore.read(tmp_path / "run") as run,
            Session(config, CONSTITUTION, tmp_path / "evaluation", run=run) as session,
        ):
            async with session.judges(engines=everybody(engine)) as opened:
                plan = opened.plan()
                jury = opened.jury(plan)
                return [
                    await jury.judge(p.messages, q.first, q.second, judged_under(plan, p, q))
                    for p, q in pairs()
                ]

    assert asyncio.run(judged()) == verdicts
    assert engine.calls == 0
    with RunStore.read(tmp_path / "evaluation") as store:
        assert not list(store.request_ids())


def test_what_a_run_was_answered_is_found_with_its_codes(tmp_path: Path) -> None:
    config = settings(quoting="nonce")
    verdicts = by_parts(config, tmp_path / "run", ScriptedEngine())
    engine = ScriptedEngine()
    found = opinions(config, tmp_path / "answers", engine, run=tmp_path / "run")
    assert [one.verdict for one in found] == verdicts
    assert engine.calls == 0
    with RunStore.read(tmp_path / "answers") as store:
        assert list(store.request_ids()) == []


def test_a_plan_that_cannot_be_carried_out_leaves_no_store(tmp_path: Path) -> None:
    config, engine = settings(mode="propositions"), Watched()
    mute = [p.model_copy(update={"propositions": ()}) for p in CONSTITUTION.principles]
    bare = CONSTITUTION.model_copy(update={"principles": tuple(mute)})

    async def carry_out() -> None:
        async for _ in judge_pairs(config, bare, pairs(), tmp_path / "answers"):
            raise AssertionError("nothing can be asked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop_judges, "open_judges", lambda _: everybody(engine))
        with pytest.raises(ConfigError, match="propositions"):
            asyncio.run(carry_out())
    assert not (tmp_path / "answers").exists()
    assert not engine.running


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("leaving", ["at the end", "early", "by a failure"])
def test_judges_are_closed_unless_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool, leaving: str
) -> None:
    def fails(_: object) -> str:
        raise FatalEngineError("No more.")

    engine = Watched(fails if leaving == "by a failure" else None)
    monkeypatch.setattr(loop_judges, "open_judges", lambda _: everybody(engine))
    seen: list[bool] = []

    async def carry_out() -> None:
        asking = judge_pairs(
            *(settings(), CONSTITUTION, pairs(), tmp_path / "answers"),
            engines=everybody(engine) if given else None,
        )
        async with aclosing(asking) as found:
            async for _ in found:
                seen.append(engine.running)
                if leaving == "early":
                    break

    if leaving == "by a failure":
        with pytest.raises(FatalEngineError, match=r"No more\."):
            asyncio.run(carry_out())
    else:
        asyncio.run(carry_out())
        assert seen == [True] * (1 if leaving == "early" else 3)
    assert engine.running == given
    # The writer of the store is gone, too.
    RunStore.open(tmp_path / "answers", durable=False).close()


def test_a_batch_of_the_policy_says_nothing_of_the_judge(tmp_path: Path) -> None:
    """Where only judges are opened, the first of them plays the other roles, too."""
    remote = {"engine": "openai", "base_url": "http://localhost:9", "api_key_env": "NO_KEY"}
    models = {"policy": {**remote, "model": "a", "batch": True}, "judge": {**remote, "model": "b"}}
    config = settings().model_copy(
        update={"models": parse_config({"prompts": {"path": "x"}, "models": models}).models}
    )

    async def opened(config: Config) -> Judges:
        engine = OpenAIEngine("b", base_url="http://localhost:9", api_key_env="NO_KEY")
        started = StartedJudges(config, Engines(engine, engine, engine))
        async with started.apart(tmp_path / "answers", "answers are") as judges:
            return judges

    found = asyncio.run(opened(config))
    assert isinstance(found.asking["judge"], Caller)
    assert found.at_once < 1000
    swapped = {"policy": config.models.judge, "judge": config.models.policy}
    turned = config.model_copy(update={"models": config.models.model_copy(update=swapped)})
    found = asyncio.run(opened(turned))
    assert isinstance(found.asking["judge"], BatchCaller)
    assert found.at_once == 10_000


def test_attacks_are_kept_apart_from_runs(tmp_path: Path) -> None:
    made = make_run(tmp_path, judging={})
    list(made)
    engine = ScriptedEngine()

    async def carry_out() -> None:
        asking = attack(
            *(settings(), CONSTITUTION, pairs(1), load_suite(), made.folder, ["plain"]),
            engines=everybody(engine),
        )
        async for _ in asking:
            raise AssertionError("nothing is to be asked")

    with pytest.raises(UsageError, match="holds a run, and answers to attacks are kept apart"):
        asyncio.run(carry_out())
    assert engine.calls == 0
