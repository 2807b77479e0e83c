"""`cai plan`: what a run will ask and cost, and what has changed since it was last started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.config import Config
    from cai.loop.estimate import Estimate, StageEstimate
    from cai.loop.figures import Range

__all__ = ["plan"]

_ASSUMED = (
    "Low: answers are 1/8 as long as they may be (max_tokens), and no critique finds anything.",
    "Likely: answers are half as long as they may be; one critique in five finds nothing.",
    (
        "High: answers are as long as they may be, no critique finds nothing, and a server that "
        "may give no log-probabilities gives none; a score of 10 takes two tokens."
    ),
    "Hidden reasoning counts as generated. Repeated attempts and cached tokens are not in it.",
)
_TOKENS = (
    "Tokens as in the answered calls of the same stage and model, with a margin; where there are "
    "few: four characters a token, and answers of 1/8, half and all of the length that is allowed."
)


def plan(
    config: Annotated[Path, typer.Argument(help="The config file, for example cai.yaml.")],
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run, in place of the config's.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Prompt file, or 'starter', in place of the config's.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a trained model that answers the prompts, as for 'cai generate'."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use only the first so many prompts.")
    ] = None,
    budget_usd: Annotated[
        float | None, typer.Option(min=0.0, help="Say how far so many dollars go.")
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(min=1, help="Say how far so many tokens go.")
    ] = None,
    calls_per_second: Annotated[
        float | None, typer.Option(min=0.0, help="Calls that the models answer per second.")
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Compare every prompt with the stored run, not an evenly spread part of many.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what a run will ask and cost, and what a change makes of a stored run.

    Starts no model, and needs no key and no network. What a stored run has answered is left out.
    Where constitution, templates, config or prompts have changed since, it lists each change with
    the calls that it makes necessary.

    Example: cai plan cai.yaml --limit 1000
    """
    from cai.cli.settings import load_settings
    from cai.config.policy import with_policy
    from cai.loop.estimate import WALKED, estimate

    settings = load_settings(
        config,
        run=run,
        prompts=prompts,
        limit=limit,
        budget_usd=budget_usd,
        budget_tokens=budget_tokens,
    )
    if policy is not None:
        settings = with_policy(settings, policy)
    found = estimate(settings, most=None if everything else WALKED)
    if as_json:
        _print_json(found, settings, calls_per_second)
    else:
        _print(found, settings, calls_per_second)


def _print(found: Estimate, config: Config, calls_per_second: float | None) -> None:
    from cai.cli.compared import print_comparison
    from cai.cli.tables import print_heading, print_table, print_text

    done = f", {found.finished:,} of them done" if found.finished else ""
    print_text(f"{config.run}  {config.constitution}, {found.prompts:,} prompts{done}")
    if found.changes:
        print_comparison(found.changes)
    elif found.finished == found.prompts:
        print_text("Nothing to do: every row is finished, and the config asks what it asked.")
    if found.impossible:
        lost = found.impossible
        print_text(
            f"Warning: no row can be made of {lost.rows:,} of {lost.looked_at:,} prompts that were "
            f"looked at, and nothing is asked for them. {lost.reason}"
        )
    if not found.stages or not found.calls.high:
        return
    print_heading("Still to be asked, by stage (likely)")
    print_table(
        ("Role", "Stage", "Model", "Calls", "Tokens read", "Tokens generated", "Dollars"),
        [
            (
                *(stage.role, stage.stage, stage.model + (", batch" if stage.batch else "")),
                f"{stage.calls.likely:,.0f}",
                f"{stage.prompt_tokens.likely:,.0f}",
                f"{stage.completion_tokens.likely:,.0f}",
                _stage_dollars(stage),
            )
            for stage in found.stages
        ],
        numbers=(3, 4, 5, 6),
    )
    print_heading("In all")
    print_table(
        ("What", "Low", "Likely", "High"), _totals(found, calls_per_second), numbers=(1, 2, 3)
    )
    print_heading("What this rests on")
    for line in [*_basis(found), *_judges(config, found), *_prices(found), *_budget(found, config)]:
        print_text(f"- {line}")


def _stage_dollars(stage: StageEstimate) -> str:
    if stage.usd is None:
        return "unknown price"
    return f"{stage.usd.likely:,.4f}" if stage.paid else "free"


def _totals(found: Estimate, calls_per_second: float | None) -> list[tuple[str, ...]]:
    from cai.cli.running import duration

    def line(name: str, range_: Range, say: Callable[[float], str]) -> tuple[str, ...]:
        return (name, say(range_.low), say(range_.likely), say(range_.high))

    def whole(value: float) -> str:
        return f"{value:,.0f}"

    lines = [
        line("Calls", found.calls, whole),
        line("Tokens read", found.prompt_tokens, whole),
        line("Tokens generated", found.completion_tokens, whole),
    ]
    if any(stage.paid and stage.usd is not None for stage in found.stages):
        at_least = "at least " if found.unpriced else ""
        lines.append(line("Dollars", found.usd, lambda usd: f"{at_least}{usd:,.4f}"))
    else:
        word = "unknown" if found.unpriced else "free"
        lines.append(("Dollars", word, word, word))
    lines.append(line("Judged pairs", found.pairs, whole))
    each = found.usd_per_1000_pairs
    if each:
        lines.append(("Dollars per 1,000 pairs", "", f"{each:,.2f}", ""))
    if calls_per_second:
        pace = calls_per_second
        lines.append(line("Time", found.calls, lambda calls: duration(calls / pace)))
    return lines


def _basis(found: Estimate) -> list[str]:
    from cai.cli.compared import basis_lines

    if found.changes:
        return [*basis_lines(found.changes), _TOKENS]
    if found.measured:
        return [
            f"Calls and tokens as in {found.measured:,} finished rows of this run, with a margin."
        ]
    lines = []
    answered = sum(stage.answered for stage in found.stages)
    if answered:
        text = (
            f"{answered:,} calls of unfinished rows are answered already and left out; tokens are "
        )
        lines.append(f"{text}as in the answered calls, where there are enough.")
    text = (
        f"{found.rehearsed:,} prompts, spread over the file, were walked with stand-in answers. "
        "An estimate: four characters a token, and four tokens for every message."
    )
    return [*lines, text, *_ASSUMED]


def _judges(config: Config, found: Estimate) -> list[str]:
    from cai.loop.judging import self_preference

    warning = self_preference(config.models) if config.loop.asks_judge else ""
    lines = [f"Warning: {warning}"] if warning else []
    if config.models.fallback_judge is not None and found.changes:
        lines.append("Calls of the fallback judge that new refusals will make are not in it.")
    elif config.models.fallback_judge is not None:
        lines.append(
            "Calls of the fallback judge are not in it before there are finished rows: how often "
            "the judge refuses is not known."
        )
    return lines


def _prices(found: Estimate) -> list[str]:
    sources: dict[str, list[str]] = {}
    for stage in found.stages:
        if stage.paid and stage.usd is not None:
            models = sources.setdefault(stage.price_source, [])
            models += [] if stage.model in models else [stage.model]
    lines = [f"Prices of {', '.join(models)}: {source}." for source, models in sources.items()]
    if found.unpriced:
        lines.append(
            f"The price of {', '.join(found.unpriced)} is not known. Give it in the config, in "
            "dollars per million tokens, such as prices: {NAME: {input: 1.00, output: 4.00}}."
        )
    return lines


def _budget(found: Estimate, config: Config) -> list[str]:
    runtime, lines = config.runtime, []
    if found.spent and found.spent.tokens:
        dollars = f"${found.spent.usd:,.4f} and " if found.spent.usd else ""
        lines.append(f"The stored run has used {dollars}{found.spent.tokens:,} tokens so far.")
    if runtime.budget_usd is None and runtime.budget_tokens is None:
        return lines
    if runtime.budget_usd is not None and found.unpriced:
        return [*lines, "A budget in dollars needs the price of every model that is paid for."]
    rows = _rows_within(found, config)
    limits = []
    if runtime.budget_usd is not None:
        limits.append(f"${runtime.budget_usd:,.2f}")
    if runtime.budget_tokens is not None:
        limits.append(f"{runtime.budget_tokens:,} tokens")
    text = f"The budget of {' and '.join(limits)}"
    if rows is None:
        return [*lines, f"{text} is likely to suffice."]
    return [
        *lines,
        (
            f"{text} would stop the run when about {rows:,} of {found.prompts:,} rows are "
            "finished and others begun."
        ),
    ]


def _rows_within(found: Estimate, config: Config) -> int | None:
    from cai.loop.callers import prompts_in_work

    runtime = config.runtime
    return found.rows_within(
        usd=runtime.budget_usd, tokens=runtime.budget_tokens, in_work=prompts_in_work(config)
    )


def _print_json(found: Estimate, config: Config, calls_per_second: float | None) -> None:
    import json
    from dataclasses import asdict

    from cai.cli.compared import comparison_record

    budget_usd = config.runtime.budget_usd
    record = {
        "run": config.run,
        **asdict(found),
        "changes": comparison_record(found.changes) if found.changes else None,
        "totals": {
            "calls": asdict(found.calls),
            "prompt_tokens": asdict(found.prompt_tokens),
            "completion_tokens": asdict(found.completion_tokens),
            "usd": None if found.unpriced else asdict(found.usd),
            "usd_of_known_prices": asdict(found.usd),
            "usd_per_1000_pairs": found.usd_per_1000_pairs,
            "seconds": asdict(found.calls * (1 / calls_per_second)) if calls_per_second else None,
        },
        "unpriced": found.unpriced,
        "rows_within_budget": (
            None if budget_usd is not None and found.unpriced else _rows_within(found, config)
        ),
    }
    # Pure ASCII, so that nothing in the texts can act on a terminal.
    typer.echo(json.dumps(record, indent=2))
