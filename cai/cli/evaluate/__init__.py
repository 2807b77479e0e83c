"""`cai evaluate`: what a model does, and what alignment cost it."""

from __future__ import annotations

import typer

from cai.cli.evaluate.adherence import adherence
from cai.cli.evaluate.probes import probes
from cai.cli.evaluate.refusal import refusal
from cai.cli.evaluate.reward_model import reward_model
from cai.cli.evaluate.rewards import rewards
from cai.cli.evaluate.tax import tax
from cai.cli.evaluate.two_turn import two_turn
from cai.cli.evaluate.winrate import winrate

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Evaluate models and checkpoints: refusals, wins, adherence, alignment tax.",
)
app.command()(adherence)
app.command()(probes)
app.command("reward-model")(reward_model)
app.command()(rewards)
app.command()(tax)
app.command("two-turn")(two_turn)
app.command()(winrate)
app.command()(refusal)
