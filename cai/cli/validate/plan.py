"""`cai validate plan`: draw the held-out pairs that people label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cai.config import ValidationConfig
    from cai.validation import Item, Labels, SamplingPlan
    from cai.validation.sampling import Power

__all__ = ["plan"]

_SECONDS = 40
"""Assumed for one label: to read a prompt and two answers, and to choose."""


def plan(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    labels: Annotated[int | None, typer.Option(min=1, help="Draw so many pairs.")] = None,
    width: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.499,
            help="Draw so many that the 95 % interval of the label accuracy is no wider than ± "
            "this. The goal when no other is given, with the config's half_width.",
        ),
    ] = None,
    power: Annotated[
        float | None,
        typer.Option(
            min=0.5, max=0.999, help="Probability of finding an accuracy above --null; 0.8."
        ),
    ] = None,
    null: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=0.999, help="Draw so many that the accuracy is told from this one."
        ),
    ] = None,
    expected: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Share of AI labels that are expected to be right."),
    ] = None,
    annotators: Annotated[
        int | None, typer.Option(min=1, max=100, help="People who label.")
    ] = None,
    overlap: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the items that all label.")
    ] = None,
    repeats: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the items shown twice.")
    ] = None,
    stratify: Annotated[
        str | None,
        typer.Option(
            help="By what to divide the pairs, with commas: confidence, disagreement, principle, "
            "tag; or none."
        ),
    ] = None,
    ask_refusals: Annotated[
        bool | None,
        typer.Option("--ask-refusals/--no-ask-refusals", help="Also ask which answers refuse."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws another sample.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, store none.")] = False,
) -> None:
    """Draw the held-out pairs that people label, and say why so many.

    What no option says comes from the validation section of the run's config. A larger plan with
    the same seed keeps the pairs of the smaller one; labels that were given are never deleted.

    Example: cai validate plan runs/default --width 0.07

    Example: cai validate plan runs/default --null 0.6 --expected 0.75 --power 0.8
    """
    from cai.cli.tables import print_text
    from cai.store import RunStore
    from cai.validation import Labels
    from cai.validation.sampling import make_plan
    from cai.validation.settings import settings_of

    goal = _goal(labels, width, power, null)
    given = {
        "half_width": width,
        "expected_accuracy": expected,
        "annotators": annotators,
        "overlap": overlap,
        "repeats": repeats,
        "stratify": None if stratify is None else _keys(stratify),
        "ask_refusals": ask_refusals,
    }
    # Opening would make a run of a folder that is none.
    RunStore.read(run).close()
    with (RunStore.read if dry_run else RunStore.open)(run) as store:
        settings = settings_of(store, {key: v for key, v in given.items() if v is not None})
        drawn, items = make_plan(
            store, settings, labels=labels, power=goal, seed=seed, say=print_text
        )
        _print(drawn, items, settings)
        lost = _left_behind(Labels(store), items)
        if not dry_run:
            Labels(store).put_plan(drawn, items)
    if lost:
        print_text(lost)
    if dry_run:
        print_text("Nothing was stored (--dry-run).")
    else:
        print_text(f"Stored as plan {drawn.id}. Label it with: cai review {run}")


def _goal(
    labels: int | None, width: float | None, power: float | None, null: float | None
) -> Power | None:
    from cai.errors import UsageError
    from cai.validation.sampling import Power

    goals = {"--labels": labels, "--width": width, "--null": null}
    named = [name for name, value in goals.items() if value is not None]
    if len(named) > 1:
        raise UsageError(f"Got {' and '.join(named)}. The size has one reason: give one of them.")
    if null is None:
        if power is not None:
            raise UsageError(
                "Got --power without --null. Say which accuracy is not good enough, for example "
                "--null 0.6."
            )
        return None
    return Power(null) if power is None else Power(null, power)


def _keys(text: str) -> list[str]:
    keys = dict.fromkeys(key for part in text.split(",") if (key := part.strip()))
    return [key for key in keys if key != "none"]


def _print(plan: SamplingPlan, items: list[Item], settings: ValidationConfig) -> None:
    from cai.cli.tables import print_heading, print_table, print_text
    from cai.validation.sampling import expected_half_width

    print_heading("Held-out pairs")
    rows: list[tuple[object, ...]] = [
        (stratum.name, stratum.pairs, stratum.drawn, f"{stratum.inclusion:.4f}")
        for stratum in plan.strata
    ]
    rows.append(("all", plan.pairs, plan.drawn, ""))
    print_table(("Stratum", "Pairs", "Drawn", "Probability"), rows, numbers=(1, 2, 3))
    shared = sum(item.shared for item in items)
    each = shared + -(-(len(items) - shared) // plan.annotators)
    twice = sum(item.repeat for item in items)
    half = expected_half_width(items, settings.expected_accuracy)
    lines = [
        ("Prompt groups", f"{plan.groups:,}"),
        ("Annotators", f"{plan.annotators:,}"),
        ("Items", f"{len(items):,}: {plan.drawn:,} pairs, {twice:,} of them twice"),
        ("Items that all label", f"{shared:,} (30 at least, where there are so many)"),
        ("Labels of one annotator", f"{each:,}, about {-(-each * _SECONDS // 60):,} min"),
    ]
    if half is not None:
        right = f"{100 * settings.expected_accuracy:g} %"
        lines.append(("Label accuracy", f"± {half:.3f} (95 %) if {right} are right"))
    print_heading("What people are asked")
    print_table(("What", "How much"), lines)
    print_heading("Why so many")
    print_text(plan.goal)
    print_text(
        "Unequal probabilities, several pairs of a prompt group and pairs without a winner make a "
        f"label worth less than an independent one. {_SECONDS} s for a label are assumed. The "
        "interval is that of the labels alone; the judge's probabilities can make it narrower."
    )


def _left_behind(labels: Labels, items: list[Item]) -> str:
    """What to say of labels on items that are not in the new plan."""
    kept = {item.item_id for item in items}
    lost = [
        item
        for role in ("label", "adjudicate")
        for _, item in labels.current(role)
        if item not in kept
    ]
    if not lost:
        return ""
    return (
        f"{len(lost):,} labels on {len(set(lost)):,} items are not in this plan and stay stored. "
        "On held-out pairs they count again when a plan draws them; on dev pairs they serve cai "
        "judge calibrate."
    )
