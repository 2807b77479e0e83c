"""Stages, trainings and evaluations in the report of a run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cai.errors import StoreError, UsageError
from cai.evaluate.floor import TooFew
from cai.evaluate.results import EVALUATION, Evaluator, Figure, Result, figure, write_result
from cai.report import gather, render_html, render_markdown
from cai.report.trainings import read_trainings
from cai.store.stages import Output, StageRecord, Stages, read_stages, write_stages
from cai.validation.statistics.intervals import Interval
from tests.unit.report_helpers import Page, make_run

HOSTILE = "<script>alert(1)</script>\u202e"


def training(run: Path, name: str, **changes: Any) -> None:
    """The facts that a training leaves."""
    record = {
        "method": "dpo",
        "steps": 1234,
        "seconds": 61.4,
        "peak_mb": 2048.0,
        "config": {"model": {"name": "/home/somebody/models/base"}},
        "sources": [
            {"train": 40, "dev": 16, "standing": {"said": "not validated: nobody was asked"}}
        ],
        "results": {
            "dev": {
                "accuracy": 0.625,
                "accuracy_low": 0.4,
                "accuracy_high": 0.8,
                "loss": 0.69,
                "pairs": 16.0,
            }
        },
        "watch": [],
        **changes,
    }
    folder = run / "models" / name
    folder.mkdir(parents=True)
    (folder / "training.json").write_text(json.dumps(record))


def result(**changes: Any) -> Result:
    figures = (
        Figure("over_refusal", "policy", 0.25, 0.1, 0.45, 40, better="lower"),
        Figure("over_refusal", "dpo", 0.125, 0.05, 0.3, 40, better="lower"),
        Figure("over_refusal", "dpo", -0.125, -0.3, 0.1, 40, against="policy", unit="points"),
        Figure("win rate", "dpo", 0.6, 0.45, 0.74, 50, against="policy"),
        Figure("attack_success", "dpo", None, n=3, unmeasured="too few cases"),
        Figure("over_refusal", "dpo", 0.5, 0.1, 0.9, 4, group="medication"),
    )
    judge = Evaluator("openai/judge", "labelled.yaml", 0.9, 0.82, 0.95, 100)
    told = Result("refusal", ("policy", "dpo"), figures, (judge,), ("One note.",), calls=1234)
    return replace(told, **changes)


def pages(run: Path) -> tuple[Page, str]:
    figures = gather(run, draws=100)
    return Page(render_html(figures)), render_markdown(figures)


def test_a_run_without_a_pipeline_has_no_such_sections(tmp_path: Path):
    page, text = pages(make_run(tmp_path / "run"))
    assert not {"pipeline", "training", "evaluation"} & set(page.ids)
    assert "## Stages" not in text


def test_stages_say_whether_people_were_asked(tmp_path: Path):
    run = make_run(tmp_path / "run")
    stages = (
        StageRecord("generate", "done", seconds=61.0, calls=1500, usd=0.25, said="40 rows"),
        StageRecord("check", "done", usd=None, said=f"It found {HOSTILE}"),
        StageRecord("train/dpo", "failed", said="It broke in /home/somebody"),
        StageRecord("report", "running"),
    )
    write_stages(run, Stages("skip", stages))
    page, text = pages(run)
    assert "labels not validated by people" in page.text
    assert "1,500 0.2500 40 rows" in page.text
    assert page.tags["script"] == 0
    assert "unknown" in text
    assert "It found" in text
    assert "/home/somebody" not in page.text + text
    # Its own stage is not at its end yet.
    assert "| report |" not in text
    write_stages(run, Stages("required", stages))
    assert "Trainings wait until people" in pages(run)[0].text


def test_what_other_stages_have_asked_is_among_the_costs(tmp_path: Path):
    run = make_run(tmp_path / "run")
    asked = (
        StageRecord("generate", "done", calls=1500, usd=0.25),
        StageRecord("train/grpo", "done", calls=200, usd=None),
        StageRecord("evaluate", "done", calls=300, usd=1.5),
    )
    write_stages(run, Stages("skip", asked))
    beside = "500 calls, $1.5000 and 200 calls of unknown price"
    assert f"Trainings and evaluations beside {beside}" in pages(run)[0].text
    write_stages(run, Stages("skip", asked[:1]))
    assert "Trainings and evaluations beside" not in pages(run)[0].text


def test_trainings_with_their_intervals(tmp_path: Path):
    run = make_run(tmp_path / "run")
    training(run, "dpo", watch=[f"Gold on 3 looks {HOSTILE}"])
    training(run / "rounds/2", "dpo", steps=7)
    page, text = pages(run)
    assert "Trained on labels not validated by people: dpo, dpo-2." in page.text
    assert "62.5% [40.0, 80.0]" in page.text
    assert "accuracy 0.625 [0.4, 0.8] 16" in page.text
    assert "loss 0.69 (no interval) 16" in page.text
    assert "1,234" in text
    assert "/home/somebody" not in page.text + text
    assert page.tags["script"] == 0
    assert [one.name for one in read_trainings(run)] == ["dpo", "dpo-2"]
    (run / "models/dpo/training.json").write_text('{"method": "dpo"}')
    with pytest.raises(StoreError, match="is no record of a training"):
        gather(run, draws=100)


def test_evaluations_with_intervals_and_differences(tmp_path: Path):
    run = make_run(tmp_path / "run")
    write_result(result(), run / EVALUATION)
    page, text = pages(run)
    assert (
        "| over refusal | 25.0% \\[10.0%, 45.0%\\], n 40 | 12.5% \\[5.0%, 30.0%\\], n 40 |" in text
    )
    assert "| over refusal | dpo against policy | all | -12.5 \\[-30.0, +10.0\\] | 40 |" in text
    # A win rate is no difference.
    assert "| win rate | dpo against policy | all | 60.0% \\[45.0%, 74.0%\\] | 50 |" in text
    assert "| attack success |  | too few cases, n 3 |" in text
    assert "openai/judge all labelled.yaml 90.0% [82.0%, 95.0%] 100" in page.text
    assert "medication" in page.text
    assert "One note." in text
    assert page.ids["evaluation"] == 1


def test_what_an_untrustworthy_judge_says_is_no_figure(tmp_path: Path):
    run = make_run(tmp_path / "run")
    guessing = Evaluator(f"openai/{HOSTILE}", "labelled.yaml", 0.52, 0.41, 0.6, 100)
    write_result(result(evaluators=(guessing,)).distrusted(), run / EVALUATION)
    page, text = pages(run)
    assert "not measurable with this evaluator: right in 52.0% of 100 labelled cases" in page.text
    assert "| over refusal | not measurable with this evaluator, n 40 |" in text
    assert "2 figures without a number (not measurable with this evaluator)" in page.text
    assert "25.0%" not in text.partition("## Evaluation")[2].partition("##")[0]
    assert page.tags["script"] == 0
    nobody = Evaluator("openai/judge")
    write_result(result(evaluators=(nobody,)).distrusted(), run / EVALUATION)
    page, text = pages(run)
    assert (
        "nobody knows from labelled data how often the judge (openai/judge) is right" in page.text
    )
    # Each number says so, in tables and in the chart, on the page and in the summary.
    assert "60.0% [45.0%, 74.0%] (evaluator not checked)" in page.text
    assert r"60.0% \[45.0%, 74.0%\] \(evaluator not checked\)" in text
    assert r"| 25.0% \[10.0%, 45.0%\] \(evaluator not checked\), n 40 |" in text
    assert "refusal: shares with 95% intervals (evaluator not checked)" in page.text
    assert "40 cases, evaluator not checked" in text


def test_axes_of_a_win_rate_are_drawn(tmp_path: Path):
    run = make_run(tmp_path / "run")
    points = [
        {"label": "policy", "x": [0.0, 0.0, 0.0], "y": [0.0, 0.0, 0.0]},
        {"label": HOSTILE, "x": [-41.0, -90.0, 3.0], "y": [120.0, 60.0, 190.0]},
    ]
    chart = {"x": "helpfulness", "y": "harmlessness", "unit": "Elo points", "points": points}
    told = result(kind="winrate", details={"chart": chart})
    write_result(told, run / EVALUATION)
    page, text = pages(run)
    assert page.ids["chart-axes-title"] == page.ids["chart-axes-desc"] == 1
    assert "Helpfulness and harmlessness" in page.text
    assert "harmlessness, Elo points upwards" in page.text
    assert page.tags["script"] == 0
    assert "Helpfulness and harmlessness: figures" in text
    assert "| 120.0 | 60.0 | 190.0 |" in text
    write_result(replace(told, evaluators=(Evaluator("judge"),)).distrusted(), run / EVALUATION)
    assert "Helpfulness and harmlessness (evaluator not checked)" in pages(run)[0].text
    write_result(replace(told, details={"chart": {}}), run / EVALUATION)
    assert "chart-axes-title" not in pages(run)[0].ids


def test_figures_over_a_few_groups_say_why_they_have_no_number(tmp_path: Path):
    run = make_run(tmp_path / "run")
    few = figure("win rate", "dpo", TooFew(3), against="policy")
    write_result(result(kind="winrate", figures=(few,)), run / EVALUATION)
    page, text = pages(run)
    assert "1 figure without a number (too few)" in page.text
    assert "values from 3 groups" in text and "an interval takes 5" in page.text


def test_records_come_back(tmp_path: Path):
    record = StageRecord(
        "generate", "done", "ab", {"loop": "cd"}, outputs=(Output("export/a", "ef", 3, 4),)
    )
    stages = Stages("required", (record,))
    assert read_stages(tmp_path) is None
    write_stages(tmp_path, stages)
    assert read_stages(tmp_path) == stages
    (tmp_path / EVALUATION).mkdir()
    (tmp_path / EVALUATION / "refusal.json").write_text("{}")
    with pytest.raises(UsageError, match="no result of an evaluation"):
        gather(make_run(tmp_path), draws=100)


@pytest.mark.parametrize(
    ("low", "high", "noise"), [(0.01, 0.1, True), (0.4, 0.6, True), (0.8, 0.95, False)]
)
def test_a_judge_that_goes_by_place_is_named_as_such_first(
    low: float, high: float, noise: bool, tmp_path: Path
):
    figures = gather(make_run(tmp_path / "run"), draws=100)
    agree = Interval((low + high) / 2, low, high, 0.95, 60)
    orders = replace(figures.judge.orders, consistency=agree, consistency_n=60)
    figures = replace(figures, judge=replace(figures.judge, orders=orders))
    said = "take its labels, and all that follows from them, for noise"
    assert (said in Page(render_html(figures)).text) is noise
    assert (said in render_markdown(figures)) is noise
