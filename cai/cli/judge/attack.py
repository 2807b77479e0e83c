"""`cai judge attack`: how often what is judged can talk its judge into a verdict."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.generate import EngineName
from cai.cli.judge.options import Draws, Format, JudgeEngine
from cai.cli.published import PairFormatName

if TYPE_CHECKING:
    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.judge.attacks import Suite, Trial
    from cai.loop.attacked import Quoting
    from cai.records import Pair, Prompt

__all__ = ["QuotingName", "attack"]


class QuotingName(StrEnum):
    """Ways of quoting to attack."""

    plain = "plain"
    nonce = "nonce"
    both = "both"


def attack(
    run: Annotated[
        Path | None, typer.Argument(help="Run whose judge and pairs of train and dev are used.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="In place of a run: comparisons, as for cai judge bench.")
    ] = None,
    format: Format = PairFormatName.auto,
    config: Annotated[
        Path | None,
        typer.Option(
            help="With --data: its judge and constitution; the embedded model under "
            "harmless-helpful when absent."
        ),
    ] = None,
    engine: JudgeEngine = None,
    limit: Annotated[int, typer.Option(min=1, help="Only the first so many pairs.")] = 12,
    attacks: Annotated[
        Path | None, typer.Option(help="File of attacks; the packaged one when absent.")
    ] = None,
    quoting: Annotated[
        QuotingName, typer.Option(help="In place of judge.quoting; 'both' compares them.")
    ] = QuotingName.both,
    folder: Annotated[
        Path | None,
        typer.Option(help="Keeps the answers; RUN/attacks or runs/attack-<file> when absent."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="With --data: any key of the config.", metavar="KEY=VALUE"),
    ] = None,
    draws: Draws = 2000,
    output: Annotated[
        Path | None, typer.Option("--json", help="Also write report and trials to this file.")
    ] = None,
) -> None:
    """Add attacks to the answers that the judge does not prefer, and count the verdicts they turn.

    Each pair is tried with each attack in both orders, and with a harmless text of about the same
    length in its place. Start the same command again to go on after a stop, or with a larger
    --limit; nothing that was answered is asked again.

    Example: cai judge attack --data LLMBar/Natural/dataset.json --limit 12
    """
    import asyncio

    from cai.cli.judge.attack_tables import print_attacks, write_attacks
    from cai.cli.published import stem
    from cai.errors import UsageError
    from cai.judge.attacks import load_suite

    suite = load_suite(attacks)
    if (run is None) == (data is None):
        raise UsageError("Name either the folder of a run, or --data FILE.")
    if run is not None:
        settings, constitution, pairs = _of_run(run, limit)
        where = folder or run / "attacks"
    elif data is not None:
        settings, constitution, pairs = _of_file(data, format, config, setting or [], limit)
        where = folder or Path("runs") / f"attack-{stem(data).lower()}"
    if engine is not None:
        settings = _with_engine(settings, engine)
    names: tuple[Quoting, ...] = ("plain", "nonce")
    quotings = [name for name in names if quoting.value in (name, "both")]
    trials = asyncio.run(_carry_out(settings, constitution, pairs, suite, where, quotings))
    report = print_attacks(trials, len(suite.attacks), draws)
    if output is not None:
        write_attacks(output, report, trials)


async def _carry_out(
    settings: Config,
    constitution: Constitution,
    pairs: list[tuple[Prompt, Pair]],
    suite: Suite,
    folder: Path,
    quotings: list[Quoting],
) -> dict[Quoting, list[Trial]]:
    from cai.cli.output import error_console
    from cai.loop.attacked import attack as run_attack

    found: dict[Quoting, list[Trial]] = {quoting: [] for quoting in quotings}
    total = len(pairs) * len(suite.attacks)
    async for quoting, trials in run_attack(settings, constitution, pairs, suite, folder, quotings):
        found[quoting] += trials
        said = ", ".join(f"{len(done):,} of {total:,} {name}" for name, done in found.items())
        error_console().print(f"Trials: {said}", soft_wrap=True)
    return found


def _of_run(run: Path, limit: int) -> tuple[Config, Constitution, list[tuple[Prompt, Pair]]]:
    """The judge of a run, and its judged pairs: those of the split train, then those of dev.

    Held-out texts are for people and the final checks, and are not copied to a second store.
    """
    from itertools import chain, islice

    from cai.config import parse_config
    from cai.constitution.models import Constitution
    from cai.store import RunStore, rows_for

    with RunStore.read(run) as store:
        settings = parse_config(store.meta("config"), f"the config in {store.path}")
        facts = {k: v for k, v in store.meta("constitution").items() if k != "hash"}
        found = (
            (row.prompt, pair)
            for row, _ in chain(rows_for(store, "training"), rows_for(store, "calibration"))
            for pair in row.pairs
            if pair.verdict is not None
        )
        return settings, Constitution.model_validate(facts), list(islice(found, limit))


def _of_file(
    data: Path, format: PairFormatName, config: Path | None, setting: list[str], limit: int
) -> tuple[Config, Constitution, list[tuple[Prompt, Pair]]]:
    import cai.cli
    from cai.cli.settings import overrides_of
    from cai.config import load_config
    from cai.constitution import load_constitution
    from cai.records import Pair
    from cai.validation.exchange import read_comparisons

    overrides = {**overrides_of(setting), "prompts.path": str(data.absolute()), "loop.rounds": 0}
    packaged = Path(cai.cli.__file__).with_name("_import.yaml")
    settings = load_config(config or packaged, overrides)
    pairs = [
        (one.prompt, Pair(one.prompt.id, "samples", *one.answers, "sample 0", "sample 1"))
        for one in read_comparisons(data, "human", format.value).comparisons[:limit]
    ]
    return settings, load_constitution(settings.constitution), pairs


def _with_engine(settings: Config, engine: EngineName) -> Config:
    models = settings.models
    judge = models.judge or models.critic or models.policy
    judge = judge.model_copy(update={"engine": engine.value})
    return settings.model_copy(update={"models": models.model_copy(update={"judge": judge})})
