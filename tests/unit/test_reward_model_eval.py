"""Reward models: figures against scikit-learn and brute force, files, and the command."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss

from cai.errors import InputError
from cai.evaluate.results import Figure, Result
from cai.evaluate.reward_model import (
    CandidateSet,
    ScoredPair,
    expected_best,
    read_candidates,
    read_labelled_pairs,
    reward_model_result,
)
from cai.records import Message, Prompt
from tests.unit.cli_helpers import shell

SCORES = st.lists(st.integers(0, 4), min_size=1, max_size=6)


def brute(scores: list[int], gold: list[float], n: int) -> float:
    """The mean over all subsets and all ways to break ties."""
    found = []
    for subset in itertools.combinations(range(len(scores)), n):
        best = max(scores[i] for i in subset)
        ties = [gold[i] for i in subset if scores[i] == best]
        found.append(sum(ties) / len(ties))
    return sum(found) / len(found)


@given(SCORES, st.randoms(use_true_random=False))
def test_the_best_of_n_is_the_mean_over_all_subsets(scores: list[int], random: Any):
    gold = [random.uniform(-1, 1) for _ in scores]
    curve = expected_best([float(s) for s in scores], gold)
    for n in range(1, len(scores) + 1):
        assert curve[n - 1] == pytest.approx(brute(scores, gold, n), abs=1e-9)


def test_many_candidates_do_not_overflow():
    rng = np.random.default_rng(0)
    gold = rng.normal(size=1500)
    curve = expected_best(gold.tolist(), gold.tolist())
    assert curve[0] == pytest.approx(gold.mean())
    assert curve[-1] == pytest.approx(gold.max())
    assert (np.diff(curve) >= -1e-12).all()
    with pytest.raises(ValueError, match="got 0 and 0"):
        expected_best([], [])


def scored(n: int, seed: int = 0) -> list[ScoredPair]:
    rng = np.random.default_rng(seed)
    margins, lengths = rng.normal(0.6, 1.0, n), rng.integers(1, 9, (n, 2))
    return [
        ScoredPair(f"p{i}", "ab"[i % 3 == 0], float(m) + 2.0, 2.0, int(a), int(b))
        for i, (m, (a, b)) in enumerate(zip(margins, lengths, strict=True))
    ]


def of(result: Result) -> dict[tuple[str, str], Figure]:
    return {(one.name, one.group): one for one in result.figures}


def test_figures_are_those_of_scikit_learn():
    pairs = scored(300)
    found = of(reward_model_result("rm", pairs))
    margin = np.array([one.margin for one in pairs])
    ones = np.ones(len(pairs))
    assert found["accuracy", "all"].value == pytest.approx(accuracy_score(ones, margin > 0))
    p = 1 / (1 + np.exp(-margin))
    both = np.concatenate([ones, 0 * ones]), np.concatenate([p, 1 - p])
    assert found["Brier score, 0 to 1", "all"].value == pytest.approx(brier_score_loss(*both))
    shares = []
    for subset in "ab":
        own = np.array([one.subset == subset for one in pairs])
        shares.append(accuracy_score(ones[own], margin[own] > 0))
        assert found["accuracy", subset].value == pytest.approx(shares[-1])
        assert found["accuracy", subset].n == own.sum()
    assert found["accuracy", "mean over subsets"].value == pytest.approx(np.mean(shares))
    longer = np.array([one.chosen_length > one.rejected_length for one in pairs])
    expected = accuracy_score(ones[longer], margin[longer] > 0)
    assert found["accuracy", "chosen is longer"].value == pytest.approx(expected)
    for one in found.values():
        assert one.low is not None
        assert one.high is not None
        assert one.value is not None
        assert one.low <= one.value <= one.high
    # Margins of this size come true as often as σ says, so the error is small.
    error = found["calibration error", "all"]
    assert error.low is not None
    assert error.low < 0.1


def test_a_model_that_goes_by_length_is_found():
    pairs = [
        ScoredPair(f"p{i}", "", float(a), float(b), a, b)
        for i, (a, b) in enumerate(itertools.permutations(range(1, 8), 2))
    ]
    found = of(reward_model_result("rm", pairs))
    assert found["prefers the longer answer", "all"].value == 1.0
    assert found["accuracy", "chosen is longer"].value == 1.0
    assert found["accuracy", "chosen is shorter"].value == 0.0


def test_pairs_of_one_prompt_are_one_cluster():
    pairs = [ScoredPair("same", "", 1.0, 0.0, 1, 2)] * 20 + [ScoredPair("o", "", 0.0, 1.0, 1, 2)]
    assert of(reward_model_result("rm", pairs))["accuracy", "all"].n == 2


def sets(n: int, k: int, noise: float) -> list[tuple[CandidateSet, list[float]]]:
    rng = np.random.default_rng(5)
    found = []
    for i in range(n):
        gold = rng.normal(size=k)
        prompt = Prompt((Message("user", f"Question {i}?"),))
        own = (gold + noise * rng.normal(size=k)).tolist()
        found.append((CandidateSet(prompt, ("x",) * k, tuple(gold.tolist())), own))
    return found


def test_the_curve_of_a_good_model_is_that_of_gold_and_of_a_blind_one_flat():
    good, blind = (of(reward_model_result("rm", [], sets(60, 5, s))) for s in (0.0, 1e6))
    for n in range(1, 6):
        ideal = good["best of n by gold", f"n={n}"].value
        assert good["best of n", f"n={n}"].value == pytest.approx(ideal)
    gain = good["gain over one answer", "n=5"]
    assert gain.low is not None
    assert gain.low > 0.5
    flat = blind["gain over one answer", "n=5"]
    assert flat.low is not None
    assert flat.high is not None
    assert flat.low < 0 < flat.high


def test_pairs_as_reward_bench_has_them_and_as_chats(tmp_path: Path):
    path = tmp_path / "p.jsonl"
    turns = [{"role": "user", "content": "Hi"}]

    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    rows = [
        {"prompt": "Hi", "chosen": "a", "rejected": "b", "subset": "chat", "id": 7},
        {"prompt": turns, "chosen": said("c"), "rejected": said("d")},
        {"chosen": turns + said("e"), "rejected": turns + said("f"), "subset": "safety"},
        {"prompt": "Hi", "chosen": "g", "rejected": "g"},
        {"prompt": "Hi", "chosen": "h", "rejected": "i", "p": 0.2},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs, left_out = read_labelled_pairs(path)
    found = [(one.chosen, one.rejected, one.subset) for one in pairs]
    assert found == [("a", "b", "chat"), ("c", "d", ""), ("e", "f", "safety"), ("i", "h", "")]
    assert left_out == 1
    assert len({one.group for one in pairs}) == 1
    assert len(read_labelled_pairs(path, 2)[0]) == 2
    path.write_text(json.dumps({"prompt": "Hi"}) + "\n")
    with pytest.raises(InputError, match="the kind 'prompt'"):
        read_labelled_pairs(path)
    path.write_text(json.dumps({**rows[0], "subset": 3}) + "\n")
    with pytest.raises(InputError, match="'subset' of type int"):
        read_labelled_pairs(path)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "Hi", "candidates": [{"text": "a", "gold": 1}]}, "two or more"),
        ({"prompt": "Hi", "candidates": [{"text": "a", "gold": 1}, {"text": "b"}]}, "'gold': None"),
        (
            {"prompt": "Hi", "candidates": [{"text": 1, "gold": 1}, {"text": "b", "gold": 2}]},
            "a 'text' of type int",
        ),
    ],
)
def test_broken_candidates_are_named(tmp_path: Path, row: dict[str, Any], told: str):
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=told):
        read_candidates(path)


def test_scores_in_the_file_need_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    rows = [
        {
            "prompt": f"Question {i}?",
            "candidates": [{"text": t, "gold": g, "score": g + i} for t, g in (("a", 1), ("b", 3))],
        }
        for i in range(5)
    ]
    Path("c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = shell(monkeypatch, capsys)("evaluate", "reward-model", "rm", "--candidates", "c.jsonl")
    assert ended.code == 0, ended.err
    assert "0 answers scored" in ended.out
    written = json.loads(Path("runs/evaluate-rm/reward-model.json").read_bytes())
    best = {f["group"]: f["value"] for f in written["figures"] if f["name"] == "best of n"}
    assert best == {"n=1": 2.0, "n=2": 3.0}
    nothing = shell(monkeypatch, capsys)("evaluate", "reward-model", "rm")
    assert (nothing.code, "--data" in nothing.err) == (2, True)


def test_a_model_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("transformers")
    from cai.train.models import load_reward_model
    from cai.train.rewards.learned import LearnedReward
    from cai.train.settings import ModelConfig
    from tests.unit.tiny_model import tiny_model, tiny_tokenizer

    monkeypatch.chdir(tmp_path)
    tiny_model().save_pretrained(tmp_path / "tiny")
    tiny_tokenizer().save_pretrained(tmp_path / "tiny")
    loaded = load_reward_model(ModelConfig(name=str(tmp_path / "tiny")), training=True)
    loaded.model.save_pretrained(tmp_path / "rm")
    loaded.tokenizer.save_pretrained(tmp_path / "rm")
    rows = [
        {"prompt": f"q {i}", "chosen": f"yes {i}", "rejected": "no", "subset": f"s{i % 2}"}
        for i in range(6)
    ]
    Path("p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = shell(monkeypatch, capsys)(
        "evaluate", "reward-model", "rm", "--data", "p.jsonl", "--max-length", 48
    )
    assert ended.code == 0, ended.err
    assert "12 answers scored" in ended.out
    reward = LearnedReward.load(tmp_path / "rm", max_length=48)
    both = [
        reward.score([(Message("user", row["prompt"]),)] * 2, [row["chosen"], row["rejected"]])
        for row in rows
    ]
    written = json.loads(Path("runs/evaluate-rm/reward-model.json").read_bytes())
    own = next(f for f in written["figures"] if (f["name"], f["group"]) == ("accuracy", "all"))
    assert own["value"] == pytest.approx(np.mean([a > b for a, b in both]))
