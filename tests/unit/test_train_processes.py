"""What a single process knows of several: counting, refusing, and the launchers' configs."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cai.errors import TrainingError
from cai.train import grpo, processes
from cai.train.models import load_policy, load_reward_model
from cai.train.run import train
from cai.train.settings import GRPOConfig, ModelConfig, OptimConfig, TrainConfig
from cai.train.sharded import check_sharding, refuse_ppo, whole_model
from cai.train.trainer import arguments, one_gpu
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "examples/12_train_in_python/accelerate"


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "cai", "train", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "accelerate launch" in done.stdout


def test_one_process_sets_nothing_up_and_waits_for_nobody():
    assert (processes.count(), processes.rank(), processes.is_main()) == (1, 0, True)
    assert processes.from_main("x") == "x"
    assert processes.joined([1, 2]) == [1, 2]
    assert processes.means({"loss": 0.5}) == {"loss": 0.5}
    processes.wait()
    with processes.main_first():
        pass
    processes.leave()
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(("count", "steps"), [(1, 25), (2, 13), (4, 7)])
def test_an_epoch_is_one_pass_whatever_the_number(
    count: int, steps: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(processes, "count", lambda: count)
    optim = OptimConfig(batch_size=8, micro_batch_size=4)
    assert arguments("dpo", optim, tmp_path, 200, adapters=False).max_steps == steps
    # 25 prompts with 8 answers each are as many.
    assert grpo._steps(GRPOConfig(group_size=8), optim, 25) == steps
    assert grpo._steps(GRPOConfig(group_size=8, updates=2), optim, 25) == 2 * steps


def test_prompts_that_do_not_fill_a_step_are_repeated(monkeypatch: pytest.MonkeyPatch):
    from tests.training.toy import PROMPTS

    monkeypatch.setattr(processes, "count", lambda: 2)
    assert len(grpo._dataset(PROMPTS[:5], groups=4)) == 10
    assert len(grpo._dataset(PROMPTS, groups=4)) == 16


def test_a_process_trains_on_one_gpu(tmp_path: Path):
    made = arguments("dpo", OptimConfig(), tmp_path, 16, adapters=False)
    made._n_gpu = 4
    assert one_gpu(made).train_batch_size == made.per_device_train_batch_size


def test_without_dev_examples_there_are_no_figures(tmp_path: Path):
    tiny_model().save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    rows = [{"prompt": f"Say {i}", "chosen": "yes", "rejected": f"no {i}"} for i in range(8)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    training = {"max_steps": 1, "batch_size": 4, "max_length": 48}
    config = TrainConfig.model_validate(
        {
            "data": [{"file": str(path), "origin": "human", "dev_share": 0.0}],
            "output": str(tmp_path / "out"),
            "model": {"name": str(tmp_path / "base")},
            "training": training,
        }
    )
    result = train("dpo", config)
    assert (result.dev, result.held_out, result.steps) == ({}, {}, 1)


def test_one_of_several_that_came_alone_is_noticed(monkeypatch: pytest.MonkeyPatch):
    assert not processes.came_alone()
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    assert processes.came_alone()


def made(**sections: Any) -> TrainConfig:
    return TrainConfig.model_validate({"data": [{"file": "pairs.jsonl"}], **sections})


GOLD = {"gold": [{"kind": "length"}]}
FSDP = {"ACCELERATE_USE_FSDP": "true"}
DEEPSPEED = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}


@pytest.mark.parametrize(
    ("launcher", "method", "sections", "said"),
    [
        (FSDP, "ppo", {}, "FSDP spreads them over processes. Allowed is data parallelism"),
        (DEEPSPEED, "ppo", {}, "DeepSpeed spreads them over processes. Allowed is data"),
        (FSDP, "dpo", {"model": {"adapt": "qlora"}}, "Use adapt: lora"),
        (FSDP, "grpo", {"watch": GOLD}, "Leave them out"),
        ({**FSDP, "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}, "dpo", {}, "Set it to false"),
        (DEEPSPEED, "dpo", {}, "zero3_save_16bit_model: false"),
    ],
)
def test_what_sharded_weights_do_not_allow_is_said(
    launcher: dict[str, str],
    method: Any,
    sections: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
):
    check_sharding(method, made(**sections))
    for name, value in launcher.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=said):
        check_sharding(method, made(**sections))


def test_ppo_itself_refuses_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from tests.training.toy import ppo

    refuse_ppo()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(TrainingError, match="grpo and rloo also run under FSDP"):
        ppo(tmp_path)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def after_training(model: Any) -> tuple[Any, dict[str, torch.Tensor]]:
    """A trainer whose library gives back weights that have moved, and a copy that it made."""
    moved = {name: values + 0.5 for name, values in model.state_dict().items()}
    state = {**moved, "its.own.copy": torch.zeros(1)}
    accelerator = SimpleNamespace(get_state_dict=lambda wrapped: dict(state))
    return SimpleNamespace(accelerator=accelerator, model_wrapped=None), moved


@pytest.mark.parametrize("launcher", [FSDP, DEEPSPEED])
@pytest.mark.parametrize("adapt", ["full", "lora"])
@pytest.mark.parametrize("reward", [False, True])
def test_sharded_weights_come_together(
    launcher: dict[str, str],
    adapt: str,
    reward: bool,
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    config = ModelConfig(name=str(base), adapt=adapt)  # type: ignore[arg-type]
    model = (load_reward_model if reward else load_policy)(config, training=True).model
    trainer, moved = after_training(model)
    assert whole_model(trainer, model, config, reward=reward) is model
    for name, value in launcher.items():
        monkeypatch.setenv(name, value)
    whole = whole_model(trainer, model, config, reward=reward)
    assert whole is not model
    found = whole.state_dict()
    assert found.keys() == moved.keys()
    assert all(torch.equal(found[name], moved[name]) for name in moved)


def test_a_weight_that_did_not_come_back_is_named(base: Path, monkeypatch: pytest.MonkeyPatch):
    config = ModelConfig(name=str(base))
    model = load_policy(config).model
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    trainer, moved = after_training(model)
    del moved["model.norm.weight"]
    trainer.accelerator.get_state_dict = lambda wrapped: moved
    with pytest.raises(TrainingError, match=r"gave back no model.norm.weight \(1 weights"):
        whole_model(trainer, model, config)


def launched(name: str) -> tuple[Any, set[str]]:
    """What accelerate makes of a shipped config, and the options that it knows."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    parser = launch_command_parser()
    args = parser.parse_args(["--config_file", str(CONFIGS / name), "-m", "cai", "train"])
    return _validate_launch_command(args)[0], {action.dest for action in parser._actions}


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("ddp.yaml", None),
        ("fsdp.yaml", "fsdp_config"),
        ("deepspeed_zero3.yaml", "deepspeed_config"),
    ],
)
def test_accelerate_knows_every_key_of_the_configs(name: str, section: str | None):
    from accelerate.commands.config.config_args import load_config_from_file

    loaded = load_config_from_file(str(CONFIGS / name))
    args, known = launched(name)
    assert set(getattr(loaded, section) if section else ()) <= known
    assert (args.num_processes, args.num_machines, args.mixed_precision) == (2, 1, "no")
    assert (args.module, args.training_script) == (True, "cai")
    kinds = (args.multi_gpu, args.use_fsdp, args.use_deepspeed)
    assert kinds == tuple(name.startswith(kind) for kind in ("ddp", "fsdp", "deepspeed"))


def test_what_the_config_for_fsdp_comes_to(monkeypatch: pytest.MonkeyPatch):
    from accelerate.utils import FullyShardedDataParallelPlugin
    from accelerate.utils.launch import prepare_multi_gpu_env

    args, _ = launched("fsdp.yaml")
    args.main_process_port = 1
    monkeypatch.setattr("accelerate.utils.launch.is_port_in_use", lambda port: False)
    for key, value in prepare_multi_gpu_env(args).items():
        monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, plugin.reshard_after_forward) == (2, True)
    assert plugin.cpu_ram_efficient_loading is False
    assert "SHARDED_STATE_DICT" in str(plugin.state_dict_type)
    check_sharding("dpo", made())
    check_sharding("grpo", made())
    with pytest.raises(TrainingError, match="ppo samples"):
        check_sharding("ppo", made())


def test_what_the_config_for_deepspeed_comes_to(monkeypatch: pytest.MonkeyPatch):
    from accelerate.utils.launch import prepare_deepspeed_cmd_env

    args, _ = launched("deepspeed_zero3.yaml")
    args.main_process_port, args.deepspeed_fields_from_accelerate_config = 1, ""
    monkeypatch.setattr("accelerate.utils.launch.is_port_in_use", lambda port: False)
    for key, value in prepare_deepspeed_cmd_env(args)[1].items():
        monkeypatch.setenv(key, value)
    check_sharding("dpo", made())
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL", "false")
    with pytest.raises(TrainingError, match="Set it to true"):
        check_sharding("dpo", made())


def test_rewards_are_not_rounded_where_the_rest_is(base: Path, tmp_path: Path):
    from cai.train.rm import _leave_unrounded

    for adapt in ("full", "lora"):
        config = ModelConfig(name=str(base), adapt=adapt)  # type: ignore[arg-type]
        model = load_reward_model(config, training=True).model
        _leave_unrounded(model)
        ids = torch.arange(1, 7).unsqueeze(0)
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
            rewards = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        assert rewards.dtype == torch.float32
        assert rewards.bfloat16().float() != rewards
