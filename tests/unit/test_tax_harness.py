"""The bridge to lm-eval, with a module in its place."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cai.config import ModelConfig
from cai.errors import ConfigError, MissingExtraError, UsageError
from cai.evaluate.records import Subject
from cai.evaluate.tax import (
    harness_figures,
    judged_changes,
    read_harness,
    require_harness,
    run_harness,
    write_harness,
)


def output(acc: float, error: Any = 0.01) -> dict[str, Any]:
    """The layout of lm-eval 0.4.13."""
    return {
        "results": {
            "arc_easy": {
                "name": "arc_easy", "alias": "arc_easy", "sample_len": 100,
                "acc,none": acc, "acc_stderr,none": error,
            },
            "gsm8k": {"exact_match,strict-match": 0.2, "exact_match_stderr,strict-match": 0.02},
            "wiki": {"word_perplexity,none": 12.0, "word_perplexity_stderr,none": "N/A"},
        },
        "higher_is_better": {"arc_easy": {"acc": True}, "wiki": {"word_perplexity": False}},
        "n-samples": {"arc_easy": {"original": 2376, "effective": 100}},
        "configs": {"arc_easy": {"process": len}},
    }  # fmt: skip


def subject(name: str = "base", **model: Any) -> Subject:
    return Subject(name, ModelConfig.model_validate({"model": "models/a", **model}))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def simple_evaluate(**call: Any) -> dict[str, Any] | None:
        calls.append(call)
        if call["tasks"] == ["nothing"]:
            raise KeyError("nothing")
        return None if call["tasks"] == ["elsewhere"] else output(0.6)

    fake = SimpleNamespace(simple_evaluate=simple_evaluate)
    monkeypatch.setitem(sys.modules, "lm_eval", fake)
    return calls


def test_a_local_model_is_handed_over_as_it_is_described(asked: list[dict[str, Any]]):
    one = subject(revision="abc", dtype="bfloat16", device="cuda:1")
    require_harness([one])
    assert run_harness(one, ["arc_easy", "gsm8k"], limit=100)["results"]["arc_easy"]
    assert asked == [
        {
            "model": "hf",
            "model_args": {
                "pretrained": "models/a",
                "dtype": "bfloat16",
                "trust_remote_code": False,
                "revision": "abc",
            },
            "tasks": ["arc_easy", "gsm8k"],
            "device": "cuda:1",
            "limit": 100,
            "log_samples": False,
        }
    ]


def test_an_unknown_task_and_a_second_process_are_told(asked: list[dict[str, Any]]):
    with pytest.raises(UsageError, match="lm_eval ls tasks"):
        run_harness(subject(), ["nothing"])
    with pytest.raises(UsageError, match="first of several processes"):
        run_harness(subject(), ["elsewhere"])
    assert len(asked) == 2


def test_a_missing_package_is_told_with_its_install_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'constitutional-ai\[lm-eval\]'"):
        require_harness([subject()])


def test_models_that_lm_eval_cannot_load_are_refused(asked: list[dict[str, Any]]):
    with pytest.raises(UsageError, match="subject 'base' has the engine 'openai'"):
        require_harness([subject(engine="openai")])
    with pytest.raises(UsageError, match="has an adapter"):
        require_harness([subject(engine="vllm", vllm={"adapter": "models/b"})])
    assert not asked


def test_values_and_standard_errors_become_figures():
    figures = {(f.group, f.name): f for f in harness_figures({"base": output(0.6)}, None)}
    acc = figures["lm-eval/arc_easy", "acc"]
    assert acc.low == pytest.approx(0.6 - 1.959964 * 0.01)
    assert acc.high == pytest.approx(0.6 + 1.959964 * 0.01)
    assert (acc.value, acc.n, acc.unit, acc.better) == (0.6, 100, "share", "higher")
    assert figures["lm-eval/gsm8k", "exact_match (strict-match)"].better == "higher"
    perplexity = figures["lm-eval/wiki", "word_perplexity"]
    assert (perplexity.low, perplexity.unit, perplexity.better) == (None, "score", "lower")
    assert len(figures) == 3


def test_differences_add_the_variances_and_are_held_against_the_limit():
    found = {"base": output(0.6), "dpo": output(0.5, 0.02), "sft": output(0.5, "N/A")}
    gaps = [f for f in harness_figures(found, "base") if f.against]
    by = {(f.subject, f.group): f for f in gaps}
    lost = by["dpo", "lm-eval/arc_easy"]
    half = 1.959964 * np.hypot(0.01, 0.02)
    assert (lost.value, lost.low, lost.high) == pytest.approx((-0.1, -0.1 - half, -0.1 + half))
    assert lost.unit == "points"
    assert by["sft", "lm-eval/arc_easy"].value is None
    states = {(v.subject, v.group): v.state for v in judged_changes([], gaps, 3)}
    assert states["dpo", "lm-eval/arc_easy acc, difference"] == "worse"
    assert states["sft", "lm-eval/arc_easy acc, difference"] == "unmeasured"
    assert not any("wiki" in group for _, group in states)


def test_what_was_kept_can_be_read_again(tmp_path: Path):
    made = output(0.6)
    made["results"]["arc_easy"]["acc,none"] = np.float64(0.6)
    path = write_harness(made, tmp_path / "lm-eval" / "base.json")
    again = read_harness(path)
    assert harness_figures({"a": again}, None) == harness_figures({"a": output(0.6)}, None)
    assert "configs" not in again


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is no JSON"), ("[]", "no key 'results'"), ('{"results": 1}', "no key")],
)
def test_other_files_are_refused(tmp_path: Path, text: str, said: str):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_harness(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_harness(tmp_path / "none.json")


def test_metrics_that_are_no_numbers_are_left_out():
    odd = {"results": {"t": {"acc,none": "N/A", "f1,none": True, "mc1,none": float("nan")}, "u": 3}}
    assert harness_figures({"a": json.loads(json.dumps(odd))}, None) == []
