"""`cai evaluate winrate`: how often the answers of one model are better than those of another."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.evaluate.running import ConfigFile, Folder, JudgeModel, JudgesEngine, Settings
from cai.cli.evaluate.subjects import SubjectOption
from cai.cli.judge.options import Draws
from cai.cli.published import PairFormatName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.cli.evaluate.running import Ticker
    from cai.cli.evaluate.winrate_inputs import Compared
    from cai.evaluate.session import Session
    from cai.evaluate.winrate import Check, Contest, Judgement

__all__ = ["ScopeName", "winrate"]


class ScopeName(StrEnum):
    """Under how many principles a pair is judged."""

    constitution = "constitution"
    each = "each"
    drawn = "drawn"


def winrate(
    subject: SubjectOption = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[=MODEL]",
            help="What all are compared with: one of the subjects, or a further model. The first "
            "of several subjects when absent, and the config's policy for a single one.",
        ),
    ] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Compare all subjects with each other.")
    ] = False,
    revisions: Annotated[
        Path | None,
        typer.Option(
            help="In place of subjects: the first answers and the revisions of this run (train and "
            "dev), under its own config when --config is absent."
        ),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="File of prompts, or 'starter'; those of the config when absent."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many prompts.")
    ] = None,
    scope: Annotated[
        ScopeName | None,
        typer.Option(help="In place of judge.scope; 'each' gives win rates by principle."),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(
            metavar="TAG,TAG",
            help="Compare also under the principles of each tag alone, and place the subjects on "
            "these axes: helpfulness,harmlessness.",
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Labelled pairs that the judge is tried on, as for cai judge bench. When absent: "
            "those that people have labelled in the run of --revisions, or else the test cases of "
            "the constitution."
        ),
    ] = None,
    check_format: Annotated[
        PairFormatName, typer.Option(help="How its rows are read; by their keys when absent.")
    ] = PairFormatName.auto,
    check_limit: Annotated[
        int | None, typer.Option(min=0, help="Only so many labelled pairs; 0: none.")
    ] = None,
    half_width: Annotated[
        float,
        typer.Option(
            min=0.001, max=0.499, help="Say how many comparisons an interval of ± this needs."
        ),
    ] = 0.05,
    config: ConfigFile = None,
    engine: JudgesEngine = None,
    judge: JudgeModel = None,
    folder: Folder = None,
    setting: Settings = None,
    draws: Draws = 2000,
    chart: Annotated[
        Path | None, typer.Option(help="With two axes: also draw them to this SVG file.")
    ] = None,
) -> None:
    """Let models answer prompts, and have the judge compare their answers in both orders.

    A tie is half a win. A question without a verdict is left out and counted. A model that is named
    twice answers twice: against itself it should win about half. Start the same command again to go
    on after a stop, or with a larger --limit; nothing that was answered is asked again.

    Example: cai evaluate winrate --subject base=smollm2-135m-instruct --subject dpo=models/dpo
    """
    import asyncio
    from contextlib import nullcontext
    from dataclasses import replace

    from cai.cli.evaluate.running import Ticker, finish
    from cai.cli.evaluate.winrate_inputs import Inputs, read_check
    from cai.cli.evaluate.winrate_tables import print_winrates, write_chart
    from cai.errors import UsageError
    from cai.evaluate.session import Session
    from cai.evaluate.winrate import find_axes, known_pairs, winrate_result
    from cai.store import RunStore

    names = [] if axes is None else axes.split(",")
    if chart is not None and len(names) < 2:
        raise UsageError("--chart draws two axes: add --axes TAG,TAG.")
    checked = None if check is None else read_check(check, check_format.value, check_limit)
    options = Inputs(config, setting, engine, judge, prompts, limit)
    ours = (
        options.of_models(subject, base, all_pairs=all_pairs)
        if revisions is None
        else options.of_run(revisions, subject, base, all_pairs=all_pairs)
    )
    find_axes(names, ours.constitution)  # A wrong tag is told before anything is asked.
    if checked is None:
        ref = ours.config.constitution
        checked = known_pairs(ours.constitution, ref, revisions, check_limit)
    where = folder or Path("runs") / "evaluate-winrate"
    with (
        RunStore.read(revisions) if revisions is not None else nullcontext() as run,
        Session(ours.config, ours.constitution, where, run=run) as session,
    ):
        ticker = Ticker(session.meter)
        contest, judged = asyncio.run(
            _carry_out(session, ours, scope, names, checked, draws, ticker)
        )
        result = winrate_result(
            contest, judged, half_width=half_width, draws=draws, notes=ours.notes
        )
        calls = session.meter.asked + session.meter.remembered
        result = replace(
            result,
            calls=calls,
            usd=session.store.spent().usd,
            constitution=ours.constitution.hash,
        )
    print_winrates(result)
    if chart is not None:
        write_chart(result, chart)
    finish(result, where, session.meter)


async def _carry_out(
    session: Session,
    ours: Compared,
    scope: ScopeName | None,
    axes: Sequence[str],
    check: Check | None,
    draws: int,
    ticker: Ticker,
) -> tuple[Contest, Judgement]:
    from cai.evaluate.winrate import ask_subjects, judge_contest

    contest = ours.given
    if contest is None:
        total = len(ours.prompts) * len(ours.subjects)
        contest = await ask_subjects(
            session,
            ours.subjects,
            ours.prompts,
            base=ours.base,
            tick=lambda: ticker.tick("Answers", total),
        )
    comparisons = len(contest.pairs) * len(contest.prompts)
    totals = {"check": len(check.comparisons) if check else 0}

    def tick(step: str) -> None:
        named = {"check": "Labelled pairs", "all": "Comparisons"}.get(step, f"Axis {step}")
        ticker.tick(named, totals.get(step, comparisons))

    async with session.judges() as judges:
        judged = await judge_contest(
            judges,
            contest,
            scope=None if scope is None else scope.value,
            axes=axes,
            check=check,
            draws=draws,
            tick=tick,
        )
    return contest, judged
