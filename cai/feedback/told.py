"""The figures of a folder in words, for the card and the command line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["bias_lines", "checked_lines", "input_lines", "judge_lines", "user_lines", "warnings"]

_MANY = 0.25
"""Share of all rows by one user from which that is said."""
_SEVERAL = 5
"""Rows of one user up to which nothing is said, however few there are."""
_SAYS = {
    "length": "liked answers, as a multiple of disliked ones",
    "agreement": "begin with agreement or flattery, liked minus disliked",
    "refusals": "begin like a refusal, liked minus disliked",
}
_WARNS = {
    "length": "Liked answers are {way} than disliked ones: training on these thumbs teaches "
    "length.",
    "agreement": "Liked answers agree and flatter {way} often than disliked ones: training on "
    "these thumbs teaches sycophancy.",
    "refusals": "Liked answers refuse {way} often than disliked ones: training on these thumbs "
    "moves what is refused. Have `cai evaluate refusal` look before and after.",
}


def input_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Files and rows."""
    inputs = facts["inputs"]
    bad, refused = (sum(one[key] for one in inputs) for key in ("bad", "refused"))
    settings = facts["settings"]
    lines = [
        ("Files", ", ".join(sorted(one["name"] for one in inputs)) or "none"),
        ("Rows stored", f"{facts['users']['all']['rows']:,}"),
        ("Bad lines skipped", f"{bad:,}"),
        ("Rows without consent, never stored", f"{refused:,}"),
        ("Most of one user, of one session", f"{settings['per_user']}, {settings['per_session']}"),
    ]
    return [line for line in lines if line[1] != "0"]


def user_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How far a few users make up the rows."""
    lines = []
    for key, what in (("all", "all rows"), ("trained_on", "rows to train on")):
        found = facts["users"][key]
        if found["rows"]:
            share = found["top"] / found["rows"]
            told = (
                f"{counted(found['users'], 'user')}, {counted(found['rows'], 'row')}; the most "
                f"active gave {found['top']:,} ({share:.0%}); as concentrated as "
                f"{found['effective']:.1f} users with equal parts"
            )
            lines.append((f"Users behind {what}", told))
    return lines


def bias_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Differences between liked and disliked answers with 95 % intervals by user."""
    lines = []
    for one in facts["biases"]:
        if not one["liked"] and not one["disliked"]:
            continue
        n = f"{one['liked']:,} liked, {one['disliked']:,} disliked, {one['users']:,} users"
        found = one["interval"]
        if found is None:
            told = f"not measured ({n}; needs both thumbs and 2 users)"
        else:
            ends = (found["estimate"], found["low"], found["high"])
            mark = "; found" if one["found"] else ""
            few = "; few users, so the interval is rough" if one["few_users"] else ""
            told = f"{_span(one['name'], *ends)} ({n}){mark}{few}"
        lines.append((f"{one['name'].capitalize()}: {_SAYS[one['name']]}", told))
    return lines


def judge_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the judge of the constitution made of liked answers."""
    found = facts["judge"]
    if not found["answers"]:
        return [("Judge", "has compared nothing (--judge-config)")]
    told = (
        f"{found['answers']:,}, of which {found['conflicts']:,} go to people and "
        f"{found['silent']:,} got no verdict"
    )
    return [("Judge", found["judge"]), ("Liked answers compared with a plain one", told)]


def checked_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How often people agreed with users on held-out rows."""
    names = {"thumbs": "People agree with thumbs", "edit": "People prefer the edit"}
    return [
        (names[what], f"{_share(found)} of {counted(found['n'], 'held-out answer')}")
        for what, found in facts["checked"].items()
    ] or [("Checked by people", "nothing yet; cai review shows held-out answers, too")]


def warnings(facts: Mapping[str, Any]) -> list[str]:
    """What should be known before anything is trained on these files."""
    told = []
    users = facts["users"]["all"]
    if users["users"] > 1 and users["top"] > max(_SEVERAL, _MANY * users["rows"]):
        told.append(
            f"One user gave {users['top']:,} of {users['rows']:,} rows. The caps keep at most "
            f"{facts['settings']['per_user']} of them; lower --per-user if that is still much."
        )
    labels = facts["labels"]
    if labels["out_of_balance"]:
        both = min(labels["good"], labels["bad"]) > 0
        told.append(
            f"{labels['good']:,} good and {labels['bad']:,} bad answers: the labels are out of "
            "balance. " + ("kto.yaml weighs the commoner side down." if both else "KTO needs both.")
        )
    for one in facts["biases"]:
        if one["found"]:
            more = one["interval"]["estimate"] > 0
            way = ("longer" if more else "shorter") if one["name"] == "length" else ""
            told.append(_WARNS[one["name"]].format(way=way or ("more" if more else "less")))
    if unseen := facts["judge"]["unseen"]:
        told.append(
            f"No judge has looked at {counted(unseen, 'liked answer')} to train on. --judge-config "
            "sends those to people that the constitution calls worse than a plain one."
        )
    return told


def _span(name: str, estimate: float, low: float, high: float) -> str:
    if name == "length":
        return f"{math.exp(estimate):.2f} ({math.exp(low):.2f} to {math.exp(high):.2f})"
    points = [100 * value for value in (estimate, low, high)]
    return f"{points[0]:+.1f} points ({points[1]:+.1f} to {points[2]:+.1f})"


def _share(found: Mapping[str, float]) -> str:
    return f"{found['estimate']:.0%} ({found['low']:.0%} to {found['high']:.0%})"
