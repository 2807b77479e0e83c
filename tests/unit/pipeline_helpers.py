"""Pipelines on the scripted engine and tiny models, whose trainings run in this process."""

import json
from pathlib import Path
from typing import Any

from cai.config import Config, load_config
from cai.loop import Generation
from cai.pipeline import Desk, Outcome, Stage, Watcher, carry_out
from cai.store.stages import Stages, read_stages
from cai.train.compare.jobs import Done, Job
from cai.train.compare.work import carry_out as do_job
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

CONSTITUTION = """\
format: 1
name: two
version: 0.1.0
summary: Two principles.
principles:
  - {id: kind, text: Be kind., critique: Is it?, revise: Make it kind., judge: Which is kinder?}
  - {id: short, text: Be short., critique: Is it?, revise: Cut it., judge: Which is shorter?}
"""
TRAINING = {
    "max_steps": 2,
    "batch_size": 2,
    "micro_batch_size": 2,
    "max_length": 120,
    "max_prompt_length": 100,
    "checkpoint_every": 1,
    "learning_rate": 1e-3,
}


def write_tiny(folder: Path) -> Path:
    """A tiny model as a hub would hold it."""
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def training(name: str, method: str, base: Path | None = None, **more: Any) -> dict[str, Any]:
    settings = {f"training.{key}": value for key, value in TRAINING.items()}
    settings |= more.pop("settings", {})
    if base is not None:
        settings["model.name"] = str(base)
    return {"name": name, "method": method, "settings": settings, **more}


def write_config(folder: Path, pipeline: dict[str, Any], **sections: Any) -> Path:
    """A config with its constitution beside it; JSON is YAML, too."""
    (folder / "constitution.yaml").write_text(CONSTITUTION)
    config = {
        "run": str(folder / "run"),
        "constitution": "constitution.yaml",
        "prompts": {"path": "starter", "limit": 24},
        "models": {"policy": {"engine": "scripted", "model": "script"}},
        "loop": {"truncated": "keep", "sample": {"max_tokens": 8}},
        "split": {"dev": 0.2, "held_out": 0.2},
        "pipeline": {"validate": "skip", **pipeline},
        **sections,
    }
    path = folder / "cai.yaml"
    path.write_text(json.dumps(config))
    return path


class Here:
    """Carries out trainings in this process, and remembers them."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def __call__(self, job: Job, path: Path, say: Any) -> Done:
        assert json.loads(path.read_text())["name"] == job.name
        self.jobs.append(job)
        return Done(do_job(job, say))


class Noting(Watcher):
    """Remembers why stages were carried out, and what was asked."""

    def __init__(self) -> None:
        self.why: dict[str, str] = {}
        self.left_alone: dict[str, str] = {}
        self.said: list[str] = []
        self.asked = 0

    def heading(self, stage: Stage, number: int, total: int, why: str) -> None:
        self.why[stage.name] = why

    def left(self, stage: Stage, number: int, total: int, why: str) -> None:
        self.left_alone[stage.name] = why

    def say(self, text: str) -> None:
        self.said.append(text)

    def generate(self, run: Generation) -> None:
        super().generate(run)
        self.asked += run.progress.meter.asked


def start(path: Path, *, update: bool = False, **options: Any) -> tuple[Outcome, Noting]:
    """Carry out the pipeline of a config file; further options are those of `carry_out`."""
    overrides = options.pop("overrides", {})
    noting = Noting()
    desk = Desk(load_config(path, overrides), update=update, watcher=noting)
    return carry_out(desk, **options), noting


def stages_of(path: Path) -> Stages:
    found = read_stages(Path(load_config(path).run))
    assert found is not None
    return found


def config_of(path: Path, **overrides: Any) -> Config:
    return load_config(path, overrides)
