"""`cai validate promote`: hand people's labels to training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["promote"]


def promote(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    share: Annotated[
        float,
        typer.Option(min=0.001, max=1.0, help="Share of the labelled prompt groups to hand over."),
    ] = 1.0,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask: retired pairs never come back.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write all promoted pairs to this JSONL file, for other trainers."),
    ] = None,
) -> None:
    """Let training use labels by people, and retire their prompts from the held-out set for good.

    Whole groups of near-duplicate prompts are retired, also those in which people saw a tie: what
    is left must be a sample without a choice. cai train takes the pairs from the run, as
    labels by people. The gate's verdict is void afterwards: ask it again with what is left.

    Example: cai validate promote runs/default --share 0.5
    """
    import json

    from cai.cli.tables import print_text
    from cai.store import RunStore
    from cai.validation import Labels
    from cai.validation.promote import groups_to_promote, promoted
    from cai.validation.promote import promote as hand_over

    with RunStore.read(run) as store:
        leaving = len(groups_to_promote(Labels(store), share))
    if not yes:
        typer.confirm(
            f"{leaving:,} prompt groups leave the held-out set for good, and nothing can be "
            "checked on them any more. Go on?",
            abort=True,
        )
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
    with RunStore.open(run) as store:
        done = hand_over(Labels(store), share=share)
        lines = [
            {
                "prompt": [{"role": m.role, "content": m.content} for m in one.prompt],
                "chosen": one.chosen,
                "rejected": one.rejected,
                "p": one.p,
                "labels": one.labels,
            }
            for one in (promoted(store) if out else ())
        ]
    if out:
        out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    print_text(
        f"{done.pairs:,} more pairs of {done.groups:,} prompt groups may be trained on; "
        f"{done.left:,} labelled pairs stay held out. The gate's verdict is void. Draw and label "
        "a new sample: "
        f"cai validate plan {run}"
    )
