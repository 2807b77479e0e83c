"""`cai evaluate adherence`: how far the answers of models follow each principle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.evaluate.running import ConfigFile, Folder, JudgeModel, JudgesEngine, Settings
from cai.cli.evaluate.subjects import SubjectOption
from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.cli.evaluate.running import Ticker
    from cai.constitution.case_files import FoundCase
    from cai.evaluate.adherence import Checked, Reading
    from cai.evaluate.records import Subject
    from cai.evaluate.results import Result
    from cai.evaluate.session import Session
    from cai.records import Prompt

__all__ = ["adherence"]

_SHOWN = 300
"""Most characters of a text in the table of worst examples; the result has the whole."""


def adherence(
    subject: SubjectOption = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="File of prompts, or 'starter'; those of the config when absent."),
    ] = None,
    constitution: Annotated[
        str | None, typer.Option(help="Name or file; that of the config when absent.")
    ] = None,
    config: ConfigFile = None,
    engine: JudgesEngine = None,
    judge: JudgeModel = None,
    propositions: Annotated[
        bool,
        typer.Option(
            "--propositions",
            help="Ask for the statements of principles that have them, in place of a score.",
        ),
    ] = False,
    samples: Annotated[int, typer.Option(min=1, max=64, help="Answers per prompt.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many prompts.")] = 50,
    checks: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Only so many test cases of the constitution check the judge, the same number of "
            "each principle as far as possible; 0: none.",
        ),
    ] = None,
    folder: Folder = None,
    setting: Settings = None,
    draws: Draws = 2000,
) -> None:
    """Let models answer prompts, and judge each answer under each principle on its own.

    The judge is first asked about the test cases of the constitution, one answer at a time; where
    it is not above chance there, no score is given. Start the same command again to go on after a
    stop, or with a larger --limit; nothing that was answered is asked again.

    Example: cai evaluate adherence --subject base=smollm2-135m-instruct --subject models/dpo
    """
    import asyncio

    from cai.cli.evaluate.running import Ticker, finish, open_settings, spent
    from cai.cli.evaluate.subjects import parse_subjects
    from cai.constitution import load_constitution
    from cai.constitution.case_files import load_cases
    from cai.evaluate.adherence import adherence_result
    from cai.evaluate.session import Session

    settings = open_settings(config, setting, engine, judge, prompts=prompts)
    subjects = parse_subjects(subject, settings)
    ref = constitution or settings.constitution
    loaded = load_constitution(ref)
    cases = _cases(load_cases(loaded, ref), checks)
    asked = _prompts(settings.prompts.path, limit)
    by_statements = propositions or settings.judge.mode == "propositions"
    where = folder or Path("runs") / "evaluate-adherence"
    with Session(settings, loaded, where) as session:
        ticker = Ticker(session.meter)
        readings, checked, fingerprint = asyncio.run(
            _carry_out(session, subjects, asked, cases, samples, by_statements, ticker)
        )
        result = adherence_result(
            readings,
            checked,
            judge=fingerprint,
            checked_on=f"test cases of {loaded.label}" if cases else "",
            similarity=settings.split.similarity,
            draws=draws,
            seed=settings.loop.seed,
            inputs=_inputs(asked, loaded.hash, samples, by_statements),
            notes=_notes(loaded.label, checked),
            **spent(session),
        )
        _print(result)
    finish(result, where, session.meter)


async def _carry_out(
    session: Session,
    subjects: Sequence[Subject],
    prompts: Sequence[Prompt],
    cases: Sequence[FoundCase],
    samples: int,
    propositions: bool,
    ticker: Ticker,
) -> tuple[list[Reading], list[Checked], str]:
    from functools import partial

    from cai.evaluate.adherence import check_judge, measure

    answers = []
    for one in subjects:
        tick = partial(ticker.tick, f"Answers of {one.name}", len(prompts) * samples)
        answers += await session.answers(one, prompts, samples=samples, tick=tick)
    async with session.judges() as judges:
        checked = await check_judge(
            session,
            judges,
            cases,
            propositions=propositions,
            tick=partial(ticker.tick, "Test cases of the judge"),
        )
        readings = await measure(
            session,
            judges,
            answers,
            propositions=propositions,
            tick=partial(ticker.tick, "Answers judged"),
        )
        fingerprint = next(iter(judges.engines.judging.values())).fingerprint
    return readings, checked, fingerprint


def _prompts(path: str, limit: int | None) -> list[Prompt]:
    """The first different prompts of a file."""
    from itertools import islice

    from cai.intake import read_prompts

    known: set[str] = set()

    def new(prompt: Prompt) -> bool:
        if prompt.id in known:
            return False
        known.add(prompt.id)
        return True

    return list(islice(filter(new, read_prompts(path)), limit))


def _cases(found: Sequence[FoundCase], limit: int | None) -> list[FoundCase]:
    """Cases with two answers under a principle, of each principle about as many."""
    from cai.evaluate.spread import spread

    two = [one for one in found if one.case.better is not None and one.case.principle is not None]
    return spread(two, lambda one: one.case.principle, limit)


def _inputs(prompts: Sequence[Prompt], constitution: str, samples: int, propositions: bool) -> str:
    from cai.hashing import content_hash

    return content_hash([[one.id for one in prompts], constitution, samples, propositions])


def _notes(label: str, checked: Sequence[Checked]) -> tuple[str, ...]:
    scale = (
        f"Scores under {label} are points from 1 to 10; statements of a principle are brought to "
        "the same scale. Intervals are clustered by groups of like prompts."
    )
    if checked:
        return (scale,)
    return (scale, "The judge was not checked on cases with a known outcome.")


def _print(result: Result) -> None:
    from cai.cli.evaluate.running import print_figures
    from cai.cli.tables import print_heading, print_table

    about_judge = [f for f in result.figures if not f.subject]
    print_figures("How often the judge is right in test cases", about_judge)
    for name, title in (
        ("adherence", "Adherence, 1 to 10"),
        ("adherence difference", "Differences between subjects, paired by answer"),
        ("without a reading", "Answers under a principle without a reading"),
    ):
        print_figures(title, [f for f in result.figures if f.name == name])
    if weakest := result.details["weakest"]:
        print_heading("Least followed first")
        print_table(("Subject", "Principles"), [(s, ", ".join(p)) for s, p in weakest.items()])
    if worst := result.details["worst"]:
        print_heading("Worst answers")
        print_table(
            ("Subject", "Principle", "Points", "Asked", "Answer"),
            [
                (w["subject"], w["principle"], f"{w['points']:.2f}", *map(_short, _texts(w)))
                for w in worst
            ],
        )


def _texts(row: dict[str, str]) -> tuple[str, str]:
    return row["asked"], row["answer"]


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[: _SHOWN - 1]}…"
