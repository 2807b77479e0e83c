"""Pairs of rules before a judge: which are asked, in both orders, once, and what is believed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cai.config import parse_config
from cai.constitution import Constitution
from cai.constitution.lint.contradictions import (
    ALL_PAIRS_OF,
    contradiction_finding,
    known_pairs,
    rule_pairs,
)
from cai.engines import ScriptedEngine
from cai.engines.factory import Engines
from cai.engines.memo import Meter
from cai.errors import RowEngineError, UsageError
from cai.loop.contradictions import Compared, compare_rules
from cai.records import Completion, Request, Usage
from cai.store import RunStore
from cai.templates import load_template
from tests.unit.lint_helpers import OTHER, constitution

SHORT = {"id": "a.short", "text": "The answer is one sentence long."}
LONG = {"id": "b.long", "text": "The answer is ten paragraphs long."}
KIND = {"id": "c.kind", "text": "The answer is kind."}
RULES = constitution(SHORT, LONG, KIND)


def rules_in(request: Request) -> list[str]:
    lines = request.messages[-1].content.splitlines()
    return [line.removeprefix("- ") for line in lines if line.startswith("- ")]


def knowing(request: Request) -> Completion:
    """A judge that knows: a sentence is no ten paragraphs."""
    clash = {SHORT["text"], LONG["text"]} == set(rules_in(request))
    return ScriptedEngine.label(0.1 if clash else 0.9, labels=("Yes", "No"))


def leaning(request: Request) -> Completion:
    """A judge that goes by which rule comes first."""
    first = rules_in(request)[0]
    return ScriptedEngine.label(0.2 if first == SHORT["text"] else 0.8, labels=("Yes", "No"))


def ask(
    folder: Path,
    answer: Any,
    rules: Constitution = RULES,
    meter: Meter | None = None,
    **config: Any,
) -> dict[tuple[str, str], Compared]:
    settings = parse_config({"prompts": {"path": "starter"}, **config})
    engine = ScriptedEngine(answer)

    async def run() -> list[Compared]:
        pairs = rule_pairs(rules)
        engines = Engines(engine, engine, engine)
        found = compare_rules(settings, pairs, folder, engines=engines, meter=meter)
        return [one async for one in found]

    return {(c.pair[0].id, c.pair[1].id): c for c in asyncio.run(run())}


def test_a_contradiction_is_one_in_both_orders(tmp_path: Path) -> None:
    found = ask(tmp_path, knowing)
    assert len(found) == 3
    clash = found["a.short", "b.long"]
    assert clash.p == pytest.approx((0.9, 0.9))
    assert (clash.contradicts, clash.agrees) == (True, False)
    kind = found["a.short", "c.kind"]
    assert kind.p == pytest.approx((0.1, 0.1))
    assert (kind.contradicts, kind.agrees) == (False, True)


def test_a_judge_that_leans_to_one_order_is_not_believed(tmp_path: Path) -> None:
    clash = ask(tmp_path, leaning)["a.short", "b.long"]
    assert clash.p == pytest.approx((0.8, 0.2))
    assert (clash.contradicts, clash.agrees) == (False, False)


def test_both_orders_are_asked_with_both_texts(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def noting(request: Request) -> Completion:
        asked.append(rules_in(request))
        return knowing(request)

    ask(tmp_path, noting, constitution(SHORT, LONG))
    texts = [SHORT["text"], LONG["text"]]
    assert sorted(asked) == sorted([texts, texts[::-1]])


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    first, again = Meter(), Meter()
    assert ask(tmp_path, knowing, meter=first) == ask(tmp_path, knowing, meter=again)
    assert (first.asked, again.asked, again.remembered) == (6, 0, 6)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: Completion("", "refused", Usage()),
        lambda _: "Perhaps",
        lambda _: RowEngineError("too long"),
    ],
)
def test_a_judge_that_does_not_answer_leaves_the_pair_open(tmp_path: Path, answer: Any) -> None:
    found = ask(tmp_path, answer)["a.short", "b.long"]
    assert found.p == (None, None)
    assert (found.contradicts, found.agrees) == (None, None)


def test_short_samples_do_where_there_are_no_log_probabilities(tmp_path: Path) -> None:
    found = ask(tmp_path, lambda r: "No" if "ten paragraphs" in str(rules_in(r)) else "Yes")
    assert found["a.short", "b.long"].contradicts is True
    assert found["a.short", "c.kind"].contradicts is False


def test_the_folder_of_a_run_is_left_alone(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        store.set_meta(config={"format": 1})
    with pytest.raises(UsageError, match="holds a run"):
        ask(tmp_path, knowing)


def test_a_panel_is_averaged(tmp_path: Path) -> None:
    settings = parse_config({"prompts": {"path": "starter"}})
    kind = ScriptedEngine(lambda _: ScriptedEngine.label(0.9, labels=("Yes", "No")), name="kind")
    harsh = ScriptedEngine(lambda _: ScriptedEngine.label(0.3, labels=("Yes", "No")), name="harsh")
    mute = ScriptedEngine(lambda _: Completion("", "refused", Usage()), name="mute")

    async def run() -> list[Compared]:
        engines = Engines(kind, kind, kind, (kind, harsh, mute))
        pairs = rule_pairs(RULES)[:1]
        return [one async for one in compare_rules(settings, pairs, tmp_path, engines=engines)]

    (found,) = asyncio.run(run())
    assert found.p == pytest.approx((0.4, 0.4))


def test_a_template_of_that_name_in_the_own_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "score").mkdir()
    source = load_template("score", "contradiction")
    assert (source.labels, source.inputs) == (("Yes", "No"), {"principles"})
    (tmp_path / "score" / "contradiction.jinja").write_text(
        "---\nversion: 1.0.0\nstage: score\ninputs: [principles]\noutput: label\n"
        'labels: ["Yes", "No"]\n---\n<<user>>\nMY OWN {{ principles[0].text }}\n'
    )
    asked: list[str] = []

    def noting(request: Request) -> Completion:
        asked.append(request.messages[-1].content)
        return ScriptedEngine.label(0.9, labels=("Yes", "No"))

    ask(tmp_path / "store", noting, templates={"folder": str(tmp_path)})
    assert len(asked) == 3
    assert all(text.startswith("MY OWN") for text in asked)


def test_rules_for_different_prompts_are_no_pair() -> None:
    apart = constitution(
        {**SHORT, "applies_to": ["child"]},
        {**LONG, "applies_to": {"none": ["child"]}},
        {**KIND, "applies_to": ["adult"]},
    )
    pairs = {(one.id, other.id) for one, other in rule_pairs(apart)}
    assert pairs == {("a.short", "c.kind"), ("b.long", "c.kind")}


def test_pairs_with_most_words_in_common_come_first() -> None:
    pairs = [(one.id, other.id) for one, other in rule_pairs(constitution(KIND, LONG, SHORT))]
    assert len(pairs) == 3
    assert pairs[0] == ("a.short", "b.long")
    assert [(a.id, b.id) for a, b in rule_pairs(RULES, limit=1)] == [("a.short", "b.long")]


def test_there_are_as_many_pairs_as_twenty_principles_have() -> None:
    def of(count: int) -> int:
        many = [{**OTHER, "id": f"p.{i}", "text": f"Rule number {i}."} for i in range(count)]
        return len(rule_pairs(constitution(*many)))

    assert of(ALL_PAIRS_OF) == 190
    assert of(ALL_PAIRS_OF + 10) == 190
    assert of(3) == 3


def test_a_finding_names_both_rules_and_both_numbers() -> None:
    found = contradiction_finding(*RULES.principles[:2], (0.91, 0.62))
    assert (found.code, found.level, found.principle_id) == ("C802", "warning", "a.short")
    for part in ("'b.long'", "0.91", "0.62 with the two swapped", SHORT["text"], LONG["text"]):
        assert part in found.message


def test_pairs_with_a_known_answer_are_balanced_and_not_examples_of_the_template() -> None:
    contradict, agree = known_pairs()
    assert len(contradict) == len(agree) >= 6
    template = load_template("score", "contradiction")
    shown = {"principles": list(RULES.principles[:2])}
    examples = "\n".join(m.content for m in template.render(shown)[: template.shared])
    texts = [p.text for pair in (*contradict, *agree) for p in pair]
    assert not any(text in examples for text in texts)
    ids = [p.id for pair in (*contradict, *agree) for p in pair]
    assert len(set(ids)) == len(ids)
