"""`cai demo`: the main job on packaged prompts with the embedded model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    run: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/demo"),
    prompts: Annotated[int, typer.Option(min=1, help="How many of the starter prompts.")] = 12,
) -> None:
    """See the whole loop work on this machine: no key, no GPU, no model hub.

    A tiny model (SmolLM2-135M, fetched once) answers starter prompts, revises its answers under
    the packaged constitution, and judges them. It is far too small to do this well; it shows how
    the pieces fit.

    Example: cai demo
    """
    from cai.cli.running import carry_out, print_result
    from cai.cli.tables import print_text
    from cai.config import load_config
    from cai.loop import Generation

    config = load_config(
        Path(__file__).with_name("_demo.yaml"),
        {"run": str(run), "prompts.limit": prompts},
    )
    generation = Generation(config)
    print_result(generation, carry_out(generation))
    print_text(
        f"\nRead a whole transcript:  cai show {run} 1\n"
        "Start a project of your own:  cai init my-project"
    )
