"""`cai validate RUN`: what people's labels show, and the gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cai.store.gate import GateVerdict

__all__ = ["report"]


def report(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    gate: Annotated[
        bool,
        typer.Option(
            "--gate",
            help="Hold the labels against the thresholds, and keep the verdict in the run: exit "
            "code 0 when it is passed, 1 when it is not.",
        ),
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A key of the section validation: --set gate.min_alpha=0.5",
            metavar="KEY=VALUE",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap samples of each interval.")] = 2000,
    output: Annotated[
        Path | None,
        typer.Option("--json", help="Also write everything to this file, as JSON."),
    ] = None,
) -> None:
    """Say how far people agree with each other and with the judge, with intervals.

    Labels by people alone count. Thresholds come from the section validation.gate of the config
    that the run was made with.

    Example: cai validate runs/default

    Example: cai validate runs/default --gate --set gate.min_kappa=0.3
    """
    from dataclasses import asdict

    from cai.cli.settings import overrides_of
    from cai.cli.validate.tables import print_gate, print_report
    from cai.hashing import canonical_json
    from cai.store import RunStore
    from cai.validation import Labels
    from cai.validation.gate import ask_gate
    from cai.validation.report import make_report
    from cai.validation.settings import settings_of

    # Opening would make a run of a folder that is none.
    RunStore.read(run).close()
    verdict: GateVerdict | None = None
    with (RunStore.open if gate else RunStore.read)(run) as store:
        settings = settings_of(store, overrides_of(setting or []))
        found = make_report(store, Labels(store), settings, draws=draws)
        if gate:
            verdict = ask_gate(store, found, settings.gate)
    print_report(found)
    if output is not None:
        record = {**asdict(found), "gate": asdict(verdict) if verdict else None}
        confused = found.judge.confusion.items()
        record["judge"]["confusion"] = [[judge, people, n] for (judge, people), n in confused]
        output.write_bytes(canonical_json(record))
    if verdict is not None:
        print_gate(run, verdict)
        if not verdict.passed:
            raise typer.Exit(1)
