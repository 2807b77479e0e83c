"""Rewards of models' answers, and whether the reward model is to be believed."""

import random

import numpy as np
import orjson
import pytest
import statsmodels.api as sm
from typer.testing import CliRunner

import cai.train.rewards.learned
from cai.cli.app import app
from cai.evaluate.results import read_results
from cai.evaluate.reward_model import ScoredPair
from cai.evaluate.rewards import Scored, rewards_result, trained_on


def _pairs(right, wrong):
    return [
        ScoredPair(f"p{i}", "", 1.0 if i < right else 0.0, 0.5, 10, 10)
        for i in range(right + wrong)
    ]


def _scored(rewards, lengths=None):
    lengths = lengths or [10] * len(rewards)
    return [
        Scored(f"q{i}", f"g{i}", r, n)
        for i, (r, n) in enumerate(zip(rewards, lengths, strict=True))
    ]


def _value(result, name, subject):
    return next(one for one in result.figures if (one.name, one.subject) == (name, subject))


def test_a_model_with_higher_rewards_is_preferred_and_the_gap_is_paired():
    rng = random.Random(1)
    before = [rng.gauss(0, 3) for _ in range(200)]
    after = [value + 0.5 + rng.gauss(0, 0.1) for value in before]
    result = rewards_result(
        "rm", {"base": _scored(before), "dpo": _scored(after)}, _pairs(90, 10), checked_on="people"
    )
    assert _value(result, "preferred by the reward model", "dpo").value == 1.0
    gap = _value(result, "reward, difference", "dpo")
    assert gap.low < 0.5 < gap.high
    # Paired: far narrower than the spread of rewards, whose standard error is 0.3.
    assert gap.high - gap.low < 0.1


def test_a_reward_model_that_guesses_says_nothing_but_lengths():
    result = rewards_result(
        "rm",
        {"a": _scored([1.0, 2.0, 3.0, 4.0, 5.0]), "b": _scored([2.0, 3.0, 4.0, 5.0, 6.0])},
        _pairs(50, 50),
        checked_on="people",
    )
    assert all(one.value is None for one in result.figures if one.name != "characters")
    assert all("not measurable" in one.unmeasured for one in result.figures if one.value is None)
    assert _value(result, "characters", "a").value == 10


def test_the_gap_at_equal_length_is_the_intercept_of_least_squares():
    rng = np.random.default_rng(3)
    longer = rng.integers(-200, 400, size=300)
    gap = 0.7 - 0.01 * longer + rng.normal(0, 0.2, size=300)
    result = rewards_result(
        "rm",
        {
            "base": _scored([0.0] * 300, [500] * 300),
            "dpo": _scored(gap.tolist(), (500 + longer).tolist()),
        },
        _pairs(90, 10),
    )
    found = _value(result, "reward, difference at equal length", "dpo")
    fit = sm.OLS(gap, sm.add_constant(longer.astype(float))).fit()
    assert found.value == pytest.approx(fit.params[0], abs=1e-9)
    low, high = fit.conf_int()[0]
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)


def test_equal_lengths_everywhere_leave_the_gap_as_it_is():
    result = rewards_result(
        "rm",
        {"a": _scored([0.0, 1.0, 2.0, 3.0, 4.0]), "b": _scored([1.0, 2.0, 4.0, 4.0, 5.0])},
        _pairs(90, 10),
    )
    plain = _value(result, "reward, difference", "b").value
    level = _value(result, "reward, difference at equal length", "b").value
    assert level == pytest.approx(plain)


def test_an_answer_without_a_text_counts_nowhere():
    result = rewards_result(
        "rm",
        {
            "a": _scored([0.0, None, 2.0, 1.0, 0.0, 0.0]),
            "b": _scored([1.0, 9.0, 3.0, 2.0, 0.0, 0.0]),
        },
        _pairs(90, 10),
    )
    assert _value(result, "reward, difference", "b").n == 5
    assert _value(result, "preferred by the reward model", "b").n == 5


def _training(folder, facts):
    folder.mkdir(parents=True)
    (folder / "training.json").write_bytes(orjson.dumps({"config": facts}))
    return str(folder)


def test_a_policy_is_known_by_the_rewards_of_its_whole_history(tmp_path):
    rm = tmp_path / "rm"
    rm.mkdir()
    reward = {"kind": "model", "path": str(rm)}
    ppo = _training(tmp_path / "ppo", {"rewards": [reward], "model": {"name": "base"}})
    dpo = _training(tmp_path / "dpo", {"rewards": [], "model": {"name": ppo}})
    other = _training(
        tmp_path / "other", {"rewards": [{"kind": "length"}], "model": {"name": "base"}}
    )
    assert trained_on(ppo, rm)
    assert trained_on(dpo, rm)
    assert not trained_on(other, rm)
    assert not trained_on("smollm2-135m-instruct", rm)


def test_a_history_that_leads_back_to_itself_ends(tmp_path):
    folder = tmp_path / "a"
    _training(folder, {"rewards": [], "model": {"name": str(folder)}})
    assert not trained_on(str(folder), tmp_path)


class _ByLength:
    """A stand-in for a trained reward model: the longer, the better."""

    @classmethod
    def load(cls, path, **options):
        return cls()

    def score(self, prompts, completions):
        return [float(len(text)) for text in completions]


def test_the_command_asks_once_and_writes_its_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cai.train.rewards.learned, "LearnedReward", _ByLength)
    check = tmp_path / "people.jsonl"
    check.write_bytes(
        b"".join(
            orjson.dumps({"prompt": f"q{i}", "chosen": "a longer answer", "rejected": "short"})
            + b"\n"
            for i in range(20)
        )
    )
    (tmp_path / "rm").mkdir()
    command = [
        *("evaluate", "rewards", "rm", "--engine", "scripted", "--subject", "a=scripted:x"),
        *("--subject", "b=scripted:y", "--limit", "6", "--check", str(check), "--folder", "out"),
    ]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    (result,) = read_results(tmp_path / "out")
    assert result.kind == "rewards"
    assert result.evaluators[0].accuracy == 1.0
    assert _value(result, "reward", "a").value is not None
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0, again.output
    (repeated,) = read_results(tmp_path / "out")
    assert repeated.figures == result.figures
    assert repeated.calls == result.calls
