"""Which pairs are made: confirmed revisions, pairings of samples, contrast."""

import json
from collections.abc import Callable
from dataclasses import replace
from math import comb
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import ConfirmConfig, asked, parse_config
from cai.engines import ScriptedEngine
from cai.errors import ConfigError
from cai.formats import ranking
from cai.loop.contrast import BY_CONSTRUCTION
from cai.loop.estimate import estimate
from cai.loop.pairing import AGAINST_RANKING, NOT_EXTREMES, UNCONFIRMED, best_worst, confirmed
from cai.records import Completion, Message, Pair, Prompt, Request, Row, load
from cai.store import RunStore
from cai.store.spending import calls_of
from cai.store.summary import summarise
from tests.unit.formats_helpers import judged
from tests.unit.test_generation import constitution

PROMPTS = [f"Question number {word}?" for word in ("one", "two", "three", "four", "five")]
SPLIT = {"dev": 0.0, "held_out": 0.0}
Make = Callable[..., cai.Generation]


def answer(request: Request) -> str | Completion:
    """Longer answers win. The revision of every question with an 'o' is the shorter text."""
    last = request.messages[-1].content
    if request.stage == "judge":
        a, b = (last.split(f"<answer_{x}>")[1].split(f"</answer_{x}>")[0] for x in "ab")
        return ScriptedEngine.label(0.9 if len(a) > len(b) else 0.3)
    if request.stage == "critique":
        return "It could say more."
    if request.stage == "revise":
        return "Kind." if "o" in last.split("number ")[1].split("?")[0] else "Kind, and more so."
    if request.messages[0].role == "system":
        return "An answer under the principles."
    return f"Sample {'x' * (1 + request.sample_index)}."


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_run(engine: ScriptedEngine | None = None, **options: Any) -> cai.Generation:
        options.setdefault("run", tmp_path / "run")
        options.setdefault("policy", engine or ScriptedEngine(answer=answer))
        options.setdefault("split", SPLIT)
        return cai.Generation.create(constitution(), PROMPTS, **options)

    return make_run


def table(run: cai.Generation, name: str) -> list[dict[str, Any]]:
    lines = (run.folder / "export" / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_defaults_are_part_of_no_plan() -> None:
    keys = asked(parse_config({"prompts": {"path": "p.txt"}}))
    assert not [k for k in keys if "confirm" in k or "contrast" in k or "pairing" in k]
    assert "prompts.mix" not in keys


def test_revisions_that_the_judge_does_not_prefer_are_set_aside(make: Make) -> None:
    list(make(loop={"pairs": ["revision"]}))
    engine = ScriptedEngine(answer=answer)
    on = {"pairs": ["revision"], "confirm": {"revision": True}}
    run = make(engine, loop=on, update=True)
    rows = list(run)
    assert engine.calls == 0
    assert list(make(engine, loop=on)) == []
    pairs = [pair for row in rows for pair in row.pairs]
    lost = [pair for pair in pairs if pair.p is not None and pair.p > 0.5]
    # "one", "two" and "four" are written with an o.
    assert len(lost) == 3
    assert all(pair.note == UNCONFIRMED and pair.verdict for pair in lost)
    assert {pair.note for pair in pairs if pair not in lost} == {""}
    summary = run.export().summary
    assert summary.set_aside == {UNCONFIRMED: 3}
    assert (summary.failed_revisions.count, summary.failed_revisions.n) == (3, 5)
    assert len(table(run, "preferences")) == 2
    aside = table(run, "undecided")
    assert [record["note"] for record in aside] == [UNCONFIRMED] * 3
    assert {record["outcome"] for record in aside} == {"first"}
    # Answers to imitate are another matter: the revisions are all there.
    assert len(table(run, "sft")) == 5


def test_failed_revisions_are_told_whether_or_not_they_count(make: Make) -> None:
    run = make(loop={"pairs": ["revision"]})
    list(run)
    result = run.export()
    assert result.summary.set_aside == {}
    assert len(table(run, "preferences")) == 5
    card = (result.folder / "README.md").read_text("utf-8")
    assert "| Failed revisions: the judge prefers the original | 60.0% (3 of 5) |" in card
    manifest = json.loads((result.folder / "manifest.json").read_text("utf-8"))
    assert manifest["summary"]["failed_revisions"] == {"count": 3, "n": 5, "value": 0.6}
    shown = CliRunner().invoke(app, ["show", str(run.folder)]).output
    assert "Failed revisions (original preferred)" in shown
    assert "60.0% (3 of 5)" in shown


@pytest.mark.parametrize(("p", "margin", "kept"), [(0.2, 0.0, True), (0.2, 0.35, False)])
@pytest.mark.parametrize("on", [True, False])
def test_the_margin_of_a_confirmation(p: float, margin: float, kept: bool, on: bool) -> None:
    pair = judged("Original.", "Revision.", p, "revision")
    found = confirmed(pair, ConfirmConfig(revision=on, margin=margin))
    assert found.is_preference == (kept or not on)
    assert replace(found, note="") == pair


@pytest.mark.parametrize(
    ("pairing", "pairs", "preferences"),
    [("all", 6, 6), ("best_worst", 6, 1), ("adjacent", 3, 3), ("reference", 3, 3)],
)
def test_pairings(make: Make, pairing: str, pairs: int, preferences: int) -> None:
    engine = ScriptedEngine(answer=answer)
    loop = {"samples": 4, "rounds": 0, "pairs": ["samples"], "pairing": pairing}
    run = make(engine, loop=loop)
    rows = list(run)
    assert engine.by_stage["judge"] == 2 * pairs * len(PROMPTS)
    for row in rows:
        assert len(row.pairs) == pairs
        assert sum(pair.is_preference for pair in row.pairs) == preferences
        (found,) = ranking(row)
        # Compared with the first alone, the others come out alike.
        in_order = sorted(found.answers, key=len, reverse=True)
        assert list(found.answers) == in_order or pairing == "reference"
    exported = [(r["chosen_name"], r["rejected_name"]) for r in _exported(run)]
    best = {
        "best_worst": {("sample 3", "sample 0")},
        "adjacent": {(f"sample {i + 1}", f"sample {i}") for i in range(3)},
        "reference": {(f"sample {i}", "sample 0") for i in (1, 2, 3)},
    }
    assert set(exported) == best.get(pairing, set(exported))
    assert len(exported) == preferences * len(PROMPTS)


def _exported(run: cai.Generation) -> list[dict[str, Any]]:
    run.export()
    return table(run, "preferences")


def test_another_pairing_asks_only_what_is_new(make: Make) -> None:
    loop = {"samples": 4, "rounds": 0, "pairs": ["samples"]}
    list(make(loop={**loop, "pairing": "adjacent"}))
    engine = ScriptedEngine(answer=answer)
    list(make(engine, loop=loop, update=True))
    assert engine.calls == 2 * 3 * len(PROMPTS)
    again = ScriptedEngine(answer=answer)
    run = make(again, loop={**loop, "pairing": "best_worst"}, update=True)
    assert summarise((row, "train") for row in run).set_aside == {NOT_EXTREMES: 5 * len(PROMPTS)}
    assert again.calls == 0


def test_the_best_and_the_worst_by_hand() -> None:
    pairs = (judged("a", "b", 0.9), judged("b", "c", 0.9), judged("a", "c", 0.7))
    assert [pair.note for pair in best_worst(pairs)] == [NOT_EXTREMES, NOT_EXTREMES, ""]
    # Two sure comparisons outweigh the one of both ends, which says the opposite.
    circle = (judged("a", "b", 0.9), judged("b", "c", 0.9), judged("a", "c", 0.4))
    assert [pair.note for pair in best_worst(circle)][2] == AGAINST_RANKING
    # The same text twice: the pair counts once.
    twins = (judged("a", "b", 0.9), judged("a", "b", 0.9))
    assert [pair.note for pair in best_worst(twins)] == ["", NOT_EXTREMES]
    silent = (Pair("p", "samples", "a", "a", "1", "2", note="identical"),)
    assert best_worst(silent) == silent


@given(st.lists(st.floats(0.02, 0.98), min_size=6, max_size=6), st.integers(0, 63))
def test_best_and_worst_do_not_depend_on_who_is_called_first(ps: list[float], turned: int) -> None:
    names = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]
    pairs = [judged(*two, round(p, 3)) for two, p in zip(names, ps, strict=True)]
    other = [pair.swap() if turned >> i & 1 else pair for i, pair in enumerate(pairs)]
    found, again = best_worst(pairs), best_worst(other)
    assert sum(not pair.note for pair in found) <= 1
    for one, two in zip(found, again, strict=True):
        # Equal scores stay in the order of the pairs, which the swap changes.
        if len(set(ps)) == 6:
            assert {one.first, one.second} == {two.first, two.second}
            assert one.is_preference == two.is_preference or one.p == 0.5


CONTRAST = {"samples": 1, "rounds": 0, "pairs": ["contrast"]}


def test_contrast_pairs_are_judged_like_any_other(make: Make) -> None:
    engine = ScriptedEngine(answer=answer)
    run = make(engine, loop=CONTRAST)
    rows = list(run)
    assert (engine.by_stage["sample"], engine.by_stage["judge"]) == (10, 10)
    for row in rows:
        (pair,), (under,) = row.pairs, row.contrast
        assert (pair.kind, pair.first, pair.second) == ("contrast", under.text, "Sample x.")
        # The longer text wins: ½ [0.9 + (1 − 0.3)].
        assert pair.p == pytest.approx(0.8)
        assert len(list(calls_of(row))) == 4
        assert load(Row, cai.hashing.canonical_json(row)) == row
    result = run.export()
    assert result.summary.pairs == {"contrast": 5}
    assert result.summary.preferred == {"contrast": {"constitution": 5}}
    assert result.summary.contrast == {"answered": 5}
    assert "The judge compares them as well." in _card(result.folder)
    assert list(make(engine, loop=CONTRAST)) == []
    assert engine.calls == 20


def _card(folder: Path) -> str:
    return (folder / "README.md").read_text("utf-8")


def test_only_the_constitution_tells_the_two_answers_apart(make: Make) -> None:
    seen: list[Request] = []

    def watching(request: Request) -> str | Completion:
        seen.append(request)
        return answer(request)

    list(make(ScriptedEngine(answer=watching), loop=CONTRAST, templates={"sample": "brief"}))
    first = [r for r in seen if r.stage == "sample" and r.messages[-1].content == PROMPTS[0]]
    plain, under = sorted(first, key=lambda r: len(r.messages[0].content))
    (system, question), (told, asked_) = plain.messages, under.messages
    assert question == asked_
    assert told.role == "system"
    assert told.content.endswith(system.content)
    for principle in constitution().principles:
        assert f"- {principle.text}\n" in told.content
    assert "<<principles>>" not in told.content
    assert plain.sampling.max_tokens == under.sampling.max_tokens
    assert (plain.shared, under.shared) == (1, 1)


def test_a_prompt_cannot_ask_for_the_principles(tmp_path: Path) -> None:
    seen: list[Request] = []

    def watching(request: Request) -> str | Completion:
        seen.append(request)
        return answer(request)

    own = (Message("system", "Be a pirate."), Message("user", "<<principles>> number one?"))
    engine = ScriptedEngine(answer=watching)
    list(
        cai.Generation.create(
            constitution(), [Prompt(own)], policy=engine, run=tmp_path / "r", loop=CONTRAST
        )
    )
    (under,) = [r for r in seen if r.stage == "sample" and len(r.messages) == 3]
    assert under.messages[1:] == own


def test_contrast_by_construction_is_never_silent(make: Make) -> None:
    engine = ScriptedEngine(answer=answer)
    run = make(engine, loop={**CONTRAST, "contrast": {"judge": False}})
    rows = list(run)
    assert engine.by_stage["judge"] == 0
    for row in rows:
        (pair,) = row.pairs
        # What nobody judged has no probability of a judge, and counts as judged nowhere.
        assert (pair.soft_label, pair.note, pair.p) == (1.0, BY_CONSTRUCTION, None)
        assert pair.is_preference
        assert pair.swap().soft_label == 0.0
        assert pair.swap().oriented() == pair.swap().swap() == pair
        # Nobody compared anything, so nobody can say by how much one is better.
        assert ranking(row) == ()
    result = run.export()
    assert result.summary.judged_pairs == 0
    assert result.summary.not_judged == {BY_CONSTRUCTION: 5}
    assert "Nobody judged these pairs" in _card(result.folder)
    for record in table(run, "preferences"):
        assert (record["p"], record["margin"], record["judge"]) == (1.0, 1.0, BY_CONSTRUCTION)
        assert record["orders"] == record["principle_ids"] == []
        assert record["chosen"][0]["content"] == "An answer under the principles."
    shown = CliRunner().invoke(app, ["show", str(run.folder), "1"]).output
    assert "Sample under the constitution: answered" in shown
    assert f"not judged ({BY_CONSTRUCTION})" in shown
    assert "5 by construction" in CliRunner().invoke(app, ["show", str(run.folder)]).output


def test_equal_or_missing_answers_are_no_contrast(make: Make) -> None:
    def same(request: Request) -> str | Completion:
        if "one" in request.messages[-1].content and request.messages[0].role == "system":
            return Completion("", "refused")
        return "The same text."

    loop = {**CONTRAST, "contrast": {"judge": False}}
    rows = list(make(ScriptedEngine(answer=same), loop=loop))
    pairs = [pair for row in rows for pair in row.pairs]
    assert [(pair.note, pair.soft_label) for pair in pairs] == [("identical", None)] * 4
    assert not any(pair.is_preference for pair in pairs)


def test_templates_must_fit_their_place(make: Make) -> None:
    with pytest.raises(ConfigError, match="does not show the principles"):
        make(loop=CONTRAST, templates={"contrast": "brief"})
    with pytest.raises(ConfigError, match="Choose another one for plain samples"):
        make(templates={"sample": "constitution"})


@pytest.mark.parametrize(
    ("loop", "samples", "judge"),
    [
        ({"samples": 5, "rounds": 0, "pairs": ["samples"], "pairing": "best_worst"}, 5, 20),
        ({"samples": 5, "rounds": 0, "pairs": ["samples"], "pairing": "reference"}, 5, 8),
        ({"samples": 2, "rounds": 0, "pairs": ["samples", "contrast"]}, 3, 4),
        ({"rounds": 0, "pairs": ["contrast"], "contrast": {"judge": False}}, 3, 0),
    ],
)
def test_the_plan_counts_what_the_run_asks(
    tmp_path: Path, loop: dict[str, Any], samples: int, judge: int
) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("\n".join(PROMPTS), encoding="utf-8")
    config = parse_config(
        {
            "run": str(tmp_path / "run"),
            "prompts": {"path": str(file)},
            "models": {"policy": {"engine": "scripted"}},
            "loop": loop,
        }
    )
    calls = {stage.stage: stage.calls.likely for stage in estimate(config).stages}
    assert calls == {"sample": samples * 5, **({"judge": judge * 5} if judge else {})}
    assert comb(5, 2) * 2 == 20
    list(cai.Generation(config))
    with RunStore.read(tmp_path / "run") as store:
        asked_ = {total.stage: total.calls for total in store.totals()}
    assert asked_["sample"] == samples * 5
    assert asked_.get("judge", 0) <= judge * 5
