"""A finished comparison for people and programs: tables, notes, `bench.json` and `bench.md`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.train.compare.claims import Claim
    from cai.train.compare.outcome import Divergence, Gain, Outcome
    from cai.train.compare.plan import Plan

__all__ = ["Comparison", "Table", "notes_of", "tables", "write_report"]

_NOISY = 0.1


@dataclass(frozen=True, slots=True)
class Comparison:
    """A finished comparison.

    Args:
        config_hash: of everything that was asked.
        config: as it was given.
        steps: optimiser steps that were asked of each method.
        target: accuracy to be reached.
        pairs: training pairs that there were.
        tested: pairs that accuracy was measured on.
        tested_on: `held-out` or `dev`.
        machine: processors, threads, torch, device, and the fingerprint of the untrained model.
        bare_mb: memory of a process that only loads the model.
        versions: of packages.
        commit: of the toolkit; empty for an installed package.
        outcomes: a row for each training, in their order.
        claims: that were checked.
        notes: how the numbers are to be read.
    """

    config_hash: str
    config: dict[str, Any]
    steps: int
    target: float
    pairs: int
    tested: int
    tested_on: str
    machine: dict[str, Any]
    bare_mb: float | None
    versions: dict[str, str]
    commit: str
    outcomes: tuple[Outcome, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a title."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(found: Comparison) -> tuple[Table, Table]:
    """What the methods cost, and what came of them."""
    bare = f", bare process {found.bare_mb:,.0f} MB" if found.bare_mb is not None else ""
    cost = Table(
        f"Cost on {found.machine['processors']} processors, device {found.machine['device']}{bare}",
        (
            *("Method", "Steps", "Examples", "Peak MB", "Above bare MB"),
            *("s per step", "s per example", "s to target"),
        ),
        tuple(_cost(outcome) for outcome in found.outcomes),
    )
    sizes = [o.divergence.answers for o in found.outcomes if o.divergence is not None]
    fresh = f", KL and reward on {sizes[0]} fresh answers" if sizes else ""
    result = Table(
        f"Result, accuracy on {found.tested:,} {found.tested_on} pairs{fresh}",
        (
            *("Method", "Accuracy", "95 % interval", "KL k1, nats", "KL k3"),
            *("Reward before", "after", "gain"),
        ),
        tuple(_result(outcome) for outcome in found.outcomes),
    )
    return cost, result


def notes_of(plan: Plan, target: float, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """How the numbers of a comparison are to be read.

    Args:
        plan: that was carried out.
        target: accuracy to be reached.
        outcomes: of its arms.
    """
    ppo = [arm.config.ppo for arm in plan.arms if arm.method == "ppo"]
    epochs = ppo[0].epochs if ppo else 1
    passes = "once" if epochs == 1 else f"{epochs} times"
    config = plan.arms[0].config
    scope = (
        f"One run on one machine with one seed; {plan.pairs:,} training pairs of at most "
        f"{config.training.max_length} tokens with their prompt, and sampled answers of at most "
        f"{config.ppo.generate.max_tokens}. Other models, lengths and machines give other ratios."
    )
    cost = (
        "An example is a pair for rm and dpo, and an answer for all others; ppo goes over "
        f"each answer {passes}. Seconds per step are the median without the first step; loading "
        "and evaluation are left out. An example of dpo or kto includes the pass of the reference, "
        "one of ppo, grpo and rloo the sampling and the reward."
    )
    goal = (
        f"The target is an accuracy of {target:g} on dev pairs, looked at in each evaluation (for "
        "sft and kto at the end alone). For ppo, grpo and rloo it is a gain of log(target / (1 - "
        "target)) in the mean reward of the answers that are learned from, over at least 64 "
        "answers each."
    )
    accuracy = (
        "Accuracy is how often the reward of rm, or log pi/pi_ref of a policy against the "
        f"untrained model, is higher for the chosen answer of {plan.tested_on} pairs; the interval "
        "is Wilson's."
    )
    answers = (
        "KL is the divergence from the untrained model per answer, on fresh answers to dev "
        "prompts; ± is a standard error, of the gain that of the difference by prompt. The reward "
        "is that of rm, which ppo, grpo and rloo were trained on."
    )
    notes = (scope, cost, goal, accuracy, answers)
    others = max((outcome.others or 0.0 for outcome in outcomes), default=0.0)
    if others < _NOISY:
        return notes
    busy = (
        f"Other programs took up to {others:.0%} of the processors meanwhile: seconds are upper "
        "bounds, and their ratios are unsure. Measure again on a quiet machine."
    )
    return busy, *notes


def write_report(found: Comparison, output: Path) -> None:
    """Write `bench.json` and `bench.md`."""
    from jinja2 import Environment

    data = orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    _write(output / "bench.json", data + b"\n")
    source = Path(__file__).with_name("_bench.md.jinja").read_text(encoding="utf-8")
    # Numbers and the toolkit's own words: nothing in it comes from a model.
    markdown = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    text = markdown.from_string(source).render(
        found=found,
        tables=tables(found),
        model=Path(found.config["model"]["name"]).name,
        versions=", ".join(f"{name} {version}" for name, version in found.versions.items()),
    )
    _write(output / "bench.md", text.encode())


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


def _cost(outcome: Outcome) -> tuple[str, ...]:
    target = outcome.target
    return (
        outcome.name,
        f"{outcome.steps:,}",
        f"{outcome.examples:,}",
        _number(outcome.peak_mb, ",.0f"),
        _number(outcome.over_mb, ",.0f"),
        _number(outcome.per_step, ".3g"),
        _number(outcome.per_example, ".3g"),
        target.why or target.outcome if target.seconds is None else f"{target.seconds:,.1f}",
    )


def _result(outcome: Outcome) -> tuple[str, ...]:
    accuracy = outcome.accuracy
    return (
        outcome.name,
        f"{accuracy.share:.1%}",
        f"{accuracy.low:.1%} to {accuracy.high:.1%}",
        *_kl(outcome.divergence),
        *_reward(outcome.gain),
    )


def _kl(divergence: Divergence | None) -> tuple[str, str]:
    if divergence is None:
        return "", ""
    k3 = "infinite" if divergence.k3 is None else f"{divergence.k3:.3f}"
    return _spread(divergence.k1, divergence.k1_error), k3


def _reward(gain: Gain | None) -> tuple[str, str, str]:
    if gain is None:
        return "", "", ""
    difference = _spread(gain.after - gain.before, gain.error, signed=True)
    return f"{gain.before:.3f}", f"{gain.after:.3f}", difference


def _spread(value: float | None, error: float | None, *, signed: bool = False) -> str:
    if value is None or error is None:
        return "infinite"
    return f"{value:+.3f} ± {error:.3f}" if signed else f"{value:.3f} ± {error:.3f}"


def _number(value: float | None, form: str) -> str:
    return "not measured" if value is None else format(value, form)
