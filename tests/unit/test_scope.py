"""Which principles a prompt is under, and what that does to draws, questions and plans."""

from pathlib import Path

import pytest

import cai
from cai.config import parse_config
from cai.constitution import Constitution, Principle
from cai.constitution.principle import Example, Selector
from cai.engines import ScriptedEngine
from cai.errors import ConfigError, RowEngineError
from cai.loop.estimate import estimate
from cai.loop.scope import Scopes
from cai.records import Message, Prompt
from cai.store import RunStore
from tests.unit.judge_helpers import CONSTITUTION, principle


def scopes(*principles: Principle, **keys: object) -> Scopes:
    config = parse_config({"prompts": {"path": "x.txt"}, **keys}, "test")
    made = CONSTITUTION.model_copy(update={"principles": principles})
    return Scopes(config, made)


def prompt(*tags: str) -> Prompt:
    return Prompt((Message("user", "How?"),), tags=tags)


def ids(constitution: Constitution) -> list[str]:
    return [p.id for p in constitution.principles]


MEDICAL = principle("careful").model_copy(update={"applies_to": Selector(any=("medical*",))})


def test_a_principle_counts_for_the_prompts_it_applies_to() -> None:
    found = scopes(principle("kind"), MEDICAL)
    assert ids(found.of(prompt("medical-dose"))) == ["kind", "careful"]
    assert ids(found.of(prompt("cooking"))) == ["kind"]
    assert found.by_tags
    assert not scopes(principle("kind")).by_tags


def test_a_prompt_that_nothing_applies_to_is_said_to_be_one() -> None:
    with pytest.raises(RowEngineError, match=r"applies to a prompt with the tags cooking\. Widen"):
        scopes(MEDICAL).of(prompt("cooking"))


def test_steps_use_only_principles_that_have_the_wordings() -> None:
    silent = principle("silent").model_copy(update={"judge": ""})
    stiff = principle("stiff").model_copy(update={"critique": ""})
    found = scopes(silent, stiff)
    assert ids(found.of(prompt())) == ["silent", "stiff"]
    assert ids(found.judging(prompt())) == ["stiff"]
    assert ids(found.revising(prompt())) == ["silent"]
    direct = scopes(silent, stiff, loop={"direct": True})
    assert ids(direct.revising(prompt())) == ["silent", "stiff"]
    # A list of rules shows their texts, which all have.
    assert ids(scopes(silent, stiff, judge={"scope": "constitution"}).judging(prompt())) == [
        "silent",
        "stiff",
    ]


@pytest.mark.parametrize(
    ("gone", "keys", "said"),
    [
        ({"judge": ""}, {}, "has a 'judge' question"),
        ({"critique": ""}, {}, "has a 'critique' and 'revise' request"),
        ({"revise": ""}, {"loop": {"direct": True}}, "has a 'revise' request"),
    ],
)
def test_a_constitution_without_the_wordings_is_refused(
    gone: dict[str, str], keys: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        scopes(principle("one").model_copy(update=gone), **keys)


def test_without_rounds_no_critique_is_needed() -> None:
    bare = principle("one").model_copy(update={"critique": "", "revise": ""})
    assert ids(scopes(bare, loop={"rounds": 0}).judging(prompt())) == ["one"]


def test_a_run_draws_by_tags_and_records_prompts_that_nothing_applies_to(tmp_path: Path) -> None:
    dose = Prompt((Message("user", "Dose?"),), tags=("medical",))
    cake = Prompt((Message("user", "Cake?"),), tags=("cooking",))
    run = cai.Generation.create(
        CONSTITUTION.model_copy(update={"principles": (MEDICAL,)}),
        [dose, cake],
        run=tmp_path / "run",
        policy=ScriptedEngine(),
        judge=ScriptedEngine(name="judge"),
        loop={"skip_when_clean": False},
    )
    rows = {row.prompt.messages[0].content: row for row in run}
    assert {r.principle_id for chain in rows["Dose?"].revisions for r in chain} == {"careful"}
    assert "No principle of test@1.0.0 applies" in rows["Cake?"].error
    # Tags alone decide it, so nothing was asked for.
    assert not rows["Cake?"].samples
    with RunStore.read(tmp_path / "run") as store:
        policy = [total for total in store.totals() if total.stage == "sample"]
    assert sum(total.calls for total in policy) == 2
    (reason,) = run.progress.reasons
    assert "No principle of test@1.0.0 applies" in reason


def test_a_plan_says_which_prompts_have_no_row(tmp_path: Path) -> None:
    rows = tmp_path / "prompts.jsonl"
    rows.write_text(
        '{"prompt": "Dose?", "tags": ["medical"]}\n{"prompt": "Cake?", "tags": ["cooking"]}\n'
    )
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "format: 1\nname: rules\nversion: 1.0.0\nsummary: s\nprinciples:\n  - id: a.b\n"
        "    text: t\n    critique: c\n    revise: r\n    judge: Which?\n"
        "    applies_to: [medical]\n"
    )
    scripted = {"engine": "scripted", "model": "scripted"}
    found = estimate(
        parse_config(
            {
                "run": str(tmp_path / "run"),
                "constitution": str(rules),
                "prompts": {"path": str(rows)},
                "models": {"policy": scripted},
            }
        )
    )
    assert found.impossible is not None
    assert (found.impossible.rows, found.impossible.looked_at) == (1, 2)
    assert "tags cooking" in found.impossible.reason


def test_examples_and_rubrics_reach_the_judge() -> None:
    from cai.constitution.principle import Level
    from cai.templates import load_template

    shown = principle("kind").model_copy(
        update={
            "examples": (Example(prompt="Asked?", better="Yes, dear.", worse="No."),),
            "rubric": (Level(score=10, text="All warmth."), Level(score=1, text="All ice.")),
        }
    )
    values = {"conversation": "User: x", "principles": [shown]}
    asked = load_template("judge", "default").render(values | {"answer_a": "a", "answer_b": "b"})
    assert "Asked: Asked?\nBetter: Yes, dear.\nWorse: No." in asked[-1].content
    scored = load_template("score", "expected").render(values | {"response": "a"})
    assert "- Be kind.\n  1: All ice.\n  10: All warmth." in scored[-1].content
