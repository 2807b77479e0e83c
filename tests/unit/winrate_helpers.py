"""Subjects over scripts, a judge that knows what is good, and duels without either."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cai.config import ModelConfig, parse_config
from cai.constitution import Constitution
from cai.engines import Engines, ScriptedEngine
from cai.evaluate.records import Subject
from cai.evaluate.results import Figure, Result
from cai.evaluate.session import Session
from cai.evaluate.winrate import Contest, Duel, Judgement, ask_subjects, judge_contest
from cai.records import Completion, Message, Prompt, Request
from tests.unit.judge_helpers import CONSTITUTION, Script


def prompts(count: int, *tags: str) -> list[Prompt]:
    return [
        Prompt((Message("user", f"Tell me about thing number {i}?"),), tags) for i in range(count)
    ]


def subject(name: str) -> Subject:
    return Subject(name, ModelConfig(engine="scripted", model=name))


def saying(merit: int, words: int = 3) -> Script:
    """Answers of a merit that `fair` reads, about the prompt's last word."""

    def answer(request: Request) -> str:
        return f"merit {merit}, on {request.messages[-1].content} {'word ' * words}".strip()

    return answer


def answers_in(request: Request) -> tuple[str, str]:
    """The answers that a judge is shown."""
    text = request.messages[-1].content
    found = [re.search(rf"<answer_{x}.*?>(.*?)</answer_{x}", text, re.DOTALL) for x in "ab"]
    assert found[0] and found[1]
    return found[0][1].strip(), found[1][1].strip()


def fair(slope: float = 1.0, slot: float = 0.0) -> Script:
    """p of the first answer: σ(slope × its lead in merit + slot)."""

    def judge(request: Request) -> Completion:
        merits = [int(re.findall(r"merit (\d+)", text)[-1]) for text in answers_in(request)]
        return ScriptedEngine.label(1 / (1 + math.exp(-slope * (merits[0] - merits[1]) - slot)))

    return judge


def session(folder: Path, constitution: Constitution = CONSTITUTION, **judge: Any) -> Session:
    config = parse_config({"prompts": {"path": "x"}, "judge": judge})
    return Session(config, constitution, folder)


def compare(
    opened: Session,
    engines: Mapping[str, ScriptedEngine],
    asked: Sequence[Prompt],
    judge: ScriptedEngine,
    *,
    base: str = "",
    **options: Any,
) -> tuple[Contest, Judgement]:
    """The whole way, in a session that is closed afterwards."""

    async def carry_out() -> tuple[Contest, Judgement]:
        contest = await ask_subjects(
            opened, [subject(name) for name in engines], asked, base=base, engines=engines
        )
        async with opened.judges(engines=Engines(judge, judge, judge)) as judges:
            return contest, await judge_contest(judges, contest, **options)

    with opened:
        return asyncio.run(carry_out())


def find(result: Result | Sequence[Figure], name: str, subject: str = "", **more: str) -> Figure:
    """The one figure of this name."""
    figures = result.figures if isinstance(result, Result) else result
    (found,) = (
        f
        for f in figures
        if f.name == name
        and (not subject or f.subject == subject)
        and all(getattr(f, key) == value for key, value in {"group": "all", **more}.items())
    )
    return found


def duels(
    credits: Sequence[float],
    *,
    first: str = "new",
    second: str = "base",
    groups: Sequence[str] | None = None,
    lengths: Sequence[tuple[int, int]] | None = None,
    ps: Sequence[float] | None = None,
) -> list[Duel]:
    """One duel for each credit, on prompts p0, p1 …"""
    outcome: dict[float, Any] = {1.0: "first", 0.5: "tie", 0.0: "second"}
    return [
        Duel(
            f"p{i}",
            groups[i] if groups else f"g{i}",
            (),
            first,
            second,
            lengths[i] if lengths else (10, 10),
            outcome[float(credit)],
            ps[i] if ps else float(credit),
        )
        for i, credit in enumerate(credits)
    ]


def played(
    strengths: Mapping[str, float], count: int, rng: np.random.Generator, tie: float = 0.1
) -> list[Duel]:
    """All pairs on `count` prompts, by Bradley and Terry's model with some ties."""
    names = list(strengths)
    found = []
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            p = 1 / (1 + math.exp(strengths[other] - strengths[one]))
            won = (rng.random(count) < p).astype(float)
            won[rng.random(count) < tie] = 0.5
            found += duels(won.tolist(), first=one, second=other)
    return found
