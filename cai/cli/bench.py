"""`cai bench`: what things cost on this machine, and how well they do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Measure what things cost on this machine, and how well they do.",
)


@app.command()
def trainers(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG|RUN", help="A training config (YAML), or the folder of a run."
        ),
    ],
    methods: Annotated[
        str,
        typer.Option(
            help="What to compare, with commas between: sft, rm, dpo, kto, ppo, grpo, rloo. ppo is "
            "trained twice: with a value head on the policy, and with a critic of its own. ppo, "
            "grpo and rloo bring rm along, their reward."
        ),
    ] = "sft,rm,dpo,ppo,grpo",
    steps: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Optimiser steps of each method; the first is not timed. By default what the "
            "config says, or one pass over the pairs.",
        ),
    ] = None,
    target: Annotated[
        float,
        typer.Option(
            help="Preference accuracy to be reached on dev pairs, between 0.5 and 1. For ppo and "
            "grpo: how often answers at the end must beat those at the beginning by the reward "
            "model's own scale, which is a gain of log(TARGET / (1 - TARGET))."
        ),
    ] = 0.6,
    output: Annotated[
        Path, typer.Option(help="Folder for the models, bench.json and bench.md.")
    ] = Path("models/bench"),
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any key of the config: --set dpo.beta=0.05", metavar="KEY=VALUE"
        ),
    ] = None,
) -> None:
    """Train with several methods on the same model and data, and compare cost and result.

    Each method runs in a process of its own and makes the same number of optimiser steps on the
    same number of examples, unless the config says otherwise under `ppo` or `grpo`. Reported are
    memory, seconds, preference accuracy on pairs that were not trained on, the divergence from the
    untrained model, and what the reward model says of fresh answers before and after. Two common
    claims are checked: that DPO is 2 to 3 times cheaper than PPO, and that GRPO needs about half of
    PPO's memory.

    Start the same command again after an interruption: finished methods are not trained again.

    Example: cai bench trainers training.yaml --steps 50
    """
    from cai.cli.settings import overrides_of
    from cai.cli.tables import print_heading, print_table, print_text
    from cai.train.compare import compare, parse_methods, tables
    from cai.train.load import load_training

    config = load_training(source, overrides_of(setting or []))
    found = compare(
        config,
        methods=parse_methods(methods),
        steps=steps,
        target=target,
        output=output,
        say=print_text,
    )
    for table in tables(found):
        print_heading(table.title)
        print_table(table.columns, table.rows, numbers=range(1, len(table.columns)))
    print_heading("Claims")
    for claim in found.claims:
        print_text(f'"{claim.text}" {claim.said}')
    print_heading("How to read this")
    for note in found.notes:
        print_text(f"- {note}")
    print_text(f"All in {output}: bench.json, bench.md, and a folder for each method.")
