"""The stages of a pipeline as tables: what is done, and what would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cai.loop.estimate import Estimate
    from cai.loop.figures import Range
    from cai.pipeline import PlannedStage
    from cai.store.stages import StageRecord, Stages

__all__ = ["print_plan", "print_stages"]


def print_stages(stages: Stages, *, at_work: bool) -> None:
    """A table of all stages.

    Args:
        stages: as they are stored.
        at_work: whether a process carries them out; one that was killed leaves a stage `running`.
    """
    from cai.cli.running import duration
    from cai.cli.tables import print_heading, print_table, print_text

    people = "required" if stages.validate == "required" else "skipped: not validated by people"
    print_heading("Stages")
    print_table(
        ("Stage", "State", "Ended", "Time", "Calls", "Dollars", "What"),
        [
            (
                one.name,
                "interrupted" if one.state == "running" and not at_work else one.state,
                (one.finished or "")[:19],
                duration(one.seconds) if one.started else "",
                one.calls,
                _dollars(one),
                " ".join(one.said.split())[:200],
            )
            for one in stages.stages
        ],
        numbers=(3, 4, 5),
    )
    print_text(f"Validation by people: {people}.")


def _dollars(one: StageRecord) -> str:
    if one.usd is None:
        return "unknown price"
    return f"{one.usd:,.4f}" if one.usd else "free" if one.calls else ""


def print_plan(stages: Sequence[PlannedStage], run: str) -> None:
    """A table of what a start would do, and what a generation would ask."""
    from cai.cli.tables import print_heading, print_table, print_text

    print_text(f"{run}: what cai run would do. Nothing was started.")
    print_heading("Stages")
    print_table(
        ("Stage", "What", "Why", "Calls", "Tokens", "Dollars", "Steps"),
        [
            (
                one.stage.name,
                {"skip": "leave", "perhaps": "look", "not meant": "leave"}.get(
                    one.action, one.action
                ),
                one.why,
                *_asked(one.asks),
                _steps(one),
            )
            for one in stages
        ],
        numbers=(3, 4, 5, 6),
    )
    for one in stages:
        if one.evaluations:
            print_heading("Evaluations, at the most")
            print_table(
                ("Evaluation", "Model", "Asked for", "Calls", "Tokens", "Dollars"),
                list(_evaluations(one.evaluations)),
                numbers=(3, 4, 5),
            )
    for line in _notes(stages):
        print_text(f"- {line}")


def _evaluations(each: Mapping[str, Estimate]) -> Iterator[tuple[str, ...]]:
    """A row for each model and what it is asked for, or one for an evaluation that asks nobody."""
    for name, asks in each.items():
        if not asks.stages:
            yield (name, "", "", "0", "", "free")
        for one in asks.stages:
            tokens = one.prompt_tokens.likely + one.completion_tokens.likely
            dollars = "unknown price" if one.usd is None else f"{one.usd.likely:,.4f}"
            what = "answers" if one.stage == "sample" else "judgements"
            figures = (f"{one.calls.likely:,.0f}", f"{tokens:,.0f}")
            yield (name, one.role, what, *figures, dollars if one.paid else "free")


def _asked(asks: Estimate | None) -> tuple[str, str, str]:
    if asks is None:
        return ("", "", "")
    tokens = asks.prompt_tokens.likely + asks.completion_tokens.likely
    return (f"{asks.calls.likely:,.0f}", f"{tokens:,.0f}", _likely_dollars(asks))


def _likely_dollars(asks: Estimate) -> str:
    paid = any(stage.paid and stage.usd is not None for stage in asks.stages)
    if paid:
        return f"{'at least ' if asks.unpriced else ''}{asks.usd.likely:,.4f}"
    return "unknown price" if asks.unpriced else "free"


def _steps(one: PlannedStage) -> str:
    if one.stage.training is None or one.action == "not meant":
        return ""
    return "by the data" if one.steps is None else f"{one.steps:,}"


def _notes(stages: Sequence[PlannedStage]) -> Iterator[str]:
    for one in stages:
        if one.evaluations and one.asks is not None:
            yield from _of_evaluations(one, one.asks)
        elif one.asks is not None:
            yield (
                f"{one.stage.name}: {_range(one.asks.calls)} calls, "
                f"{_range(one.asks.prompt_tokens)} tokens read, "
                f"{_range(one.asks.completion_tokens)} generated (low to high, likely in the "
                "table); cai plan CONFIG says what this rests on."
            )
        if one.needs_update:
            changed = ", ".join(one.asks.changed if one.asks else ())
            yield (
                f"{one.stage.name}: the stored run asked something else ({changed}), and goes on "
                "with --update only."
            )
    if any(one.action == "perhaps" for one in stages):
        yield "look: what comes before decides whether there is something to do."


def _of_evaluations(one: PlannedStage, asks: Estimate) -> Iterator[str]:
    yield (
        f"{one.stage.name}: prompts × models × samples, the trial of the judge on labelled "
        "answers, and judgements × orders, counted by going through it with stand-ins. Fewer are "
        "made where answers are empty, refused or equal, or known from before."
    )
    if asks.calls.high > asks.calls.likely:
        yield (
            f"{one.stage.name}: up to {asks.calls.high:,.0f} calls where a judge's server gives no "
            "log-probabilities, so that judgements are sampled (judge.votes)."
        )


def _range(range_: Range) -> str:
    return f"{range_.low:,.0f} to {range_.high:,.0f}"
