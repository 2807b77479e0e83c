"""A run with a constitution of sixteen principles, changes to it, and counts by hand."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cai
from cai.config import Config, parse_config
from cai.engines import Engines, ScriptedEngine
from cai.engines.scripted import made_up
from cai.hashing import content_hash, unit_interval
from cai.loop.changes import Change
from cai.loop.estimate import Estimate, estimate
from cai.records import Completion, Request, Row
from cai.store import RunStore, rows_for

VIRTUES = ("kind", "true", "brief", "calm", "fair", "warm", "clear", "open")
IDS = [f"{group}.{virtue}" for group in ("help", "harm") for virtue in VIRTUES]
WORDINGS = ("text", "critique", "revise", "judge")
Script = Callable[[Request], str | Completion]


def principle(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "text": f"Be {name}.",
        "critique": f"Where is it not {name}?",
        "revise": f"Make it {name}.",
        "judge": f"Which answer is more {name}?",
        **changes,
    }


def distinct(request: Request) -> str | Completion:
    """Answers that differ whenever the request does, so that all that follows is asked anew."""
    key = content_hash([request.messages, request.sampling, request.sample_index])[:16]
    if request.stage == "judge":
        return ScriptedEngine.label(0.05 + 0.9 * unit_interval(key))
    if request.stage == "score":
        return made_up(request)  # type: ignore[return-value]
    return f"A text of its own, number {key}."


class Workshop:
    """A folder with a prompt file, constitutions and one run."""

    def __init__(self, folder: Path, prompts: int = 36, answer: Script = distinct) -> None:
        self.folder = folder
        self.answer = answer
        self.run = folder / "run"
        self.write_prompts(range(prompts))

    def write_prompts(self, numbers: Sequence[int]) -> None:
        lines = (f"What is the use of number {i}, and who found it?" for i in numbers)
        (self.folder / "prompts.txt").write_text("\n".join(lines), encoding="utf-8")

    def constitution(self, name: str, *principles: dict[str, Any], **more: Any) -> str:
        data = {"format": 1, "name": "mine", "version": "1.0.0", "summary": "Rules.", **more}
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps({**data, "principles": list(principles)}), encoding="utf-8")
        return str(path)

    def edited(self, name: str = "", **changes: Any) -> str:
        """The constitution with one principle changed."""
        told = (principle(one, **(changes if one == name else {})) for one in IDS)
        return self.constitution("edited" if name else "plain", *told)

    def settings(self, constitution: str = "", **sections: Any) -> Config:
        """A config in which every call is certain, unless it says otherwise."""
        loop = {"rounds": 2, "revise": "all", "skip_when_clean": False, **sections.pop("loop", {})}
        judge = {"principles": 2, **sections.pop("judge", {})}
        data = {
            "run": str(self.run),
            "constitution": constitution or self.edited(),
            "prompts": {"path": str(self.folder / "prompts.txt")},
            "models": {"policy": {"engine": "scripted"}},
            "runtime": {"durable": False, **sections.pop("runtime", {})},
            **sections,
        }
        return parse_config({**data, "loop": loop, "judge": judge})

    def generate(self, settings: Config, *, update: bool = True) -> ScriptedEngine:
        """Start the run, and return the engine that has counted what it was asked."""
        engine = ScriptedEngine(self.answer)
        panel = tuple(
            ScriptedEngine(self.answer, name=f"judge{i}")
            for i, _ in enumerate(settings.models.judges)
        )
        run = cai.Generation(
            settings,
            engines=Engines(engine, engine, panel[0] if panel else engine, panel),
            update=update,
        )
        assert not any(row.failed for row in run)
        for one in panel:
            engine.by_stage += one.by_stage
        return engine

    def rows(self) -> dict[str, Row]:
        with RunStore.read(self.run) as store:
            return {row.prompt.id: row for row, _ in rows_for(store, "report")}

    def answered(self) -> set[str]:
        with RunStore.read(self.run) as store:
            return set(store.request_ids())


Counts = dict[str, int]


def planned(found: Estimate) -> Counts:
    """Calls by stage, of which the plan is certain."""
    calls = Counter[str]()
    for stage in found.stages:
        assert stage.calls.low == stage.calls.likely == stage.calls.high
        calls[stage.stage] += int(stage.calls.likely)
    return dict(sorted((+calls).items()))


def effect(found: Estimate, name: str) -> tuple[Change, Counts, Counts]:
    """A change of the plan by its name, with the calls that it makes, and those that follow."""
    assert found.changes
    (one,) = [effect for effect in found.changes.effects if effect.change.name == name]
    parts = [
        {str(stage): int(calls.likely) for stage, calls in part.items()}
        for part in (one.direct, one.follows)
    ]
    return one.change, *parts


def carried_out(workshop: Workshop, settings: Config) -> Counts:
    """What an update asks at the engine; afterwards there must be nothing left to do."""
    before = workshop.answered()
    engine = workshop.generate(settings)
    assert len(workshop.answered() - before) == engine.calls
    after = estimate(settings)
    assert after.changes is None and after.changed == ()
    assert after.finished == after.prompts
    assert not after.calls.high
    return dict(sorted(engine.by_stage.items()))


def by_hand(
    then: Mapping[str, Row],
    now: Mapping[str, Row],
    reworded: str = "",
    fields: Sequence[str] = (),
) -> tuple[Counts, Counts]:
    """Calls of the default judge that a change of principles makes necessary, and what follows.

    Looks at stored rows alone: which principle each step was under, and is now. Of the rows of the
    update nothing is used but their principles.
    """
    direct, follows = Counter[str](), Counter[str]()
    for prompt_id, old in then.items():
        new = now[prompt_id]
        changed = []
        for before, after in zip(old.revisions, new.revisions, strict=True):
            other_text = False
            for one, two in zip(before, after, strict=True):
                moved = one.principle_id != two.principle_id
                under = two.principle_id == reworded
                if other_text:
                    follows["critique"] += 1
                    follows["revise"] += 1
                elif moved or (under and "critique" in fields):
                    direct["critique"] += 1
                    follows["revise"] += 1
                    other_text = True
                elif under and "revise" in fields:
                    direct["revise"] += 1
                    other_text = True
            changed.append(other_text)
        for one, two in zip(old.pairs, new.pairs, strict=True):
            assert one.verdict and two.verdict
            before = {v.principle_ids for v in one.verdict.principles}
            for verdict in two.verdict.principles:
                calls = sum(1 + len(order.more_request_ids) for order in verdict.orders)
                if two.kind == "revision" and changed[int(two.first_name.split()[1])]:
                    follows["judge"] += calls
                elif verdict.principle_ids not in before or (
                    reworded in verdict.principle_ids and "judge" in fields
                ):
                    direct["judge"] += calls
    return dict(direct), dict(follows)


def both(direct: Counts, follows: Counts) -> Counts:
    return dict(sorted((Counter(direct) + Counter(follows)).items()))
