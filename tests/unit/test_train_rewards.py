"""Rewards of answers: penalties, functions, trained models, judges, and their sum."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaForSequenceClassification

from cai.config import load_config
from cai.constitution.models import Constitution, Principle
from cai.engines import ScriptedEngine
from cai.errors import BudgetError, ConfigError, RowEngineError, TrainingError
from cai.records import Completion, Message, Request
from cai.store import RunStore
from cai.train.rewards import (
    Combined,
    ConstitutionReward,
    Filler,
    FunctionReward,
    Judging,
    LearnedReward,
    LengthPenalty,
    PropositionReward,
    PythonReward,
    RepetitionPenalty,
    for_trl,
    open_rewards,
    repetition,
)
from cai.train.rewards.judging import reward_folder
from cai.train.settings import RewardConfig
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

HI, BYE = (Message("user", "Hi"),), (Message("user", "Bye"),)
WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=30).map(" ".join)
CONSTITUTION = Constitution(
    name="two",
    version="1.0.0",
    summary="Two rules.",
    principles=tuple(
        Principle(id=f"x.{n}", text=f"Be {n}.", critique="C", revise="R", judge="Which?")
        for n in ("kind", "true")
    ),
)
spread = ScriptedEngine.spread


def lengths(prompts: Any, completions: list[str]) -> list[float | None]:
    return [len(text) or None for text in completions]


# Penalties


def test_penalties_by_hand():
    texts = ["", "a b", "a b c", "a b c d", "a b c d e f"]
    assert LengthPenalty(2).score([HI] * 5, texts) == [0.0, 0.0, -0.5, -1.0, -1.0]
    # Bigrams: ab ba ab ba, of which two are new; ab bc; none.
    found = RepetitionPenalty(2).score([HI] * 3, ["a b a b a", "a b c", "a"])
    assert found == [-0.5, 0.0, 0.0]
    assert all(math.copysign(1, x) == 1 for x in found[1:])


@given(WORDS, st.integers(1, 5))
def test_penalties_stay_in_range(text: str, size: int):
    for penalty in (LengthPenalty(size), RepetitionPenalty(size)):
        (value,) = penalty.score([HI], [text])
        assert -1.0 <= value <= 0.0


@given(WORDS, st.integers(1, 9))
def test_more_words_are_never_better(text: str, target: int):
    short, long = LengthPenalty(target).score([HI, HI], [text, f"{text} more"])
    assert long <= short


@given(st.integers(1, 4), st.integers(1, 20))
def test_one_word_again_and_again_is_all_repetition_but_the_first(ngram: int, times: int):
    pieces = times - ngram + 1
    expected = 1 - 1 / pieces if pieces > 0 else 0.0
    assert repetition(" ".join(["a"] * times), ngram) == pytest.approx(expected)


@given(st.integers(0, 20), st.integers(1, 5))
def test_different_words_do_not_repeat(words: int, ngram: int):
    assert repetition(" ".join(map(str, range(words))), ngram) == 0.0


def test_penalties_check_their_size():
    with pytest.raises(ValueError, match="target must be 1"):
        LengthPenalty(0)
    with pytest.raises(ValueError, match="ngram must be 1"):
        RepetitionPenalty(0)


# Functions, gaps and sums


def test_gaps_take_the_mean_of_group_then_batch_then_past():
    filler = Filler("judge")
    filled = filler.fill([HI, HI, HI, BYE], [0.2, None, 0.6, None])
    assert filled == pytest.approx([0.2, 0.4, 0.6, 0.4])
    filled = filler.fill([HI, HI, BYE, BYE], [1.0, None, 0.0, None])
    assert filled == [1.0, 1.0, 0.0, 0.0]
    # Scored so far: 0.2, 0.6, 1.0 and 0.0.
    assert filler.fill([HI], [None]) == [pytest.approx(0.45)]
    with pytest.raises(TrainingError, match="could score none of 2"):
        Filler("judge").fill([HI, HI], [None, None])


def test_functions_may_leave_gaps_and_must_count():
    reward = FunctionReward(lengths)
    assert reward.score([HI, HI, BYE], ["ab", "", "abcd"]) == [2.0, 2.0, 4.0]
    assert (reward.name, reward.unscored) == ("lengths", [False, True, False])
    assert FunctionReward(lambda p, c: [math.nan, 1.0]).score([HI, HI], ["", ""]) == [1.0, 1.0]
    with pytest.raises(ValueError, match="returned 1 scores for 2"):
        FunctionReward(lambda p, c: [1.0], "one").score([HI, HI], ["", ""])


def test_python_rewards_are_found_by_their_place():
    reward = PythonReward("tests.unit.test_train_rewards:lengths")
    assert reward.name == "lengths"
    assert reward.score([HI], ["abc"]) == [3.0]
    for place in ("math", "math:", ":pi", "math:pi", "math:no_such", "no.such:f"):
        with pytest.raises(ConfigError):
            PythonReward(place)


def test_sums_remember_their_parts():
    both = Combined([(FunctionReward(lengths), 0.5), (LengthPenalty(1), 2.0)])
    assert both.score([HI, HI], ["ab c", ""]) == pytest.approx([0.5 * 4 - 2, 0.5 * 4])
    assert both.last == {
        "lengths": [4.0, 4.0],
        "lengths/unscored": [0.0, 1.0],
        "length": [-1.0, 0.0],
    }
    assert set(both.parts_of([HI], ["x"])) == {"lengths", "length"}
    twice = Combined([(LengthPenalty(1), 1.0), (LengthPenalty(2), 1.0)])
    twice.score([HI], ["a b"])
    assert twice.last == {"length": [-1.0], "length-2": [0.0]}
    with pytest.raises(ValueError, match="no rewards"):
        Combined([])


def test_trl_may_hand_texts_or_turns():
    seen: list[Any] = []

    def note(prompts: Any, completions: Any) -> list[float]:
        seen.append((prompts, completions))
        return [1.0] * len(completions)

    function = for_trl(FunctionReward(note), "mine")
    assert function.__name__ == "mine"
    assert function(["Hi"], ["x"], completion_ids=[[1]], trainer_state=None) == [1.0]
    turns = [{"role": "user", "content": "Hi"}]
    function(prompts=[turns], completions=[[{"role": "assistant", "content": "x"}]])
    assert seen[0] == seen[1] == ([HI], ["x"])


def test_trl_logs_parts_and_gaps():
    logged: dict[str, float] = {}
    both = Combined([(FunctionReward(lengths), 1.0), (LengthPenalty(1), 1.0)])
    for reward in (both, FunctionReward(lengths, "f"), LengthPenalty(1)):
        for_trl(reward)(["Hi", "Hi"], ["a b", ""], log_metric=logged.__setitem__)
    assert logged == {
        "reward/lengths": 3.0,
        "reward/lengths/unscored": 0.5,
        "reward/length": -0.5,
        "reward/f/unscored": 0.5,
    }


# Trained models


def reward_model() -> tuple[Any, Any]:
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = "<|im_start|>"
    config = tiny_model().config
    config.num_labels, config.pad_token_id = 1, tokenizer.pad_token_id
    torch.manual_seed(0)
    return LlamaForSequenceClassification(config), tokenizer


def test_a_model_is_read_at_the_last_real_token_whatever_the_batch():
    model, tokenizer = reward_model()
    texts = ["no", "a much longer answer", "", "mid size"]
    alone = LearnedReward(model, tokenizer, batch_size=1).score([HI] * 4, texts)
    together = LearnedReward(model, tokenizer, batch_size=3).score([HI] * 4, texts)
    assert together == pytest.approx(alone, abs=1e-4)
    for text, got in zip(texts, alone, strict=True):
        chat = f"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n{text}<|im_end|>"
        ids = torch.tensor([tokenizer(chat)["input_ids"]])
        with torch.no_grad():
            last = model.model(input_ids=ids).last_hidden_state[0, -1]
            assert got == pytest.approx(model.score(last).item(), abs=1e-4)
    assert not model.training


def test_a_saved_model_scores_the_same(tmp_path: Path):
    model, tokenizer = reward_model()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    expected = LearnedReward(model, tokenizer).score([HI], ["yes"])
    opened = open_rewards([RewardConfig(kind="model", path=str(tmp_path), weight=2.0)])
    assert opened.score([HI], ["yes"]) == pytest.approx([2 * expected[0]], abs=1e-4)
    assert opened.last["model"] == pytest.approx(expected, abs=1e-4)


# Judges

Judge = Callable[..., Judging]


def config_file(folder: Path, extra: str = "") -> Path:
    path = folder / "cai.yaml"
    path.write_text(
        "prompts:\n  path: starter\nmodels:\n  policy:\n    engine: scripted\n    model: x\n"
        f"run: {folder / 'run'}\n{extra}",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def open_judge(tmp_path: Path) -> Iterator[Judge]:
    opened: list[Judging] = []

    def make(answer: Any = None, extra: str = "") -> Judging:
        config = load_config(config_file(tmp_path, extra))
        engine = answer if isinstance(answer, ScriptedEngine) else ScriptedEngine(answer)
        opened.append(Judging(config, engine=engine))
        return opened[-1]

    yield make
    for judging in opened:
        judging.close()


def rated(request: Request) -> Completion:
    """The score is the number in the answer; two of ten are sure of a 2 or a 10."""
    answer = request.messages[-1].content.partition("<response>")[2].partition("</response>")[0]
    if answer == "refuse":
        return Completion("", "refused")
    if answer == "mumble":
        return spread({"The": 0.9})
    return spread({answer: 0.8, "10": 0.1} if answer != "10" else {"10": 0.9})


def test_answers_are_scored_side_by_side_and_never_twice(open_judge: Judge, tmp_path: Path):
    engine = ScriptedEngine(rated, latency_s=0.01)
    judging = open_judge(engine)
    reward = ConstitutionReward(judging, constitution=CONSTITUTION)
    texts = ["4", "10", "7", "4"]
    expected = [(0.8 * 3 / 9 + 0.1) / 0.9, 1.0, (0.8 * 6 / 9 + 0.1) / 0.9]
    expected.append(expected[0])
    assert reward.score([HI] * 4, texts) == pytest.approx(expected)
    assert reward.outcomes == ["answered"] * 4
    # The two equal answers share one call.
    assert (engine.calls, engine.max_in_flight) == (3, 3)
    assert reward.score([HI] * 4, texts) == pytest.approx(expected)
    assert engine.calls == 3
    judging.close()
    again = ScriptedEngine(rated)
    restarted = ConstitutionReward(open_judge(again), constitution=CONSTITUTION)
    assert restarted.score([HI] * 5, [*texts, "9"]) == pytest.approx(
        [*expected, (0.8 * 8 / 9 + 0.1) / 0.9]
    )
    assert again.calls == 1
    with RunStore.read(tmp_path / "run" / "rewards") as store:
        assert {total.stage: total.calls for total in store.totals()} == {"score": 4}


def test_what_was_not_scored_takes_the_mean_and_is_counted(open_judge: Judge):
    reward = ConstitutionReward(open_judge(rated), constitution=CONSTITUTION)
    both = Combined([(reward, 1.0)])
    scores = both.score([HI, HI, HI, BYE], ["10", "refuse", "4", "mumble"])
    four = (0.8 * 3 / 9 + 0.1) / 0.9
    assert scores == pytest.approx([1.0, (1 + four) / 2, four, (1 + four) / 2])
    assert reward.outcomes == ["answered", "refused", "answered", "unparsed"]
    assert both.last["constitution/unscored"] == [0.0, 1.0, 0.0, 1.0]


def test_a_judge_that_never_scores_stops_the_training(open_judge: Judge):
    reward = ConstitutionReward(open_judge(rated), constitution=CONSTITUTION)
    with pytest.raises(TrainingError, match="constitution could score none"):
        reward.score([HI], ["mumble"])


def test_an_answer_that_cannot_be_asked_about_is_a_gap(open_judge: Judge):
    def answer(request: Request) -> Completion | Exception:
        if "long" in request.messages[-1].content.partition("<response>")[2]:
            return RowEngineError("too long")
        return spread({"10": 0.9})

    reward = ConstitutionReward(open_judge(answer), constitution=CONSTITUTION)
    assert reward.score([HI, HI], ["long", "x"]) == [1.0, 1.0]
    assert (reward.outcomes, reward.unscored) == (["failed", "answered"], [True, False])


def shown(engine_log: list[Request]) -> list[str]:
    return [
        r.messages[-1].content.partition("Rules:\n")[2].partition("\n\n")[0] for r in engine_log
    ]


@pytest.mark.parametrize("draw_per", ["prompt", "completion"])
def test_principles_are_drawn(open_judge: Judge, draw_per: Any):
    log: list[Request] = []

    def answer(request: Request) -> Completion:
        log.append(request)
        return spread({"10": 0.9})

    reward = ConstitutionReward(open_judge(answer), constitution=CONSTITUTION, draw_per=draw_per)
    reward.score([HI] * 12, [f"answer {i}" for i in range(12)])
    assert len(log) == 12
    assert len(set(shown(log))) == (1 if draw_per == "prompt" else 2)
    log.clear()
    reward.score([(Message("user", f"Prompt {i}"),) for i in range(12)], ["x"] * 12)
    assert set(shown(log)) == {"- Be kind.", "- Be true."}


def test_all_principles_at_once_or_several_apart(open_judge: Judge):
    log: list[Request] = []

    def answer(request: Request) -> Completion:
        log.append(request)
        kind = "kind" in request.messages[-1].content
        return spread({"4" if kind else "10": 0.8, "10" if kind else "4": 0.2})

    judging = open_judge(answer, "judge:\n  principles: 2\n")
    reward = ConstitutionReward(judging, constitution=CONSTITUTION)
    high, low = 0.8 + 0.2 * 3 / 9, 0.8 * 3 / 9 + 0.2
    assert reward.score([HI], ["x"]) == pytest.approx([(high + low) / 2])
    assert sorted(shown(log)) == ["- Be kind.", "- Be true."]
    judging.close()
    log.clear()
    judging = open_judge(answer, "judge:\n  scope: constitution\n")
    ConstitutionReward(judging, constitution=CONSTITUTION).score([HI], ["x"])
    assert shown(log) == ["- Be kind.\n- Be true."]


def test_propositions_are_averaged(open_judge: Judge):
    def answer(request: Request) -> Completion:
        warm = "It is warm." in request.messages[-1].content
        return ScriptedEngine.label(0.9 if warm else 0.2, labels=("Yes", "No"))

    reward = PropositionReward(open_judge(answer), ["It is warm.", "It is short."])
    assert reward.score([HI], ["x"]) == pytest.approx([0.55])
    with pytest.raises(ValueError, match="at least one"):
        PropositionReward(open_judge, [])  # type: ignore[arg-type]


def test_budgets_hold(open_judge: Judge):
    judging = open_judge(rated, "runtime:\n  budget_tokens: 1\n")
    reward = ConstitutionReward(judging, constitution=CONSTITUTION)
    with pytest.raises(BudgetError):
        for i in range(10):
            reward.score([HI], [str(i + 1)])


async def test_it_works_where_a_loop_already_runs(open_judge: Judge):
    reward = ConstitutionReward(open_judge(rated), constitution=CONSTITUTION)
    assert reward.score([HI], ["10"]) == [1.0]


def test_rewards_from_the_config_share_one_judge(tmp_path: Path):
    path = str(config_file(tmp_path))
    configs = [
        RewardConfig(kind="constitution", config=path),
        RewardConfig(kind="propositions", config=path, propositions=("It is kind.",), weight=0.5),
        RewardConfig(kind="length", target=1),
        RewardConfig(kind="repetition", ngram=1),
        RewardConfig(kind="python", path="tests.unit.test_train_rewards:lengths"),
    ]
    reward = open_rewards(configs)
    gold = open_rewards(configs[:1])
    assert [name for name, _, _ in reward.parts] == [
        *("constitution", "propositions", "length", "repetition", "lengths"),
    ]
    (total,) = reward.score([HI], ["be be"])
    parts = {name: values[0] for name, values in reward.last.items()}
    assert 0 < parts["constitution"] < 1 and 0 < parts["propositions"] < 1
    assert (parts["length"], parts["repetition"], parts["lengths"]) == (-1.0, -0.5, 5.0)
    assert total == pytest.approx(
        parts["constitution"] + 0.5 * parts["propositions"] - 1.0 - 0.5 + 5.0
    )
    reward.close()
    # The judge of the other still works, and the store is given back with the last of them.
    assert gold.score([HI], ["be be"]) == [parts["constitution"]]
    gold.close()
    gold.close()
    RunStore.open(tmp_path / "run" / "rewards").close()


def test_what_cannot_be_opened_leaves_nothing_open(tmp_path: Path):
    path = str(config_file(tmp_path))
    broken = RewardConfig(kind="python", path="no.such:thing")
    with pytest.raises(ConfigError, match="cannot find"):
        open_rewards([RewardConfig(kind="constitution", config=path), broken])
    RunStore.open(tmp_path / "run" / "rewards").close()
    missing = config_file(tmp_path, "constitution: no-such\n")
    with pytest.raises(ConfigError):
        ConstitutionReward.open(missing)
    RunStore.open(tmp_path / "run" / "rewards").close()
    with pytest.raises(ConfigError, match="need a reward"):
        open_rewards([])


@pytest.mark.parametrize(
    ("reward", "lacks"),
    [
        ({"kind": "constitution"}, "'config'"),
        ({"kind": "propositions", "propositions": ["x"]}, "'config'"),
        ({"kind": "propositions", "config": "cai.yaml"}, "'propositions'"),
        ({"kind": "model"}, "'path'"),
    ],
)
def test_an_incomplete_reward_is_refused(reward: dict[str, Any], lacks: str):
    with pytest.raises(ValueError, match=lacks):
        RewardConfig.model_validate(reward)
    made_by_hand = RewardConfig.model_construct(**{"path": None, "config": None, **reward})
    if lacks != "'propositions'":
        with pytest.raises(ConfigError, match="lacks"):
            open_rewards([made_by_hand])


def test_two_configs_with_one_run_are_told_apart(tmp_path: Path):
    first = ConstitutionReward.open(config_file(tmp_path))
    other = config_file(tmp_path, "judge:\n  votes: 3\n")
    with pytest.raises(ConfigError, match="another 'run:'"):
        PropositionReward.open(other, ["It is kind."])
    first.close()


def test_processes_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = load_config(config_file(tmp_path))
    assert reward_folder(config) == tmp_path / "run" / "rewards"
    monkeypatch.setenv("RANK", "1")
    assert reward_folder(config) == tmp_path / "run" / "rewards-1"
