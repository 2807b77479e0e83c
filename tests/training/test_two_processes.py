"""Two processes over gloo train what one would, and the main process alone writes.

The launchers are those that a user starts. A hang runs into the time limit and fails.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cai.train.models import load_policy, load_reward_model
from cai.train.settings import ModelConfig
from tests.training.test_grpo_toy import grpo
from tests.training.toy import ppo
from tests.training.whole import OFFLINE, ONLINE, SHARDED, STEPS, config, learn, prepare, rows_of

pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).parents[2]
SECONDS = 300
TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"),
    *("--master_addr=127.0.0.1", "--master_port=0", "--rdzv_backend=c10d"),
    "--rdzv_endpoint=127.0.0.1:0",
]
ACCELERATE = [
    *(sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"),
    *("--main_process_ip", "127.0.0.1", "--main_process_port", "0", "--config_file"),
]
CONFIGS = ROOT / "examples/12_train_in_python/accelerate"
WORKER = str(Path(__file__).with_name("two_processes.py"))


def launch(*command: str) -> subprocess.CompletedProcess[str]:
    own = {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def in_two(what: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return launch(*TORCHRUN, WORKER, what, str(folder))


def assert_alike(first: list[dict[str, float]], second: list[dict[str, float]]) -> None:
    assert len(first) == len(second)
    for ours, theirs in zip(first, second, strict=True):
        assert ours.keys() == theirs.keys()
        # An epoch is not the same share of the order, and the last row has times.
        for name in ours.keys() - {"epoch"}:
            if not name.startswith("train_"):
                assert theirs[name] == pytest.approx(ours[name], rel=1e-4, abs=1e-5), name


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which two processes have carried out all trainings, and what they printed."""
    folder = tmp_path_factory.mktemp("double")
    prepare(folder)
    done = in_two("trainings", folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stdout


def reports(folder: Path) -> list[dict[str, Any]]:
    return [json.loads((folder / f"report-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("method", OFFLINE)
def test_two_follow_the_curve_of_one_with_twice_the_batch(method: str, double: tuple[Path, str]):
    folder, _ = double
    one = learn(folder, method, f"{method}-1", 8)
    first, second = (rows_of(folder / f"{method}-{count}") for count in (1, 2))
    assert [row["step"] for row in second if "loss" in row] == list(range(1, STEPS + 1))
    assert_alike(first, second)
    found = [report["found"][method]["dev"] for report in reports(folder)]
    assert found[0] == found[1] == pytest.approx(one.dev, rel=1e-4, abs=1e-5)


def test_the_last_batch_of_an_evaluation_is_not_full(double: tuple[Path, str]):
    """Else the tests above would not see that an example counts twice."""
    facts = json.loads((double[0] / "dpo-2/training.json").read_text())
    assert facts["sources"][0]["dev"] % 4
    assert facts["processes"] == 2


@pytest.mark.parametrize("method", [*OFFLINE, *ONLINE])
def test_there_is_one_model_and_it_can_be_used(method: str, double: tuple[Path, str]):
    folder = double[0] / f"{method}-2"
    names = {path.name for path in folder.iterdir()}
    facts = {"README.md", "training.yaml", "training.json", "log.jsonl", "curves.png"}
    assert facts | {"model.safetensors"} <= names
    load = load_reward_model if method == "rm" else load_policy
    load(ModelConfig(name=str(folder)))


def test_only_the_main_process_writes_and_speaks(double: tuple[Path, str]):
    folder, printed = double
    main, other = reports(folder)
    assert any(path.endswith("log.jsonl") for path in main["written"])
    # Transformers keeps the state of each process's generators.
    assert [path for path in other["written"] if "rng_state" not in path] == []
    # Six methods and the three of the resumed one; with a reference are dpo, four times, and kto.
    assert printed.count("Training in 2 processes") == 9
    assert printed.count("Log-probabilities of the reference") == 5


def test_a_finished_training_is_refused_by_all(double: tuple[Path, str]):
    for report in reports(double[0]):
        assert "holds a finished training" in report["found"]["again"]


@pytest.mark.parametrize("method", ONLINE)
def test_the_main_process_watches_for_all(method: str, double: tuple[Path, str]):
    folder, _ = double
    main, other = (report["found"][method] for report in reports(folder))
    assert main["dev"] == other["dev"]
    assert other["watch"] == []
    state = json.loads((folder / f"{method}-2/watch.json").read_text())
    assert [look["step"] for look in state["looks"]] == [0, 2, 4, 6]
    steps = [row["step"] for row in rows_of(folder / f"{method}-2") if "reward" in row]
    assert steps == list(range(2, STEPS + 1, 2) if method == "ppo" else range(1, STEPS + 1))


def test_two_that_are_resumed_continue_the_same_curve(double: tuple[Path, str]):
    whole, parts = (
        [(row["step"], row["loss"]) for row in rows_of(double[0] / name) if "loss" in row]
        for name in ("whole-2", "parts-2")
    )
    assert whole == parts


def test_the_command_of_the_documentation(tmp_path: Path):
    prepare(tmp_path)
    made = config(tmp_path, "out", 4, max_steps=2).model_dump_json()
    (tmp_path / "training.yaml").write_text(made)
    command = ["-m", "cai", "train", "dpo", str(tmp_path / "training.yaml")]
    done = launch(*ACCELERATE, str(CONFIGS / "ddp.yaml"), *command)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("Training in 2 processes") == 1
    assert done.stdout.count("dpo finished") == 1
    assert (tmp_path / "out/model.safetensors").is_file()


def test_fsdp_follows_the_curve_of_one_and_writes_a_whole_model(tmp_path: Path):
    prepare(tmp_path)
    done = launch(*ACCELERATE, str(CONFIGS / "fsdp.yaml"), WORKER, "sharded", str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    for method, adapt in SHARDED:
        names = [f"{method}-{count}" for count in (1, 2)]
        learn(tmp_path, method, names[0], 8, adapt=adapt)
        assert_alike(*(rows_of(tmp_path / name) for name in names))
        # Each process has kept its part of the weights.
        parts = tmp_path / names[1] / f"checkpoints/checkpoint-{STEPS}/pytorch_model_fsdp_0"
        assert len(list(parts.glob("*.distcp"))) == 2
        one, two = (load_file(tmp_path / name / "model.safetensors") for name in names)
        assert one.keys() == two.keys()
        for name, values in one.items():
            torch.testing.assert_close(two[name], values, rtol=1e-4, atol=1e-5)


def test_the_failure_of_one_ends_both(tmp_path: Path):
    done = in_two("failing", tmp_path)
    assert done.returncode != 0
    assert "no more of this" in done.stderr


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    done = in_two("toys", folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_ppo_on_two_follows_the_curve_of_one(toys: Path, tmp_path: Path):
    single = ppo(tmp_path, steps=120).train().column("reward")
    double = [row["reward"] for row in rows_of(toys / "ppo")]
    assert len(double) == len(single) == 30
    # The same number of answers per update, sampled with other seeds: alike, and not the same.
    for part in (slice(0, 10), slice(10, 20), slice(20, 30)):
        means = [sum(curve[part]) / 10 for curve in (single, double)]
        assert means[0] == pytest.approx(means[1], abs=0.25)
    assert double[0] < 0.2
    assert sum(double[-5:]) / 5 > 0.85


def test_grpo_on_two_follows_the_curve_of_one(toys: Path, tmp_path: Path):
    single = grpo(tmp_path, steps=64).column("reward")
    double = [row["reward"] for row in rows_of(toys / "grpo")]
    assert len(double) == len(single) == 64
    assert double[0] < 0.2
    ends = [sum(curve[-10:]) / 10 for curve in (single, double)]
    assert min(ends) > 0.8
    assert ends[0] == pytest.approx(ends[1], abs=0.1)
