"""The comparison of training methods, carried out in this process on a tiny model."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from cai.cli.app import app
from cai.errors import ConfigError, TrainingError
from cai.records import Message
from cai.train.compare import METHODS, Comparison, compare, parse_methods, tables
from cai.train.compare.claims import cheaper, half
from cai.train.compare.jobs import Done, Job
from cai.train.compare.measure import Yardstick, divergence_of, implicit_wins
from cai.train.compare.outcome import gain_of
from cai.train.compare.plan import Arm, make_plan
from cai.train.compare.report import notes_of
from cai.train.compare.timing import Mark, mark_of, reach_accuracy, reach_gain, timing_of
from cai.train.compare.work import carry_out
from cai.train.examples import PromptExample
from cai.train.ppo.rollout import generate
from cai.train.settings import GenerateConfig, TrainConfig
from cai.train.tokens import Encoder
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("default")

STEPS = 3
ARMS = ["rm", "sft", "dpo", "ppo-head", "ppo-separate", "grpo"]
# Peaks as a process would have them; the bare one has 100 MB.
PEAKS = {f"{name}-train": 100.0 * (2 + i) for i, name in enumerate(ARMS)} | {"bare": 100.0}


class Here:
    """Carries out jobs in this process, and remembers which."""

    def __init__(self) -> None:
        self.jobs: list[str] = []

    def __call__(self, job: Job, path: Path, say: Any) -> Done:
        assert json.loads(path.read_text())["name"] == job.name
        self.jobs.append(job.name)
        # As if through the pipe between processes.
        found = json.loads(json.dumps(carry_out(job, say)))
        return Done(found, PEAKS.get(job.name))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as a hub would hold it, and pairs."""
    folder = tmp_path_factory.mktemp("bench")
    tiny_model().save_pretrained(folder / "tiny")
    tiny_tokenizer().save_pretrained(folder / "tiny")
    rows = [
        {"prompt": f"Say {i}", "chosen": "yes yes", "rejected": f"no {i}", "p": 0.9}
        for i in range(40)
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def config(folder: Path, **sections: Any) -> TrainConfig:
    source = {"file": str(folder / "pairs.jsonl"), "dev_share": 0.2, "held_out_share": 0.2}
    training = {
        "batch_size": 4,
        "micro_batch_size": 2,
        "max_length": 48,
        "max_prompt_length": 40,
        "learning_rate": 1e-3,
        **sections.pop("training", {}),
    }
    return TrainConfig.model_validate(
        {
            "data": [source | sections.pop("source", {})],
            "gate": "report",
            "model": {"name": str(folder / "tiny")},
            "training": training,
            "ppo": {"generate": {"max_tokens": 6}},
            **sections,
        }
    )


@pytest.fixture(scope="module")
def finished(folder: Path) -> tuple[Comparison, Here, list[str]]:
    start, lines = Here(), list[str]()
    found = compare(
        config(folder), steps=STEPS, output=folder / "out", say=lines.append, start=start
    )
    return found, start, lines


@pytest.fixture
def copied(finished: Any, folder: Path, tmp_path: Path) -> Path:
    """The folder of the finished comparison, to be changed."""
    return shutil.copytree(folder / "out", tmp_path / "out")


def test_every_method_is_trained_and_measured(finished: Any, folder: Path):
    found, start, lines = finished
    assert [outcome.name for outcome in found.outcomes] == ARMS
    assert start.jobs[:4] == ["bare", "rm-train", "sft-train", "untrained"]
    assert any(line.startswith("dpo-train: step 3 of 3: ") for line in lines)
    for i, outcome in enumerate(found.outcomes):
        assert (outcome.steps, outcome.examples) == (STEPS, STEPS * 4)
        assert (outcome.peak_mb, outcome.over_mb) == (100.0 * (2 + i), 100.0 * (1 + i))
        assert outcome.per_step is not None
        assert outcome.per_example is not None
        assert outcome.per_example >= outcome.per_step / 4 > 0
        accuracy, tiny = outcome.accuracy, 1e-9
        assert -tiny < accuracy.low < accuracy.share + tiny
        assert accuracy.share - tiny < accuracy.high < 1.0 + tiny
        assert not (folder / "out" / outcome.name / "checkpoints").exists()
    assert found.outcomes[0].divergence is None
    for outcome in found.outcomes[1:]:
        assert outcome.divergence.k3 >= 0.0
        assert outcome.divergence.answers > 1
        assert outcome.gain.error >= 0.0
        # The same answers of the same untrained model.
        assert outcome.gain.before == found.outcomes[1].gain.before
    assert found.claims[1].ratio == pytest.approx(600 / 500)
    assert not found.claims[1].held


def test_what_training_measured_is_measured_again(finished: Any, folder: Path):
    """The accuracy from weights on disk is that which the trainer had from its own batches."""
    for outcome in finished[0].outcomes:
        if outcome.name in ("rm", "dpo"):
            record = json.loads((folder / "out" / outcome.name / "training.json").read_text())
            figures = record["results"]["held out"]
            assert outcome.accuracy.share == pytest.approx(figures["accuracy"])
            assert outcome.accuracy.low == pytest.approx(figures["accuracy_low"])


def test_all_methods_see_as_many_examples_of_the_same_data(finished: Any, folder: Path):
    records = {
        name: json.loads((folder / "out" / name / "training.json").read_text()) for name in ARMS
    }
    assert {record["steps"] for record in records.values()} == {STEPS}
    ppo, grpo = (records[name]["config"] for name in ("ppo-separate", "grpo"))
    assert ppo["ppo"] | {"rollouts": 4, "critic": "separate"} == ppo["ppo"]
    assert records["ppo-head"]["config"]["ppo"]["critic"] == "head"
    assert grpo["grpo"]["group_size"] == 4
    # What one of the two says of sampling goes for both.
    assert grpo["grpo"]["generate"] == ppo["ppo"]["generate"]
    assert [r["path"] for r in grpo["rewards"]] == [str(folder / "out/rm")]
    assert records["dpo"]["config"]["rewards"] == []


def test_the_report(finished: Any, folder: Path):
    found = finished[0]
    data = json.loads((folder / "out/bench.json").read_text())
    assert [row["name"] for row in data["outcomes"]] == ARMS
    assert data["machine"]["torch"] == torch.__version__
    assert data["versions"]["torch"]
    assert data["config_hash"] == found.config_hash
    assert data["tested_on"] == "held-out"
    text = (folder / "out/bench.md").read_text()
    for table in tables(found):
        assert f"| {' | '.join(table.columns)} |\n| --- | --: |" in text
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert f"| {' | '.join(table.rows[-1])} |" in text
    assert all(f'- "{claim.text}" {claim.said}' in text for claim in found.claims)
    # Twelve answers are too few to say that a reward has risen.
    assert tables(found)[0].rows[-1][-1] == "too few answers"


def test_a_finished_comparison_trains_nothing(finished: Any, folder: Path):
    start, lines = Here(), list[str]()
    again = compare(
        config(folder), steps=STEPS, output=folder / "out", say=lines.append, start=start
    )
    assert start.jobs == []
    assert "grpo-train: done before" in lines
    assert again == finished[0]


def test_an_interrupted_training_is_done_again_and_nothing_else(copied: Path, folder: Path):
    (copied / "dpo/training.json").unlink()
    (copied / "jobs/grpo-measure.json").unlink()
    start = Here()
    compare(config(folder), steps=STEPS, output=copied, start=start)
    assert start.jobs == ["dpo-train", "grpo-measure"]


def test_a_changed_setting_concerns_its_own_method(copied: Path, folder: Path):
    start, lines = Here(), list[str]()
    changed = config(folder, dpo={"beta": 0.3})
    compare(changed, steps=STEPS, output=copied, say=lines.append, start=start)
    assert start.jobs == ["dpo-train", "dpo-measure"]
    assert "dpo-train: done again, because of a change in dpo.beta" in lines


def test_a_job_that_fails_leaves_the_others(folder: Path, tmp_path: Path):
    class Breaks(Here):
        def __call__(self, job: Job, path: Path, say: Any) -> Done:
            if job.name == "dpo-train":
                (tmp_path / "dpo").mkdir()
                raise TrainingError("dpo-train: broken")
            return super().__call__(job, path, say)

    short: dict[str, Any] = {"methods": ["rm", "dpo"], "steps": 2, "output": tmp_path}
    with pytest.raises(TrainingError, match="broken"):
        compare(config(folder), start=Breaks(), **short)
    start = Here()
    compare(config(folder), start=start, **short)
    assert start.jobs == ["dpo-train", "untrained", "dpo-measure"]


def test_a_model_of_anybody_else_is_not_overwritten(folder: Path, tmp_path: Path):
    (tmp_path / "dpo").mkdir()
    with pytest.raises(TrainingError, match="not made by a comparison"):
        compare(config(folder), methods=["dpo"], steps=2, output=tmp_path, start=Here())
    assert (tmp_path / "dpo").is_dir()


def test_without_a_reward_model_there_is_no_reward(folder: Path, tmp_path: Path):
    found = compare(config(folder), methods=["sft"], steps=2, output=tmp_path, start=Here())
    [outcome] = found.outcomes
    assert outcome.gain is None
    assert [claim.held for claim in found.claims] == [None, None]
    assert all(claim.said.startswith("was not checked") for claim in found.claims)


def test_methods_that_are_compared_when_named(folder: Path, tmp_path: Path):
    named, start = ["kto", "rloo"], Here()
    found = compare(config(folder), methods=named, steps=2, output=tmp_path / "a", start=start)
    # The reward model comes along for rloo.
    assert [outcome.name for outcome in found.outcomes] == ["rm", *named]
    for outcome in found.outcomes[1:]:
        assert (outcome.steps, outcome.examples) == (2, 8)
        assert outcome.per_step is not None
        assert outcome.divergence is not None
    # The reference looks at answers before the first step of kto, which counts.
    kto = found.outcomes[1]
    assert kto.per_example is not None
    assert kto.per_step is not None
    assert kto.per_example > kto.per_step / 4
    # The section grpo is rloo's as well, and not that of kto.
    plans = [
        make_plan(config(folder, grpo=sections), named, 2, tmp_path / "b")
        for sections in ({}, {"updates": 2})
    ]
    before, after = ({arm.name: arm.key for arm in plan.arms} for plan in plans)
    assert [name for name in before if before[name] != after[name]] == ["rloo"]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"rm": {"loss": "regression"}}, "rm.loss: regression learns from no pairs"),
        ({"source": {"dev_share": 0.0, "held_out_share": 0.0}}, "none is left to measure"),
        ({"grpo": {"group_size": 3}}, "must be a multiple of grpo.group_size 3"),
        ({"gate": "require"}, "people have not been asked"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(
    sections: dict[str, Any], said: str, folder: Path, tmp_path: Path
):
    with pytest.raises(Exception, match=said):
        compare(config(folder, **sections), output=tmp_path, start=Here())


def test_data_without_pairs(folder: Path, tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(f'{{"prompt": "q{i}", "answer": "a"}}\n' for i in range(9)))
    with pytest.raises(ConfigError, match="decided comparisons"):
        compare(config(folder, source={"file": str(path)}), output=tmp_path, start=Here())


@pytest.mark.parametrize("target", [0.5, 1.0, 60.0])
def test_a_target_that_says_nothing(target: float, folder: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="which is chance"):
        compare(config(folder), target=target, output=tmp_path, start=Here())


def test_names_of_methods():
    assert parse_methods("grpo, sft") == ("sft", "grpo")
    assert parse_methods(",".join(METHODS)) == METHODS
    with pytest.raises(ConfigError, match=r"got 'dop'.*Allowed: sft, rm, dpo.*mean 'dpo'"):
        parse_methods("sft,dop")
    with pytest.raises(ConfigError, match="names no method"):
        parse_methods(" , ")


def test_a_wrong_method_on_the_command_line(folder: Path, tmp_path: Path):
    path = tmp_path / "training.yaml"
    path.write_text(f"data: [{{file: {folder / 'pairs.jsonl'}}}]\n")
    result = CliRunner().invoke(app, ["bench", "trainers", str(path), "--methods", "ddpo"])
    assert isinstance(result.exception, ConfigError)
    assert "Did you mean 'dpo'?" in str(result.exception)


@pytest.mark.parametrize(
    ("dpo", "ppo", "held", "said"),
    [
        (1.0, 2.5, True, "held in this one run: an answer took PPO 2.50 times"),
        (1.0, 2.0, True, "held in "),
        (1.0, 7.1, True, "held by more in "),
        (1.0, 1.4, False, "did not hold in this one run: an answer took PPO 1.40 times"),
        (2.0, 1.0, False, "did not hold in this one run: an answer took PPO 0.50 times"),
        (None, 1.0, None, "was not checked: it takes dpo and ppo"),
    ],
)
def test_dpo_is_cheaper(dpo: float | None, ppo: float, held: bool | None, said: str):
    claim = cheaper(dpo, ppo)
    assert claim.held is held
    assert claim.said.startswith(said)


@pytest.mark.parametrize(
    ("grpo", "ppo", "held", "said"),
    [
        (1100.0, 2000.0, True, "held in this one run: GRPO took 0.55 times the memory of PPO"),
        (500.0, 2000.0, True, "held by more in "),
        (1500.0, 2000.0, False, "did not hold in this one run: GRPO took 0.75 times"),
        (2500.0, 2000.0, False, "did not hold in "),
        (None, 2000.0, None, "was not checked: it takes grpo and ppo"),
        (10.0, -1.0, None, "was not checked"),
    ],
)
def test_grpo_needs_half(grpo: float | None, ppo: float, held: bool | None, said: str):
    claim = half(grpo, ppo)
    assert claim.held is held
    assert claim.said.startswith(said)


def arm(folder: Path, name: str, **sections: Any) -> Arm:
    plan = make_plan(config(folder, **sections), METHODS, 4, folder / "none")
    return next(one for one in plan.arms if one.name == name)


def test_evaluation_and_the_first_step_are_not_timed(folder: Path):
    rows = [
        (10.0, {"step": 1, "loss": 1.0}),
        (12.0, {"step": 2, "loss": 1.0}),
        (50.0, {"step": 2, "eval_loss": 1.0, "eval_accuracy": 0.4}),
        (53.0, {"step": 3, "loss": 1.0}),
        (57.0, {"step": 4, "loss": 1.0}),
        (90.0, {"step": 4, "eval_loss": 1.0, "eval_accuracy": 0.7}),
        (99.0, {"step": 4, "train_loss": 1.0}),
    ]
    marks = [mark_of(seconds, row) for seconds, row in rows]
    timing = timing_of(marks, arm(folder, "dpo"))
    assert timing is not None
    # The steps took (3), 2, 3 and 4 seconds, with four pairs each.
    assert (timing.per_step, timing.per_example) == (3.0, 0.75)
    assert timing.until == {1: 3.0, 2: 5.0, 3: 8.0, 4: 12.0}
    assert reach_accuracy(marks, timing, 0.7).seconds == 12.0
    assert reach_accuracy(marks, timing, 0.8).outcome == "not reached"
    assert reach_accuracy(marks[:2], timing, 0.8).outcome == "not measured"
    # The reference looked at each pair before.
    dearer = timing_of(marks, arm(folder, "dpo"), before=0.25)
    assert dearer is not None
    assert (dearer.per_step, dearer.per_example, dearer.until[4]) == (3.0, 1.0, 16.0)
    assert timing_of(marks[:1], arm(folder, "dpo")) is None
    assert timing_of([], arm(folder, "dpo")) is None


def test_steps_on_the_same_answers_belong_together(folder: Path):
    ppo = arm(folder, "ppo-head", ppo={"epochs": 2, "minibatches": 2})
    assert (ppo.examples, ppo.steps, ppo.rows) == (8, 4, 1)
    timing = timing_of([Mark(t, s, trained=True) for t, s in ((5, 4), (13, 8), (21, 12))], ppo)
    assert timing is not None
    # An update of 8 seconds makes four steps on eight answers.
    assert (timing.per_step, timing.per_example) == (2.0, 1.0)
    grpo = arm(folder, "grpo", grpo={"updates": 2})
    times = ((9, 1), (10, 2), (15, 3), (16, 4), (21, 5), (22, 6), (27, 7))
    timing = timing_of([Mark(t, s, trained=True) for t, s in times], grpo)
    assert timing is not None
    # Sampling takes 5 seconds in every second step; the seventh has no partner yet.
    assert (timing.per_step, timing.per_example) == (3.0, 1.5)


def test_a_gain_needs_enough_answers(folder: Path):
    online = arm(folder, "grpo")
    rewards = [0.0] * 4 + [1.0] * 4
    marks = [Mark(float(i), i, trained=True, reward=r) for i, r in enumerate(rewards)]
    timing = timing_of(marks, online)
    assert reach_gain(marks, timing, 0.5, answers=4).outcome == "not measured"
    # Two rows hold 64 answers: the mean of rows 3 and 4 is the first that is high enough.
    found = reach_gain(marks, timing, 0.5, answers=32)
    assert (found.outcome, found.seconds) == ("reached", 5.0)
    assert reach_gain(marks, timing, 1.5, answers=32).outcome == "not reached"


def test_a_busy_machine_is_said_first(finished: Any, folder: Path):
    outcomes = finished[0].outcomes
    plan = make_plan(config(folder), METHODS, 4, folder / "none")
    busy = [replace(outcomes[0], others=0.02), replace(outcomes[1], others=0.37)]
    assert notes_of(plan, 0.6, busy)[0].startswith(
        "Other programs took up to 37% of the processors"
    )
    assert notes_of(plan, 0.6, busy[:1]) == notes_of(plan, 0.6, outcomes) == finished[0].notes


def test_a_gain_is_paired_by_prompt():
    gain = gain_of([0.0, 1.0, 2.0], [1.0, 2.0, 3.0])
    assert (gain.before, gain.after, gain.error) == (1.0, 2.0, 0.0)
    assert gain_of([0.0, 0.0], [1.0, 3.0]).error == pytest.approx(1.0)


def test_wins_by_hand():
    reference = {"a+": -5.0, "a-": -5.0, "b+": -1.0, "b-": -9.0, "c+": -2.0, "c-": -2.0}
    policy = {"a+": -4.0, "a-": -6.0, "b+": -2.0, "b-": -9.5, "c+": -3.0, "c-": -3.0}
    assert implicit_wins(["a", "b", "c"], policy, reference) == [1.0, 0.0, 0.5]


def test_accuracy_is_what_a_plain_computation_gives(folder: Path, tmp_path: Path):
    other = tmp_path / "other"
    tiny_model(seed=1).save_pretrained(other)
    tiny_tokenizer().save_pretrained(other)
    yardstick = Yardstick(config(folder), tmp_path)
    yardstick.pairs = yardstick.pairs[:2]
    policy = yardstick.load(str(other))
    wins = yardstick.wins(policy)
    tokenizer = tiny_tokenizer()

    def total(model: Any, prompt: tuple[Message, ...], answer: str) -> float:
        before, after = Encoder(tokenizer, 48).pair(prompt, answer)
        with torch.no_grad():
            logits = model(torch.tensor([[*before, *after]])).logits[0].double()
        log_probs = logits.log_softmax(-1)
        return sum(log_probs[len(before) + i - 1, t].item() for i, t in enumerate(after))

    for pair, win in zip(yardstick.pairs, wins, strict=True):
        ratios = [
            total(tiny_model(seed=1), pair.prompt, a) - total(tiny_model(), pair.prompt, a)
            for a in (pair.chosen, pair.rejected)
        ]
        assert win == float(ratios[0] > ratios[1])
    # A model does not differ from itself.
    assert yardstick.wins(yardstick.load(str(folder / "tiny"))) == [0.5, 0.5]


def test_divergence_from_itself_is_none():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    prompts = [PromptExample((Message("user", f"Say {i}"),), str(i)) for i in range(6)]
    answers = generate(model, tokenizer, prompts, GenerateConfig(max_tokens=8), 40)
    found = divergence_of(model, model, [answers.part(slice(0, 2)), answers.part(slice(2, 6))], 1.0)
    assert (found.k1, found.k1_error, found.k3, found.answers) == (0.0, 0.0, 0.0, 6)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_divergence_is_what_the_whole_distributions_give(temperature: float):
    policy, reference, tokenizer = tiny_model(), tiny_model(seed=1), tiny_tokenizer()
    prompts = [PromptExample((Message("user", "Say it"),), "p")] * 2000
    how = GenerateConfig(max_tokens=1, temperature=temperature)
    torch.manual_seed(0)
    answers = generate(policy, tokenizer, prompts, how, 40)
    found = divergence_of(policy, reference, [answers], temperature)
    ids = torch.tensor([Encoder(tokenizer, 40).prompt(prompts[0].messages, 40)])
    with torch.no_grad():
        p, q = (
            (model(ids).logits[0, -1].double() / temperature).log_softmax(-1)
            for model in (policy, reference)
        )
    exact = float((p.exp() * (p - q)).sum())
    assert found.k1 is not None
    assert found.k1_error is not None
    assert found.k1 == pytest.approx(exact, abs=4 * found.k1_error)
    assert found.k1_error < 0.1 * exact
    assert found.k3 is not None
    assert found.k3 >= 0.0


def test_padding_behind_an_answer_does_not_count():
    model, other, tokenizer = tiny_model(), tiny_model(seed=1), tiny_tokenizer()
    prompts = [PromptExample((Message("user", "Say"),), "p")] * 3
    answers = generate(model, tokenizer, prompts, GenerateConfig(max_tokens=8), 40)
    first = answers.mask.clone()
    first[:, 1:] = False
    short = replace(answers, mask=first)
    alone = replace(
        answers,
        **{
            n: getattr(answers, n)[:, : answers.ids.shape[1] - answers.tokens.shape[1] + 1]
            for n in ("ids", "attention", "positions")
        },
        tokens=answers.tokens[:, :1],
        mask=first[:, :1],
    )
    found = [divergence_of(model, other, [part], 1.0) for part in (short, alone)]
    assert found[0].k1 == pytest.approx(found[1].k1, abs=1e-4)
    assert found[0].k3 == pytest.approx(found[1].k3, rel=1e-3)
