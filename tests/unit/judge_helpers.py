"""Judges over scripts, and runs over them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cai
from cai.config import JudgeConfig
from cai.constitution import Constitution, Principle, Proposition
from cai.engines import ScriptedEngine
from cai.engines.memo import Answer
from cai.judge import Jury, PairJudge, Seat, open_judge
from cai.records import Completion, Message, OrderVerdict, PrincipleVerdict, Request, Usage
from cai.templates import load_template

Script = Callable[[Request], str | Completion]
PROMPT = (Message("user", "How do I apologise?"),)
PROMPTS = [f"Question number {word}?" for word in ("one", "two", "three")]
REFUSED = Completion("", "refused", Usage())
CUT = Completion("", "truncated", Usage())
TEMPLATES = {
    "labels": ("judge", "default"),
    "reasoning": ("judge", "reasoning"),
    "score": ("score", "expected"),
    "propositions": ("score", "proposition"),
}


def principle(name: str, weight: float = 1.0, *rules: tuple[str, float]) -> Principle:
    return Principle(
        id=name,
        text=f"Be {name}.",
        critique=f"Where is it not {name}?",
        revise=f"Make it {name}.",
        judge=f"Which answer is more {name}?",
        weight=weight,
        propositions=tuple(Proposition(text=text, weight=w) for text, w in rules),
    )


KIND = principle("kind", 1.0, ("The response is warm.", 2.0), ("The response mocks.", -1.5))
CONSTITUTION = Constitution(
    name="test",
    version="1.0.0",
    summary="Answers that are kind\nand honest.",
    principles=(KIND, principle("true", 3.0, ("The response is true.", 1.0))),
)


class Direct:
    """A caller without a memo that keeps what it was asked."""

    def __init__(self, answer: Script | None = None) -> None:
        self.engine = ScriptedEngine(answer)
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Answer:
        self.asked.append(request)
        return Answer(f"{len(self.asked)}", await self.engine.complete(request))


def judge(mode: str, answer: Script | None = None, **options: Any) -> tuple[PairJudge, Direct]:
    caller = Direct(answer)
    logprobs = options.pop("logprobs", "auto")
    config = JudgeConfig(mode=mode, **options)  # type: ignore[arg-type]
    template = load_template(*TEMPLATES[mode])  # type: ignore[arg-type]
    return open_judge(caller, template, config, logprobs=logprobs), caller


def verdict(p: float | None, outcome: str = "", principle: str = "kind") -> PrincipleVerdict:
    """What a judge found in one order."""
    order = OrderVerdict("ab", "answered" if p is not None else outcome, "r", p)  # type: ignore[arg-type]
    label = outcome or ("tie" if p == 0.5 else "first" if p and p > 0.5 else "second")
    return PrincipleVerdict((principle,), label, (order,), p)  # type: ignore[arg-type]


class Fixed:
    """A judge with a verdict for each principle that shows nothing of the answers."""

    def __init__(self, **verdicts: PrincipleVerdict) -> None:
        self.verdicts = verdicts
        self.asked: list[str] = []

    async def under(
        self, conversation: Any, first: str, second: str, principles: Any
    ) -> PrincipleVerdict:
        (one,) = principles
        self.asked.append(one.id)
        return self.verdicts[one.id]


def jury(*seats: Fixed, fallback: Fixed | None = None, **options: Any) -> Jury:
    names = [f"j{i}" for i in range(len(seats))] if len(seats) > 1 else [""]
    return Jury(
        [Seat(name, seat) for name, seat in zip(names, seats, strict=True)],
        JudgeConfig(**options),
        Seat("stand-in", fallback) if fallback else None,
    )


def make_run(folder: Path, *, judging: Mapping[str, Any], **options: Any) -> cai.Generation:
    options.setdefault("policy", ScriptedEngine())
    options.setdefault("judge", ScriptedEngine(name="judge"))
    return cai.Generation.create(
        CONSTITUTION,
        PROMPTS,
        run=folder / "run",
        judging=JudgeConfig(**judging),
        loop={"samples": 2, "rounds": 1, "skip_when_clean": False},
        **options,
    )
