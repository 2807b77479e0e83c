"""Whole trainings of a tiny model, alike in one process and in several."""

import json
from pathlib import Path
from typing import Any

from cai.train.run import Result, train
from cai.train.settings import TrainConfig
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

OFFLINE = ("sft", "rm", "dpo", "kto")
ONLINE = ("ppo", "grpo")
SHARDED = (("rm", "lora"), ("dpo", "full"))
STEPS = 6


def variety(prompts: Any, completions: list[str]) -> list[float]:
    """How many different characters an answer has."""
    return [float(len(set(text))) for text in completions]


def prepare(folder: Path) -> None:
    """A model and a file of pairs, for all trainings of a folder."""
    tiny_model().save_pretrained(folder / "base")
    tiny_tokenizer().save_pretrained(folder / "base")
    rows = [
        {"prompt": f"Say {i}", "chosen": "yes " * (1 + i % 5), "rejected": f"no {i}", "p": 0.9}
        for i in range(70)
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def config(folder: Path, name: str, batch: int, **training: Any) -> TrainConfig:
    optim = {
        "max_steps": STEPS,
        "batch_size": batch,
        "micro_batch_size": 2,
        "max_length": 48,
        "max_prompt_length": 40,
        "learning_rate": 1e-3,
        "evaluate_every": 3,
        "checkpoint_every": 3,
    }
    generate = {"max_tokens": 6}
    return TrainConfig.model_validate(
        {
            "data": [{"file": str(folder / "pairs.jsonl"), "dev_share": 0.2}],
            "gate": "report",
            "output": str(folder / name),
            "model": {"name": str(folder / "base")},
            "training": {**optim, **training},
            "rewards": [{"kind": "python", "path": "tests.training.whole:variety"}],
            "watch": {"every": 2, "prompts": 8, "gold": [{"kind": "length", "target": 1}]},
            "ppo": {"rollouts": 4, "epochs": 1, "minibatches": 2, "generate": generate},
            "grpo": {"group_size": 4, "generate": generate},
        }
    )


def learn(
    folder: Path,
    method: Any,
    name: str,
    batch: int,
    resume: bool = False,
    adapt: Any = "full",
    **training: Any,
) -> Result:
    made = config(folder, name, batch, **training)
    made = made.model_copy(update={"model": made.model.model_copy(update={"adapt": adapt})})
    return train(method, made, resume=resume, say=print)


def rows_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
