"""`cai demo`: the path of `cai run` in small, on packaged prompts with the embedded model."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cai.config import Config

__all__ = ["demo"]

_TRAINING = ("torch", "transformers", "accelerate", "trl", "peft", "datasets", "matplotlib")
"""What the extra `train` brings."""


def demo(
    run: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/demo"),
    prompts: Annotated[int, typer.Option(min=1, help="How many of the starter prompts.")] = 12,
) -> None:
    """See it all work on this machine, from principles to a report: no key, no GPU, no model hub.

    A tiny model (SmolLM2-135M, fetched once) answers starter prompts, revises its answers under
    the packaged constitution, and judges them; it is trained on that for a few steps, asked what
    this has cost it, and reported on. It is far too small to do any of this well; it shows how the
    pieces fit. Start the same command again, and all is left as it is.

    Without the packages for training it stops before that, and says how to install them.

    Example: cai demo
    """
    from cai.cli.run import carry_out
    from cai.cli.tables import print_text
    from cai.cli.watching import Printing
    from cai.config import load_config
    from cai.pipeline import Desk

    packaged = Path(__file__).with_name("_demo.yaml")
    overrides: dict[str, Any] = {"run": str(run), "prompts.limit": prompts}
    config = load_config(packaged, overrides)
    missing = _missing(config)
    if missing:
        # Models that are not there cannot be evaluated either.
        overrides |= {"pipeline.train": [], "pipeline.evaluate": {}}
        config = load_config(packaged, overrides)
    carry_out(Desk(config, watcher=Printing()))
    if missing:
        print_text(
            f"Nothing was trained or evaluated, because {', '.join(missing)} are not installed. "
            "To see the rest, too: pip install 'constitutional-ai[train]', and the same command."
        )
    print_text(
        f"\nRead a whole transcript:  cai show {run} 1\n"
        "Start a project of your own:  cai init my-project"
    )


def _missing(config: Config) -> list[str]:
    """Packages for training that are not there; none where even the policy cannot be asked.

    Then carrying it out says what that takes.
    """
    missing = [name for name in _TRAINING if find_spec(name) is None]
    in_process = config.models.policy.engine == "transformers"
    return [] if in_process and {"torch", "transformers"} & set(missing) else missing
