"""Principles of which two say the same and two contradict each other, and runs judged by them."""

import asyncio
import re
from pathlib import Path
from typing import Any

import numpy as np

import cai
from cai.config import JudgeConfig
from cai.constitution import Constitution
from cai.engines import Engines, ScriptedEngine
from cai.engines.memo import Meter
from cai.engines.scripted import made_up
from cai.hashing import unit_interval
from cai.judge.aggregate import hard_label
from cai.judge.repool import Pooling
from cai.loop.asked_principles import AskedPair, ask_principles
from cai.loop.judged_run import JudgedRun
from cai.loop.spread_pairs import spread_pairs
from cai.records import Completion, PrincipleVerdict, Request
from cai.store import RunStore
from cai.validation.bias import JudgedPair
from tests.unit.judge_helpers import principle

NAMES = ("blunt", "kind", "terse", "true", "warm")
"""`warm` says what `kind` says, and `blunt` the opposite; `terse` and `true` go their own ways."""

CONSTITUTION = Constitution(
    name="planted",
    version="1.0.0",
    summary="Some principles say the same.",
    principles=tuple(principle(name) for name in NAMES),
)
PROMPTS = [f"Planted question {i} about {i * 7919 % 101} things?" for i in range(60)]


def planted(request: Request) -> str | Completion:
    """A judge whose leaning depends on the principle that it is asked about."""
    if request.stage != "judge":
        reply = made_up(request)
        assert isinstance(reply, str)
        return reply
    text = request.messages[-1].content
    found = re.findall(r"<answer_[ab][^>]*>(.*?)</answer_[ab]", text, re.DOTALL)
    first, second = (answer.strip() for answer in found[-2:])
    questions = re.findall(r"more (\w+)\?", text)
    asked = questions[-1] if questions else "all principles"
    subject = {"warm": "kind", "blunt": "kind"}.get(asked, asked)
    gap = unit_interval(subject, first) - unit_interval(subject, second)
    if asked == "warm":
        gap += 0.02 * (unit_interval("warm", first) - unit_interval("warm", second))
    p = 1 / (1 + np.exp(-8 * gap))
    return ScriptedEngine.label(float(1 - p if asked == "blunt" else p))


def judge() -> ScriptedEngine:
    return ScriptedEngine(planted, name="judge")


def run_of(folder: Path, *, engine: ScriptedEngine | None = None, **judging: Any) -> Path:
    """A finished run of 60 prompts, one pair of samples each."""
    made = cai.Generation.create(
        CONSTITUTION,
        PROMPTS,
        policy=ScriptedEngine(),
        judge=engine or judge(),
        run=folder / "run",
        judging=JudgeConfig(**judging),
        loop={"samples": 2, "rounds": 0, "pairs": ["samples"]},
        split={"dev": 0.2, "held_out": 0.2},
    )
    list(made)
    return made.folder


def ask(
    run: Path, limit: int, engine: ScriptedEngine, meter: Meter | None = None
) -> list[AskedPair]:
    async def carry_out() -> list[AskedPair]:
        with RunStore.read(run) as store:
            pairs = spread_pairs(store, limit)
            asking = ask_principles(
                *(store, JudgedRun.of(store), pairs, run / "influence"),
                engines=Engines(engine, engine, engine),
                meter=meter,
            )
            return [one async for one in asking]

    return asyncio.run(carry_out())


def judged_of(run: Path) -> JudgedRun:
    with RunStore.read(run) as store:
        return JudgedRun.of(store)


def ballot(name: str, p: float | None, tie_band: float = 0.05, judge: str = "") -> PrincipleVerdict:
    outcome = "refused" if p is None else hard_label(p, tie_band)
    return PrincipleVerdict((name,), outcome, (), p, (), judge)


def pair_of(number: int, ballots: list[PrincipleVerdict], group: str = "") -> JudgedPair:
    return JudgedPair(
        id=f"pair {number}",
        group=group or f"group {number}",
        kind="samples",
        lengths=(1, 1),
        outcome="first",
        ballots=tuple(ballots),
    )


def random_pairs(n: int, names: tuple[str, ...], seed: int) -> list[JudgedPair]:
    """Pairs in groups of one to three; a tenth of the verdicts is missing."""
    rng = np.random.default_rng(seed)
    pairs = []
    for i in range(n):
        shared = rng.normal()
        ballots = []
        for name in names:
            if rng.random() < 0.1:
                continue
            p = 1 / (1 + np.exp(-(shared + rng.normal())))
            ballots.append(ballot(name, None if rng.random() < 0.1 else float(p)))
        pairs.append(pair_of(i, ballots, f"group {i // int(rng.integers(1, 4))}"))
    return pairs


MEAN = Pooling("mean", 0.05)
