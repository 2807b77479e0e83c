"""From a plan to the judge of single answers: whether they follow principles, yes or no."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cai.judge import Jury, PointwiseJudge, Seat
from cai.judge.follows import FollowsJudge
from cai.loop.judging import judging_stage, judging_template, logprobs_of
from cai.templates import load_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.judge.pairwise import Asking
    from cai.loop.plan import Plan
    from cai.templates import Template

__all__ = ["follows_jury", "follows_template"]

_FALLBACK = "fallback_judge"
_NAME = "proposition"


def follows_jury(plan: Plan, asking: Mapping[str, Asking], *, secret: bytes = b"") -> Jury:
    """The judges of a plan, asked about one answer in place of two.

    They are put together as they are for pairs; the second answer is not looked at. Whatever
    `judge.mode` is, they answer at once and with one word.

    Args:
        plan: what is asked.
        asking: the model of each role that judges, by the names of `Engines.judging`.
        secret: key of the codes that `judge.quoting: nonce` puts into delimiters.
    """
    config, template = plan.config, follows_template(plan).with_secret(secret)

    def seat(role: str) -> Seat:
        pointwise = PointwiseJudge(
            asking[role],
            template,
            config.judge,
            logprobs=logprobs_of(config.models, role),
            seed=config.loop.seed,
        )
        name = "" if role == "judge" else plan.judges[role]
        return Seat(name, FollowsJudge(pointwise, config.judge))

    members = [seat(role) for role in plan.judges if role != _FALLBACK]
    fallback = seat(_FALLBACK) if _FALLBACK in plan.judges else None
    return Jury(members, config.judge, fallback)


def follows_template(plan: Plan) -> Template:
    """The template of the judge where it shows a proposition, else `score/proposition`.

    That is looked for in `templates.folder`, and then among the packaged ones.
    """
    own = plan.templates[judging_stage(plan.config)]
    if "proposition" in own.inputs:
        return own
    folder = plan.config.templates.folder
    root = Path(folder) if folder else None
    there = root if root and (root / "score" / f"{_NAME}.jinja").is_file() else None
    return judging_template(load_template("score", _NAME, there), plan.config, plan.constitution)
