"""`cai constitution test`: the judge is asked about cases whose outcome is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.constitution.common import Ref
from cai.cli.generate import EngineName
from cai.cli.judge.options import JudgeEngine, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.config import Config
    from cai.constitution import Constitution
    from cai.constitution.case_files import FoundCase
    from cai.engines.memo import Meter
    from cai.judge.cases import CaseResult
    from cai.validation.case_report import CaseReport

__all__ = ["run_tests"]


def run_tests(
    constitution: Ref,
    cases: Annotated[
        list[Path] | None,
        typer.Option(
            help="File of cases, in place of cases.yaml beside the constitution; may be repeated."
        ),
    ] = None,
    own: Annotated[
        bool, typer.Option("--own", help="Leave out the cases of families, in principles/cases/.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="Its judge is asked; the embedded model when absent."),
    ] = None,
    engine: JudgeEngine = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Only cases with such an id; * stands for any characters. May be repeated.",
        ),
    ] = None,
    principle: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID", help="Only cases of this principle; * as above. May be repeated."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many cases.")] = None,
    repeat: Annotated[
        int,
        typer.Option(
            min=1,
            max=1000,
            help="Ask so often, each time with another seed: it changes short samples and "
            "reasonings, and nothing of a judge that is read from log-probabilities.",
        ),
    ] = 1,
    margin: Annotated[
        float,
        typer.Option(
            min=0.0, max=0.5, help="Call a case flaky when p lies within one half ± this; 0: never."
        ),
    ] = 0.0,
    fail_under: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="Exit with 1 only when a smaller share of the cases passes, such as 0.8.",
        ),
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="List the cases, and ask nothing.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Keeps the answers; runs/test-<name> when absent.")
    ] = None,
    setting: Settings = None,
    output: Annotated[
        Path | None, typer.Option("--json", help="Also write report and results to this file.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Also write results as JUnit XML, which CI servers show.")
    ] = None,
) -> None:
    """Ask the judge about cases whose outcome is known, and fail when it gets one wrong.

    A case says which of two answers is better under a principle, or whether one answer breaks it.
    Of two answers both orders are asked. Ties fail; refusals and unclear answers count as neither.
    Start the same command again to go on after a stop; nothing that was answered is asked again.

    Example: cai constitution test harmless-helpful --principle 'honesty.*' --limit 20
    """
    import asyncio

    from cai.cli.constitution.junit import write_junit
    from cai.cli.constitution.testing_report import Subject, print_cases, print_report, write_json
    from cai.cli.costs import print_asked
    from cai.constitution import load_constitution
    from cai.constitution.case_files import load_cases
    from cai.engines.memo import Meter
    from cai.validation.case_report import case_report

    loaded = load_constitution(constitution)
    found = load_cases(loaded, constitution, files=cases or (), families=not own)
    chosen = _chosen(found, only or [], principle or [], loaded.label)[:limit]
    if listing:
        print_cases(chosen)
        return
    _require_writable(output, junit, inputs=(Path(constitution), config, *(cases or ())))
    settings = _settings(config, setting or [], engine)
    where, meter = folder or Path("runs") / f"test-{loaded.name}", Meter()
    results = asyncio.run(_carry_out(settings, loaded, chosen, where, repeat, margin, meter))
    report = case_report(results, loaded, found)
    tested = Subject.by(settings, loaded)
    if output is not None:
        write_json(output, report, results, tested)
    if junit is not None:
        write_junit(junit, results, tested)
    print_report(report, results, tested)
    print_asked(where, meter)
    if not _good_enough(report, fail_under):
        raise typer.Exit(1)


def _good_enough(report: CaseReport, fail_under: float | None) -> bool:
    passed, failed = report.total.passed, report.total.failed
    if passed + failed == 0:
        # Without any verdict nothing has passed.
        return False
    return failed == 0 if fail_under is None else passed / (passed + failed) >= fail_under


def _chosen(
    found: tuple[FoundCase, ...], only: list[str], principles: list[str], label: str
) -> list[FoundCase]:
    from fnmatch import fnmatchcase

    from cai.errors import UsageError, nearest
    from cai.validation.case_report import WHOLE

    if not found:
        raise UsageError(
            f"There is no case for {label}. Write them in cases.yaml beside its version files, "
            "each with id, principle, prompt, better and worse, or name a file with --cases."
        )

    def matching(
        cases: list[FoundCase], names: list[str], patterns: list[str], option: str
    ) -> list[FoundCase]:
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                near = nearest(pattern, sorted(set(names)))
                raise UsageError(
                    f"{option} {pattern}: there is no such case for {label}.{near} Correct it, or "
                    "see what there is with --list."
                )
        return [
            case
            for case, name in zip(cases, names, strict=True)
            if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
        ]

    cases = list(found)
    under = [one.case.principle or WHOLE for one in cases]
    cases = matching(cases, under, principles, "--principle")
    return matching(cases, [one.case.id for one in cases], only, "--only")


def _require_writable(*files: Path | None, inputs: Sequence[Path | None]) -> None:
    """Find a file that cannot be written, or must not be, before anything is paid for."""
    from cai.errors import UsageError

    given = [file for file in files if file is not None]
    if len({file.resolve() for file in given}) < len(given):
        raise UsageError(f"--json and --junit both name {given[0]}. Name two files.")
    read = {file.resolve() for file in inputs if file is not None and file.exists()}
    for file in files:
        if file is not None and (file.resolve() in read or _is_source(file)):
            raise UsageError(f"{file} is a file that is read. Name another one for the report.")
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise UsageError(
                f"{file} cannot be written: it is a folder, or its folder does not exist. Name a "
                "file in a folder that there is."
            )


def _is_source(file: Path) -> bool:
    """Whether it is YAML: reports are none, and constitutions and cases are."""
    return file.suffix in (".yaml", ".yml")


def _settings(config: Path | None, setting: list[str], engine: EngineName | None) -> Config:
    """The config of the judge; its prompts and its constitution are not used."""
    import cai.cli
    from cai.cli.settings import overrides_of
    from cai.config import load_config

    packaged = Path(cai.cli.__file__).with_name("_import.yaml")
    overrides = {**overrides_of(setting), "prompts.path": "starter"}
    settings = load_config(config or packaged, overrides)
    if engine is None:
        return settings
    models = settings.models.over(lambda one: one.model_copy(update={"engine": engine.value}))
    return settings.model_copy(update={"models": models})


async def _carry_out(
    settings: Config,
    constitution: Constitution,
    cases: list[FoundCase],
    folder: Path,
    repeat: int,
    margin: float,
    meter: Meter,
) -> list[CaseResult]:
    """The results in the order of the cases, with progress on standard error."""
    from cai.cli.constitution.testing_report import CaseProgress
    from cai.loop.cased import run_cases

    results: list[CaseResult] = []
    with CaseProgress(len(cases), meter) as progress:
        async for result in run_cases(
            settings, constitution, cases, folder, repeats=repeat, margin=margin, meter=meter
        ):
            results.append(result)
            progress.show(results)
    place = {one: i for i, one in enumerate(cases)}
    return sorted(results, key=lambda result: place[result.found])
