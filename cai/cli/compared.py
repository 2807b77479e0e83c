"""Saying how a plan differs from its stored run: what stays, what changes, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cai.config import Config
    from cai.loop.figures import Range
    from cai.loop.replanned import Effect, Replanned
    from cai.records import Stage

__all__ = ["announce", "basis_lines", "comparison_record", "effect_line", "print_comparison"]

_NOUNS: dict[Stage, str] = {
    "sample": "sample",
    "critique": "critique",
    "revise": "revision",
    "reason": "reasoning",
    "judge": "judgement",
    "score": "score",
}
_ANNOUNCED = 1_000
"""Prompts of a kind that are walked before a run goes on, which takes a few seconds at most."""


def print_comparison(found: Replanned) -> None:
    """Print every change with its calls, and what becomes of rows and answers."""
    from cai.cli.tables import print_heading, print_text

    print_heading("Compared with the stored run")
    for line in (*_effect_lines(found), *_sums(found)):
        print_text(line)
    if not _refused(found):
        print_text("Carry it out with: cai generate CONFIG --update")


def announce(config: Config) -> None:
    """Say in a paragraph what an update is going to do; nothing where there is nothing to compare.

    Raises:
        CaiError: as `cai.loop.estimate.estimate`.
    """
    from cai.cli.output import error_console, plain
    from cai.loop.estimate import estimate

    found = estimate(config, most=_ANNOUNCED).changes
    if found is None:
        return
    changes = "; ".join(f"{e.change.sign} {e.change.text}" for e in found.effects) or "no change"
    text = f"Compared with the stored run: {changes}. {' '.join(_sums(found))}"
    error_console().print(plain(text), markup=False, highlight=False, soft_wrap=True)


def effect_line(effect: Effect, new: int = 0, *, alone: bool = False) -> str:
    """One change and its calls, as a line.

    Args:
        effect: what to say.
        new: how many prompts are new.
        alone: whether no other change makes any call.
    """
    change, text = effect.change, effect.change.text
    if (change.kind, change.name) == ("prompts", "new"):
        text = "1 new prompt" if new == 1 else f"{new:,} new prompts"
    asked = _counted(effect.direct)
    if then := _counted(effect.follows):
        *others, last = then
        parts = f"{', '.join(others)} and {last}" if others else last
        follows = f"{parts} follow{'s' if _is_one(effect) else ''} from them"
        return f"{change.sign} {text}: {'; '.join(filter(None, (', '.join(asked), follows)))}"
    nothing = "no call" if alone else "no further call"
    return f"{change.sign} {text}: {', '.join(asked) or nothing}"


def _effect_lines(found: Replanned) -> Iterator[str]:
    alone = not any(effect.direct or effect.follows for effect in found.effects)
    for effect in found.effects:
        yield effect_line(effect, found.rows.new, alone=alone)
    if found.rows.gone:
        gone = "1 prompt" if found.rows.gone == 1 else f"{found.rows.gone:,} prompts"
        yield f"- {gone} gone: nothing is asked for them, and exports leave them out"


def _counted(calls: Mapping[Stage, Range]) -> list[str]:
    """`12 critiques`, `about 9 revisions (0 to 12)`, in the order of the stages."""
    return [_said(calls[stage], noun) for stage, noun in _NOUNS.items() if stage in calls]


def _said(calls: Range, noun: str) -> str:
    from cai.wording import counted

    low, likely, high = map(round, calls.values)
    if low == high:
        return counted(likely, noun)
    return f"about {counted(likely, noun)} ({low:,} to {high:,})"


def _is_one(effect: Effect) -> bool:
    return [round(calls.likely) for calls in effect.follows.values()] == [1]


def _sums(found: Replanned) -> list[str]:
    rows, about = found.rows, "about " if found.margin else ""
    parts = [f"{round(rows.kept + rows.same):,} stay as they are"]
    parts.append(f"{round(rows.altered):,} change without a call")
    parts.append(f"{round(rows.asking):,} need calls")
    if rows.failing:
        parts.append(f"{round(rows.failing):,} cannot be made")
    calls = [0.0, 0.0, 0.0]
    for tally in found.lanes.values():
        calls = [a + b for a, b in zip(calls, tally.calls, strict=True)]
    valid, likely = round(sum(found.valid.values())), round(calls[1])
    span = f" ({round(calls[0]):,} to {round(calls[2]):,})" if calls[0] != calls[2] else ""
    kept = f", beside those of the {rows.kept:,} that are finished" if rows.kept else ""
    return [
        f"Rows: {about}{', '.join(parts)}.",
        (
            f"Calls: {about}{valid:,} are answered and stay valid{kept}; {about}{likely:,} are to "
            f"be made{span}."
        ),
    ]


def _refused(found: Replanned) -> bool:
    return any(effect.change.name.startswith("split.") for effect in found.effects)


def basis_lines(found: Replanned) -> list[str]:
    """What the comparison rests on."""
    if found.walked < found.walkable:
        walked = (
            f"{found.walked:,} of {found.walkable:,} prompts, evenly spread, were walked on the "
            "stored answers; low and high have a margin for that. --all walks all of them."
        )
    else:
        walked = f"{found.walked:,} prompts were walked on the stored answers."
    lines = [
        walked,
        (
            "An answer that is asked anew may come out as it was. What follows from it is then "
            "answered already, so fewer calls may be made."
        ),
        (
            "No model was started. One whose section of the config is unchanged counts as the one "
            "that has answered."
        ),
    ]
    if _refused(found):
        lines.append(
            "A split is never changed once it is stored: cai generate refuses this. Set the old "
            "values of split again, or choose a new folder: `run:` in the config."
        )
    if any(effect.follows for effect in found.effects):
        lines.append(
            "High: no critique that is asked anew finds nothing. Likely and low: as many find "
            "nothing as in the stored rows, and as many as might by chance."
        )
    return lines


def comparison_record(found: Replanned) -> dict[str, Any]:
    """The same facts as plain data."""
    from dataclasses import asdict

    def calls(parts: Mapping[Stage, Range]) -> dict[str, Any]:
        return {stage: asdict(range_) for stage, range_ in parts.items()}

    return {
        "walked": found.walked,
        "walkable": found.walkable,
        "margin": found.margin,
        "rows": asdict(found.rows),
        "valid_calls": sum(found.valid.values()),
        "effects": [
            {
                **asdict(effect.change),
                "direct": calls(effect.direct),
                "follows": calls(effect.follows),
            }
            for effect in found.effects
        ],
    }
