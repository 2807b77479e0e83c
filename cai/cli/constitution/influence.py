"""`cai constitution influence`: what each principle of a run decides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from cai.engines.memo import Meter
    from cai.loop.asked_price import AskingPrice
    from cai.loop.judged_run import JudgedRun
    from cai.records import Pair, Prompt
    from cai.store import RunStore

__all__ = ["influence"]


def influence(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Ask the run's judge about every principle on some pairs."),
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, help="Pairs of train and dev to ask about, evenly spread.")
    ] = 50,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Keeps what was asked; RUN/influence, where cai report looks, when absent."
        ),
    ] = None,
    least: Annotated[
        int,
        typer.Option(min=2, help="Pairs it takes to call two principles redundant or in conflict."),
    ] = 20,
    draws: Draws = 2000,
    output: Annotated[
        Path | None, typer.Option("--json", help="Also write everything to this file, as JSON.")
    ] = None,
) -> None:
    """Say what each principle of a run decides, and which are redundant or in conflict.

    Each is left out in turn, and the stored verdicts are put together without it: no call is made.
    Where the run judges each pair under one principle, or under all in one question, that cannot be
    done: then the price of asking is told, and --ask asks. Start the same command again to go on
    after a stop, or with a larger --limit; nothing that was answered is asked again.

    Example: cai constitution influence runs/default --ask --limit 100
    """
    from cai.cli.constitution.influence_output import (
        print_influence,
        print_price,
        print_why,
        write_influence,
    )
    from cai.cli.costs import print_asked
    from cai.engines.memo import Meter
    from cai.errors import UsageError
    from cai.loop.asked_store import FOLDER
    from cai.loop.judged_run import JudgedRun
    from cai.report.influence import read_influence
    from cai.store import RunStore
    from cai.store.access import refuse_shard

    if output is not None and not output.absolute().parent.is_dir():
        raise UsageError(f"{output} cannot be written: there is no folder {output.parent}.")
    where, meter = folder or run / FOLDER, Meter()
    with RunStore.read(run) as store:
        refuse_shard(store)
        judged = JudgedRun.of(store)
        if ask:
            _ask(store, judged, limit, where, meter)
        found = read_influence(store, where, least=least, draws=draws)
        assert found is not None
        print_influence(run, judged, found)
        price: AskingPrice | str | None = None
        if not found.several:
            print_why(judged, found)
            price = _price(store, judged, limit, where)
            print_price(run, price)
    if ask and (where / "run.db").exists():
        print_asked(where, meter)
    if output is not None:
        write_influence(output, found, judged, price)


def _price(store: RunStore, judged: JudgedRun, limit: int, where: Path) -> AskingPrice | str:
    """What asking would take, or why that is not known."""
    from cai.errors import UsageError
    from cai.loop.asked_price import price_principles
    from cai.loop.spread_pairs import spread_pairs

    try:
        return price_principles(store, judged, spread_pairs(store, limit), where)
    except UsageError as error:
        return str(error)


def _ask(store: RunStore, judged: JudgedRun, limit: int, where: Path, meter: Meter) -> None:
    import asyncio

    from cai.cli.output import error_console
    from cai.errors import UsageError
    from cai.loop.spread_pairs import spread_pairs

    if judged.config.judge.scope == "each":
        error_console().print(
            "Nothing to ask: the run judged each pair under every principle.", soft_wrap=True
        )
        return
    pairs = spread_pairs(store, limit)
    if not pairs:
        raise UsageError(
            f"{store.folder} has no judged pair of the splits train and dev to ask about. Let "
            "'cai generate' go on first."
        )
    asyncio.run(_carry_out(store, judged, pairs, where, meter))


async def _carry_out(
    store: RunStore,
    judged: JudgedRun,
    pairs: list[tuple[Prompt, Pair]],
    where: Path,
    meter: Meter,
) -> None:
    from cai.cli.constitution.asking_progress import AskingProgress
    from cai.loop.asked_principles import ask_principles

    with AskingProgress(len(pairs), meter) as progress:
        async for one in ask_principles(store, judged, pairs, where, meter=meter):
            progress.show(one)
