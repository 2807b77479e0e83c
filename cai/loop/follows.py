"""From a plan to the judge of single answers: whether they follow principles, yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.judge import Jury
from cai.judge.follows import FollowsJudge
from cai.loop.judging import (
    judging_stage,
    judging_template,
    open_pointwise,
    own_or_packaged,
    seats,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.judge.pairwise import Asking
    from cai.loop.plan import Plan
    from cai.templates import Template

__all__ = ["follows_jury", "follows_template"]

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

    def answer_judge(role: str) -> FollowsJudge:
        return FollowsJudge(open_pointwise(config, role, asking[role], template), config.judge)

    members, fallback = seats(plan, answer_judge)
    return Jury(members, config.judge, fallback)


def follows_template(plan: Plan) -> Template:
    """The template of the judge where it shows a proposition, else `score/proposition`.

    That is looked for in `templates.folder`, and then among the packaged ones.
    """
    own = plan.templates[judging_stage(plan.config)]
    if "proposition" in own.inputs:
        return own
    packaged = own_or_packaged(plan.config, _NAME)
    return judging_template(packaged, plan.config, plan.constitution)
