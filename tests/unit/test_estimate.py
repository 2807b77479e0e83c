"""What `cai plan` says, against counts worked out by hand and against real runs."""

import json
from math import comb
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import Config, parse_config
from cai.errors import BudgetError, ConfigError
from cai.loop.estimate import Estimate, estimate
from cai.loop.figures import Range, total
from cai.loop.rehearse import request_tokens, spread
from cai.loop.source import open_source
from cai.records import Message, Request, Sampling
from cai.store import RunStore
from cai.store.facts import Spent

PAID = {"engine": "openai", "model": "m", "base_url": "https://api.example.com/v1"}
PRICES = {"m": {"input": 1.0, "output": 4.0}}


def config(folder: Path, prompts: int = 6, **sections: Any) -> Config:
    path = folder / "prompts.jsonl"
    lines = (json.dumps({"prompt": f"Question {i}: why?"}) for i in range(prompts))
    path.write_text("\n".join(lines), encoding="utf-8")
    data = {"prompts": {"path": str(path)}, "run": str(folder / "run"), **sections}
    data.setdefault("models", {"policy": {"engine": "scripted"}})
    return parse_config(data)


def calls(found: Estimate) -> dict[str, Range]:
    return {stage.stage: stage.calls for stage in found.stages}


def test_calls_by_hand(tmp_path: Path) -> None:
    found = estimate(config(tmp_path, 6, loop={"skip_when_clean": False}))
    # For each prompt: 2 samples, of which one is revised once; 2 pairs, each in both orders.
    assert calls(found) == {
        "sample": Range(12, 12, 12),
        "critique": Range(6, 6, 6),
        "revise": Range(6, 6, 6),
        "judge": Range(24, 24, 24),
    }
    assert found.pairs == Range(12, 12, 12)
    assert (found.prompts, found.finished, found.rehearsed) == (6, 0, 6)


def test_clean_critiques_make_the_range(tmp_path: Path) -> None:
    found = estimate(config(tmp_path, 10))
    assert calls(found)["revise"] == Range(0, 8, 10)
    assert calls(found)["judge"] == Range(20, 36, 40)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    samples=st.integers(1, 4),
    rounds=st.integers(0, 3),
    everything=st.booleans(),
    direct=st.booleans(),
    both=st.booleans(),
    principles=st.integers(1, 3),
    never=st.booleans(),
    kinds=st.sampled_from([("revision",), ("revision", "samples"), ("samples",)]),
)
def test_every_setting_counts(
    tmp_path: Path,
    samples: int,
    rounds: int,
    everything: bool,
    direct: bool,
    both: bool,
    principles: int,
    never: bool,
    kinds: tuple[str, ...],
) -> None:
    if kinds == ("samples",) and samples < 2:
        return
    loop = {
        "samples": samples,
        "rounds": rounds,
        "revise": "all" if everything else "first",
        "direct": direct,
        "skip_when_clean": False,
        "pairs": list(kinds),
    }
    judge = {"orders": "both" if both else "first", "principles": principles, "votes": 3}
    model = {"engine": "scripted", "logprobs": "never" if never else "auto"}
    found = calls(estimate(config(tmp_path, 2, loop=loop, judge=judge, models={"policy": model})))
    chains = samples if everything else 1
    pairs = (chains if "revision" in kinds and rounds else 0) + (
        comb(samples, 2) if "samples" in kinds else 0
    )
    judged = 2 * pairs * principles * (2 if both else 1) * (3 if never else 1)
    expected = {
        "sample": 2 * samples,
        "critique": 0 if direct else 2 * chains * rounds,
        "revise": 2 * chains * rounds,
        "judge": judged,
    }
    assert {stage: r.likely for stage, r in found.items()} == {
        stage: n for stage, n in expected.items() if n
    }


def test_a_server_without_logprobs_is_in_the_high_value_alone(tmp_path: Path) -> None:
    models = {"policy": PAID}
    found = estimate(config(tmp_path, 10, models=models, judge={"votes": 7}))
    judge = calls(found)["judge"]
    assert (judge.low, judge.likely) == (20, 36)
    # The first probes come back empty; after that, seven samples for each of 40 questions.
    assert 7 * 40 < judge.high <= 7 * 40 + 40


def test_tokens_of_a_prompt_by_hand(tmp_path: Path) -> None:
    asked = Request(
        (Message("system", "x" * 40), Message("user", "y" * 21)), Sampling(max_tokens=100)
    )
    assert request_tokens(asked) == round(61 / 4) + 2 * 4
    # The default template of samples adds nothing to the prompt of 17 characters.
    found = estimate(config(tmp_path, 4, loop={"sample": {"max_tokens": 80}}))
    sample = next(stage for stage in found.stages if stage.stage == "sample")
    assert sample.prompt_tokens == Range(64, 64, 64)
    assert sample.completion_tokens == Range(8 * 10, 8 * 40, 8 * 80)


def test_dollars_come_from_tokens_and_prices(tmp_path: Path) -> None:
    found = estimate(config(tmp_path, 5, models={"policy": PAID}, prices=PRICES))
    for stage in found.stages:
        read, written = stage.prompt_tokens.likely, stage.completion_tokens.likely
        assert stage.usd is not None
        assert stage.usd.likely == pytest.approx((read * 1.0 + written * 4.0) / 1e6, rel=1e-3)
        assert stage.price_source == "config"
    assert found.usd.low < found.usd.likely < found.usd.high
    assert found.usd_per_1000_pairs == pytest.approx(1000 * found.usd.likely / found.pairs.likely)
    half = estimate(config(tmp_path, 5, models={"policy": {**PAID, "batch": True}}, prices=PRICES))
    assert half.usd.likely == pytest.approx(found.usd.likely / 2)


def test_an_unknown_price_stays_unknown(tmp_path: Path) -> None:
    models = {"policy": PAID, "judge": {**PAID, "model": "mystery"}}
    found = estimate(config(tmp_path, models=models, prices=PRICES))
    assert found.unpriced == ("mystery",)
    assert found.usd_per_1000_pairs is None
    assert found.usd.likely > 0  # of the stages whose price is known


def test_models_of_ones_own_are_free(tmp_path: Path) -> None:
    # The packages that vllm needs are not asked for, and no server is reached.
    models = {
        "policy": {"engine": "vllm", "model": "gpt-4o"},
        "critic": {"engine": "openai", "model": "gpt-4o", "base_url": "http://localhost:1/v1"},
        "judge": {**PAID, "billing": "free"},
    }
    found = estimate(config(tmp_path, models=models))
    assert found.usd == Range()
    assert not any(stage.paid for stage in found.stages)
    assert {stage.price_source for stage in found.stages} == {"free"}


def test_prompts_are_spread_over_the_file(tmp_path: Path) -> None:
    source = open_source(config(tmp_path, 1000).prompts, None)
    found = [int(p.messages[0].content.split()[1][:-1]) for p in spread(source, 8)]
    assert sorted(found) == [0, 125, 250, 375, 500, 625, 750, 875]
    assert found[:2] == [0, 500]
    limited = open_source(config(tmp_path, 1000).prompts.model_copy(update={"limit": 10}), None)
    assert len(spread(limited, 8)) == 5


def test_a_heavy_config_walks_fewer_prompts(tmp_path: Path) -> None:
    found = estimate(config(tmp_path, 300, loop={"samples": 24}))
    assert 1 <= found.rehearsed < 20
    assert calls(found)["sample"] == Range(7200, 7200, 7200)


def run_some(settings_: Config) -> None:
    run = cai.Generation(settings_)
    for _ in run:
        pass


def test_finished_rows_are_measured_and_left_out(tmp_path: Path) -> None:
    whole = config(tmp_path, 60)
    run_some(whole.model_copy(update={"prompts": whole.prompts.model_copy(update={"limit": 40})}))
    found = estimate(whole)
    assert (found.prompts, found.finished, found.measured, found.rehearsed) == (60, 40, 40, 0)
    assert found.changed == ()
    with RunStore.read(tmp_path / "run") as store:
        totals = {t.stage: t for t in store.totals()}
        assert found.spent == store.spent()
    stages = {stage.stage: stage for stage in found.stages}
    assert stages["sample"].calls == Range(40, 40, 40)  # 2 for each of 20 rows, without a margin
    for name, stage in stages.items():
        assert stage.calls.likely == pytest.approx(totals[name].calls / 2)
        assert stage.completion_tokens.likely == pytest.approx(totals[name].completion_tokens / 2)
        assert stage.completion_tokens.low < stage.completion_tokens.likely
    run_some(whole)
    assert estimate(whole).calls == Range()


def test_a_run_of_few_rows_is_not_measured(tmp_path: Path) -> None:
    run_some(config(tmp_path, 5))
    found = estimate(config(tmp_path, 5))
    assert (found.finished, found.measured) == (5, 0)
    assert found.calls == Range()


def test_answered_calls_of_unfinished_rows_are_left_out(tmp_path: Path) -> None:
    fresh = config(tmp_path, 60)
    calls_of_all = calls(estimate(fresh))
    with pytest.raises(BudgetError):
        run_some(config(tmp_path, 60, runtime={"budget_tokens": 1500, "concurrency": 16}))
    with RunStore.read(tmp_path / "run") as store:
        totals = {total.stage: total for total in store.totals()}
    found = estimate(fresh)
    assert found.finished < 10
    assert found.rehearsed == 60
    stages = {stage.stage: stage for stage in found.stages}
    samples = stages["sample"]
    assert samples.answered == totals["sample"].calls - 2 * found.finished
    assert samples.calls.likely == pytest.approx(120 - totals["sample"].calls)
    # Enough samples were answered to know how long they are.
    mean = totals["sample"].completion_tokens / totals["sample"].calls
    assert samples.completion_tokens.likely == pytest.approx(samples.calls.likely * mean)
    for name, stage in stages.items():
        assert 0 <= stage.calls.likely <= calls_of_all[name].likely
    path = write(tmp_path, 60)
    assert "are answered already and left out" in invoke(path)


def test_a_changed_config_takes_from_the_run_what_is_still_asked(tmp_path: Path) -> None:
    run_some(config(tmp_path, 12))
    found = estimate(config(tmp_path, 12, loop={"samples": 3}))
    assert found.changed == ("loop.samples",)
    assert (found.finished, found.measured, found.rehearsed) == (0, 0, 12)
    # One sample more, and its pairs with the two that are there.
    assert calls(found) == {"sample": Range(12, 12, 12), "judge": Range(48, 48, 48)}


@pytest.mark.parametrize(
    ("usd", "tokens", "spent", "rows"),
    [
        (None, None, 0.0, None),
        (8.0, None, 0.0, None),
        (4.0, None, 0.0, 20 + 40),
        (4.0, None, 2.0, 20 + 20),
        (1.0, None, 2.0, 20),
        (4.0, 100, 0.0, 20 + 8),
        (None, 2000, 0.0, None),
    ],
)
def test_how_far_a_budget_goes(
    usd: float | None, tokens: int | None, spent: float, rows: int | None
) -> None:
    stage = cai_stage(Range(4, 8, 16), Range(400, 900, 1000), Range(50, 100, 200))
    found = Estimate(100, 20, 80, 0, (), Spent(spent, 0, 0, 0, 0.0), Range(1, 1, 1), (stage,))
    assert found.rows_within(usd=usd, tokens=tokens) == rows
    if rows is not None:
        # Rows that are half done when the run stops have taken their part.
        assert found.rows_within(usd=usd, tokens=tokens, in_work=10) == max(20, rows - 5)
        assert found.rows_within(usd=usd, tokens=tokens, in_work=1000) == max(20, rows - 40)


def cai_stage(usd: Range, read: Range, written: Range) -> Any:
    from cai.loop.estimate import StageEstimate

    return StageEstimate(
        "policy", "sample", "m", True, False, Range(1, 1, 1), 0, read, written, usd, "config"
    )


@given(st.lists(st.builds(Range, *[st.integers(0, 99)] * 3), max_size=5), st.integers(0, 9))
def test_ranges_add_up(ranges: list[Range], factor: int) -> None:
    found = total(ranges) * factor
    assert found.low == factor * sum(r.low for r in ranges)
    assert found.high == factor * sum(r.high for r in ranges)


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["plan", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def write(folder: Path, prompts: int = 20, **sections: Any) -> Path:
    path = folder / "cai.yaml"
    path.write_text(config(folder, prompts, **sections).model_dump_json(), encoding="utf-8")
    return path


def test_the_command_shows_stages_totals_and_the_budget(tmp_path: Path) -> None:
    path = write(tmp_path, models={"policy": PAID}, prices=PRICES)
    output = invoke(path, "--budget-usd", "0.01", "--calls-per-second", "2")
    assert "20 prompts" in output
    assert "policy  sample    m         40" in output
    assert "would stop the run when about 0 of 20 rows are finished" in output
    few = invoke(path, "--budget-usd", "0.03", "--calls-per-second", "2")
    assert "would stop the run when about" in few
    assert "Prices of m: config." in output
    assert "four characters a token" in output
    assert "1 min 14 s" in output  # 40 + 20 + 16 + 72 calls, two a second
    assert "likely to suffice" in invoke(path, "--budget-usd", "100", "--budget-tokens", "10000000")


def test_the_command_is_honest_about_unknown_prices(tmp_path: Path) -> None:
    path = write(tmp_path, models={"policy": PAID})
    output = invoke(path, "--budget-usd", "1")
    assert "unknown price" in output
    assert "The price of m is not known." in output
    assert "A budget in dollars needs the price" in output
    assert json.loads(invoke(path, "--json", "--budget-usd", "1"))["totals"]["usd"] is None


def test_the_command_says_free_for_free_models(tmp_path: Path) -> None:
    output = invoke(write(tmp_path), "--limit", "7", "--run", tmp_path / "elsewhere")
    assert "7 prompts" in output
    assert "free" in output
    assert "$" not in output


def test_the_plan_as_json(tmp_path: Path) -> None:
    path = write(tmp_path, models={"policy": PAID}, prices=PRICES)
    found = json.loads(invoke(path, "--json", "--limit", "10", "--calls-per-second", "4"))
    assert found["prompts"] == 10
    assert [stage["stage"] for stage in found["stages"]] == [
        "sample",
        "critique",
        "revise",
        "judge",
    ]
    assert found["totals"]["seconds"]["likely"] == pytest.approx((20 + 10 + 8 + 36) / 4)
    assert found["rows_within_budget"] is None


def test_the_command_tells_of_the_stored_run(tmp_path: Path) -> None:
    run_some(config(tmp_path, 20))
    path = write(tmp_path)
    assert "20 of them done" in invoke(path)
    other = invoke(write(tmp_path, loop={"rounds": 2}))
    assert "~ loop.rounds 1 → 2: 20 critiques; about" in other
    prompts = tmp_path / "more.txt"
    prompts.write_text("What?\nWhy?\n", encoding="utf-8")
    both = invoke(path, "--prompts", prompts)
    assert "+ 2 new prompts: 4 samples; " in both
    assert "- 20 prompts gone: nothing is asked for them" in both


def test_a_wrong_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        invoke(write(tmp_path, constitution="no-such-constitution"))


def test_low_is_never_above_likely_nor_likely_above_high(tmp_path: Path) -> None:
    settings_ = config(tmp_path, 30, models={"policy": PAID}, loop={"samples": 6})
    uneven = tmp_path / "prompts.jsonl"
    lines = (json.dumps({"prompt": "why " * (1 + i % 7 * 300)}) + "\n" for i in range(30))
    uneven.write_text("".join(lines), encoding="utf-8")
    for stage in estimate(settings_).stages:
        for figure in (stage.calls, stage.prompt_tokens, stage.completion_tokens):
            assert figure.low <= figure.likely <= figure.high
