"""`cai train`: from a run or a config to a trained model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train"]


class Method(StrEnum):
    """What can be trained."""

    sft = "sft"
    rm = "rm"
    dpo = "dpo"
    kto = "kto"
    ppo = "ppo"
    grpo = "grpo"
    rloo = "rloo"


def train(
    method: Annotated[
        Method,
        typer.Argument(
            help="sft: imitate revisions. rm: a reward model. dpo: a policy from pairs (also ipo, "
            "hinge, robust, cdpo, orpo, simpo). kto: from single answers. ppo, grpo, rloo: sample "
            "and reward."
        ),
    ],
    source: Annotated[
        Path, typer.Argument(help="A training config (YAML), or the folder of a run.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Folder for the model; models/METHOD by default.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="What to train, in place of the config's model.name.")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps, in place of epochs.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any key of the config: --set dpo.beta=0.05", metavar="KEY=VALUE"
        ),
    ] = None,
    allow_unvalidated: Annotated[
        bool,
        typer.Option(
            "--allow-unvalidated",
            help="Also train on AI labels that people have not validated (cai validate RUN "
            "--gate); the model card says so.",
        ),
    ] = False,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
) -> None:
    """Train a model on the train split of runs and on files of comparisons.

    Writes the model (safetensors), log.jsonl, curves.png, training.yaml and a model card. For
    several GPUs, start it with accelerate launch or torchrun.

    Labels of a run are used once people have validated them: see cai validate.

    Example: cai train dpo runs/default --model smollm2-135m-instruct --set dpo.beta=0.05

    Example: cai train sft runs/default --allow-unvalidated
    """
    from cai.cli.settings import overrides_of
    from cai.cli.tables import print_heading, print_table, print_text
    from cai.train import processes
    from cai.train.load import load_training
    from cai.train.run import train as carry_out

    overrides = overrides_of(setting or [])
    for key, value in (
        ("output", str(output) if output else None),
        ("model.name", model),
        ("training.max_steps", max_steps),
        ("gate", "report" if allow_unvalidated else None),
    ):
        if value is not None:
            overrides[key] = value
    config = load_training(source, overrides)
    result = carry_out(method.value, config, resume=resume, say=print_text)
    main = processes.is_main()
    processes.leave()
    if not main:
        return
    print_heading(f"{method.value} finished: {result.folder}")
    print_table(
        ("What", "How much"),
        [
            ("Steps", f"{result.steps:,}"),
            ("Seconds", f"{result.seconds:,.0f}"),
            ("Peak memory", f"{result.peak_mb:,.0f} MB"),
            *((f"Dev: {name}", f"{value:.4g}") for name, value in result.dev.items()),
            *((f"Held out: {name}", f"{value:.4g}") for name, value in result.held_out.items()),
        ],
    )
