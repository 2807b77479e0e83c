"""Several principles and several judges: how they become one verdict, and what the record keeps."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import JudgeConfig, ModelsConfig, parse_config
from cai.engines import ScriptedEngine
from cai.errors import ChangedRunError, ConfigError
from cai.hashing import canonical_json
from cai.judge import Jury, Seat, combine_principles, pool, pool_judges, worst_case
from cai.loop.estimate import estimate
from cai.loop.judging import self_preference
from cai.records import JudgeVerdict, Pair, PrincipleVerdict, Verdict, load
from cai.store import RunStore
from tests.unit.judge_helpers import (
    KIND,
    PROMPT,
    Fixed,
    jury,
    make_run,
    principle,
    verdict,
)

KIND_AND_TRUE = ((KIND,), (principle("true", 3.0),))
ps = st.lists(st.floats(0, 1), min_size=1, max_size=6)
HOW = ("mean", "median", "weighted", "worst", "priority")


def judged(*seats: Fixed, **options: Any) -> Verdict:
    return asyncio.run(jury(*seats, **options).judge(PROMPT, "one", "two", KIND_AND_TRUE))


@pytest.mark.parametrize("how", HOW)
@given(ps=ps)
def test_pooling_is_symmetric_under_swapping_the_pair(how: Any, ps: list[float]) -> None:
    weights = [1.0 + i for i in range(len(ps))]
    levels = [i % 3 for i in range(len(ps))]
    pooled = pool(ps, weights, how, levels=levels, tie_band=0.05)
    low, high = min(ps) - 1e-12, max(ps) + 1e-12
    assert (low <= pooled <= high) or (how == "worst" and pooled == 0.5)
    turned = pool([1 - p for p in ps], weights, how, levels=levels, tie_band=0.05)
    assert turned == pytest.approx(1 - pooled)


@given(ps)
def test_pooling_as_numpy_has_it(ps: list[float]) -> None:
    weights = [1.0 + i for i in range(len(ps))]
    assert pool(ps, weights, "mean") == pytest.approx(np.mean(ps))
    assert pool(ps, weights, "median") == pytest.approx(np.median(ps))
    assert pool(ps, weights, "weighted") == pytest.approx(np.average(ps, weights=weights))
    margins = np.float64(ps) - 0.5
    expected = 0.5 + max(0, margins.min()) + min(0, margins.max())
    assert pool(ps, weights, "worst") == pytest.approx(expected)


def test_the_highest_priority_that_decides_goes_first() -> None:
    def by(ps: list[float], levels: list[int]) -> float:
        return pool(ps, [1.0] * len(ps), "priority", levels=levels, tie_band=0.05)

    assert by([0.9, 0.1, 0.2], [1, 0, 1]) == 0.1
    # The highest level is a tie, so the next one decides; and all together where none does.
    assert by([0.9, 0.52, 0.7], [1, 0, 1]) == pytest.approx(0.8)
    assert by([0.52, 0.46], [0, 1]) == pytest.approx(0.49)


def test_a_run_aggregates_by_the_priorities_of_its_constitution() -> None:
    first, second = verdict(0.9), verdict(0.2, principle="true")
    for order, expected in ((("kind", "true"), 0.9), (("true", "kind"), 0.2)):
        seat = Fixed(kind=first, true=second)
        found = Jury(
            [Seat("", seat)], JudgeConfig(aggregate="priority", scope="each"), level=order.index
        )
        assert asyncio.run(found.judge(PROMPT, "one", "two", KIND_AND_TRUE)).p == expected


def test_the_worst_case_is_the_least_margin_of_an_agreed_winner() -> None:
    assert worst_case([0.9, 0.6, 0.8]) == 0.6
    assert worst_case([0.1, 0.45]) == 0.45
    # One principle against the winner is enough, whatever the others say.
    assert worst_case([0.99, 0.99, 0.49]) == 0.5
    assert worst_case([0.99, 0.5]) == 0.5


def test_a_majority_counts_labels_and_a_mean_counts_probabilities() -> None:
    panel = [verdict(0.51), verdict(0.52), verdict(0.02), verdict(None, "refused")]
    assert pool_judges(panel, "majority") == pytest.approx(2 / 3)
    assert pool_judges(panel, "mean") == pytest.approx(0.35)
    tied = [verdict(0.9), verdict(0.5, "tie")]
    assert pool_judges(tied, "majority") == 0.75
    assert pool_judges([verdict(None, "refused")], "mean") is None


@given(st.lists(st.sampled_from([None, 0.1, 0.4, 0.5, 0.7]), min_size=1, max_size=5))
def test_a_panel_is_symmetric_too(found: list[float | None]) -> None:
    verdicts = [verdict(p, "" if p is not None else "refused") for p in found]
    turned = [verdict(None if p is None else 1 - p, "" if p else "refused") for p in found]
    for how in ("mean", "majority"):
        one, other = pool_judges(verdicts, how), pool_judges(turned, how)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one + other == pytest.approx(1)


@given(st.lists(st.sampled_from([None, 0.1, 0.47, 0.5, 0.7]), min_size=1, max_size=4))
def test_one_judge_is_as_before(found: list[float | None]) -> None:
    groups = [(principle(f"p{i}"),) for i in range(len(found))]
    verdicts = {f"p{i}": verdict(p, "" if p else "truncated") for i, p in enumerate(found)}
    told = asyncio.run(jury(Fixed(**verdicts)).judge(PROMPT, "one", "two", groups))
    assert told == combine_principles(list(verdicts.values()), 0.05)


def test_each_judge_of_a_panel_keeps_its_verdict() -> None:
    first = Fixed(kind=verdict(0.9), true=verdict(0.7))
    second = Fixed(kind=verdict(0.2), true=verdict(None, "refused"))
    found = judged(first, second, aggregate="weighted", scope="each")
    assert found.p == pytest.approx((1 * 0.55 + 3 * 0.7) / 4)
    assert found.judges == (
        JudgeVerdict("j0", "first", pytest.approx((0.9 + 3 * 0.7) / 4)),
        JudgeVerdict("j1", "second", 0.2),
    )
    assert [v.judge for v in found.principles] == ["j0", "j1", "j0", "j1"]
    assert found.judged_by == ("j0", "j1")
    given_ = [0.9, 0.2, 0.7]
    assert found.disagreement == pytest.approx(np.std(given_))
    assert found.dissent == pytest.approx(1 / 3)
    assert found.entropy == pytest.approx(-np.sum([q * np.log2(q) for q in (found.p, 1 - found.p)]))
    pair = Pair("p", "samples", "one", "two", "a", "b", found)
    assert load(Pair, canonical_json(pair)) == pair
    swapped = pair.swap().verdict
    assert swapped is not None
    assert [j.outcome for j in swapped.judges] == ["second", "first"]
    assert swapped.disagreement == pytest.approx(found.disagreement)
    assert swapped.dissent == found.dissent
    assert swapped.entropy == pytest.approx(found.entropy)


def test_no_panel_no_sum() -> None:
    silent = judged(
        Fixed(kind=verdict(None, "refused"), true=verdict(None, "refused")),
        Fixed(kind=verdict(None, "unparsed"), true=verdict(None, "unparsed")),
        Fixed(kind=verdict(None, "unparsed"), true=verdict(None, "unparsed")),
    )
    assert (silent.outcome, silent.p) == ("unparsed", None)
    assert silent.disagreement is silent.dissent is silent.entropy is None
    assert silent.judged_by == ()
    sure = Verdict("first", (verdict(1.0),), 1.0)
    assert sure.entropy == 0.0
    assert sure.disagreement is None
    assert sure.dissent == 0.0


def test_a_run_with_a_panel(tmp_path: Path) -> None:
    judging = {"scope": "each", "aggregate": "worst", "panel": "majority"}
    panel = [ScriptedEngine(name=f"m{i}") for i in range(3)]
    rows = list(make_run(tmp_path, judging=judging, judge=None, judges=panel))
    # Six pairs under two principles in both orders.
    assert [engine.by_stage["judge"] for engine in panel] == [24, 24, 24]
    names = [engine.fingerprint for engine in panel]
    for pair in (pair for row in rows for pair in row.pairs):
        assert pair.verdict is not None
        assert [judge.name for judge in pair.verdict.judges] == names
        assert Counter(v.judge for v in pair.verdict.principles) == dict.fromkeys(names, 2)
    again = [ScriptedEngine(name=f"m{i}") for i in range(3)]
    assert list(make_run(tmp_path, judging=judging, judge=None, judges=again)) == []
    with pytest.raises(ChangedRunError) as caught:
        list(make_run(tmp_path, judging=judging, judge=None, judges=again[:2]))
    assert caught.value.keys == ("models.judges.2.fingerprint",)
    smaller = make_run(tmp_path, judging=judging, judge=None, judges=again[:2], update=True)
    assert len(list(smaller)) == 3
    assert [engine.calls for engine in again] == [0, 0, 0]
    smaller.export()
    exported = (tmp_path / "run" / "export" / "undecided.jsonl").read_text("utf-8")
    decided = (tmp_path / "run" / "export" / "preferences.jsonl").read_text("utf-8")
    assert '"judge":"scripted/m0, scripted/m1"' in exported + decided
    with RunStore.read(tmp_path / "run") as store:
        calls = {m.fingerprint: m.calls for m in store.models() if m.stage == "judge"}
    assert calls == dict.fromkeys(names, 24)
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "run"), "1"])
    assert shown.exit_code == 0, shown.output
    assert "scripted/m1: " in shown.output


def test_a_panel_of_one_model_is_refused(tmp_path: Path) -> None:
    twins = [ScriptedEngine(name="m"), ScriptedEngine(name="m")]
    run = make_run(tmp_path, judging={}, judges=twins)
    with pytest.raises(ConfigError, match=r"judges\.0 and judges\.1 are the same model"):
        list(run)


PAID = {"engine": "openai", "base_url": "https://api.example.com/v1"}


def priced(tmp_path: Path, **models: Any) -> Any:
    (tmp_path / "p.txt").write_text("One?\nTwo?\nThree?\n")
    return parse_config(
        {
            "run": str(tmp_path / "run"),
            "prompts": {"path": str(tmp_path / "p.txt")},
            "models": {"policy": {"engine": "scripted"}, **models},
            "loop": {"skip_when_clean": False},
            "judge": {"votes": 3},
            "prices": {"cheap": {"input": 1, "output": 1}, "dear": {"input": 10, "output": 10}},
        }
    )


def test_the_plan_counts_each_judge(tmp_path: Path) -> None:
    cheap = {**PAID, "model": "cheap"}
    panel = [cheap, {**PAID, "model": "dear", "logprobs": "never"}]
    found = estimate(priced(tmp_path, judges=panel, fallback_judge={**PAID, "model": "x"}))
    stages = {stage.role: stage for stage in found.stages if stage.stage == "judge"}
    assert {role: stage.calls.likely for role, stage in stages.items()} == {
        "judges.0": 12,
        "judges.1": 36,
    }
    assert [stage.model for stage in stages.values()] == ["cheap", "dear"]
    one, other = (stage.usd for stage in stages.values())
    assert one is not None and other is not None
    assert other.likely > 25 * one.likely


def test_a_measured_panel_is_counted_by_judge(tmp_path: Path) -> None:
    models = {
        "judges": [{"engine": "scripted", "model": "a"}, {"engine": "scripted", "model": "b"}]
    }
    settings = priced(tmp_path, **models)
    (tmp_path / "p.txt").write_text("".join(f"Question {i}?\n" for i in range(14)))
    limited = settings.prompts.model_copy(update={"limit": 12})
    list(cai.Generation(settings.model_copy(update={"prompts": limited})))
    found = estimate(settings)
    assert found.measured == 12
    judges = {stage.role: stage for stage in found.stages if stage.stage == "judge"}
    per_row = 4.0
    for role in ("judges.0", "judges.1"):
        # Two prompts are left; some critiques found nothing, which leaves one pair.
        assert 0 < judges[role].calls.likely <= 2 * per_row
        assert judges[role].answered == 0


@pytest.mark.parametrize(
    ("models", "warned"),
    [
        ({"policy": {"model": "m"}}, True),
        ({"policy": {"model": "m"}, "critic": {"model": "n"}}, False),
        ({"policy": {"model": "m"}, "judge": {"model": "m", "device": "cuda"}}, True),
        ({"policy": {"model": "m"}, "judge": {"model": "m", "revision": "x"}}, False),
        ({"policy": {"model": "m"}, "judges": [{"model": "m"}, {"model": "n"}]}, False),
        ({"policy": {"model": "m"}, "judges": [{"model": "m"}]}, True),
        ({"policy": {"engine": "scripted"}}, False),
    ],
)
def test_a_model_that_judges_itself_is_warned_about(models: Any, warned: bool) -> None:
    assert bool(self_preference(ModelsConfig.model_validate(models))) == warned


def test_the_warning_is_shown_once(tmp_path: Path) -> None:
    config = tmp_path / "cai.yaml"
    (tmp_path / "p.txt").write_text("One?\n")
    model = "{engine: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}"
    config.write_text(f"prompts: {{path: p.txt}}\nmodels: {{policy: {model}}}\n")
    planned = CliRunner().invoke(app, ["plan", str(config)])
    assert planned.exit_code == 0, planned.output
    assert " ".join(planned.output.split()).count("Models prefer their own answers") == 1
    config.write_text("prompts: {path: p.txt}\nmodels: {policy: {engine: transformers}}\n")
    ran = CliRunner().invoke(
        app, ["generate", str(config), "--engine", "scripted", "--run", str(tmp_path / "run")]
    )
    assert ran.exit_code == 0, ran.output
    assert "Models prefer" not in ran.output


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_disagreement_is_at_most_a_half(found: list[float]) -> None:
    verdicts: tuple[PrincipleVerdict, ...] = tuple(verdict(p) for p in found)
    pooled = combine_principles(verdicts, 0.0)
    assert pooled.disagreement is not None and pooled.entropy is not None
    assert 0 <= pooled.disagreement <= 0.5 + 1e-12
    assert 0 <= pooled.entropy <= 1 + 1e-12
    replaced = replace(pooled, principles=(*verdicts, replace(verdicts[0], superseded=True)))
    assert replaced.disagreement == pooled.disagreement
