"""`cai evaluate refusal`: red-teaming, and refusals of what is harmless."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.evaluate.running import ConfigFile, Folder, JudgeModel, JudgesEngine, Settings
from cai.cli.evaluate.subjects import SubjectOption
from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.cli.evaluate.running import Ticker
    from cai.config import Config, ModelConfig
    from cai.evaluate.records import Answered, Subject
    from cai.evaluate.refusal import FoundCase, Measured
    from cai.evaluate.session import Session

__all__ = ["refusal"]


def refusal(
    cases: Annotated[
        list[str] | None,
        typer.Option(
            "--cases",
            metavar="FILE",
            help="Cases: YAML, CSV (also XSTest's), JSONL, a folder of YAML, or 'suite', the "
            "packaged ones, also when absent. Repeat it for several.",
        ),
    ] = None,
    subject: SubjectOption = None,
    config: ConfigFile = None,
    engine: JudgesEngine = None,
    judge: JudgeModel = None,
    classifier: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A safety classifier of the Llama Guard kind that judges answers to harmful "
            "requests in place of the judge; written as in --subject.",
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=64, help="Answers per case.")] = 1,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="About so many cases, spread over categories, twins together."),
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(help="Labelled answers to check the judge on, in place of the packaged ones."),
    ] = None,
    skip_evaluator_check: Annotated[
        bool, typer.Option("--skip-evaluator-check", help="Believe the judge without a check.")
    ] = False,
    human: Annotated[
        Path | None,
        typer.Option(
            help="Labels by people of some answers (CSV or JSONL): adds rates that they correct."
        ),
    ] = None,
    to_label: Annotated[
        Path | None,
        typer.Option(help="Also write the answers to this CSV file, for people to label blindly."),
    ] = None,
    smoke: Annotated[
        bool,
        typer.Option(
            "--smoke",
            help="Ask no judge: look for phrases of refusals in the answers. A smoke test that "
            "measures nothing.",
        ),
    ] = False,
    show: Annotated[
        int, typer.Option(min=0, max=1000, help="So many failures of each subject are printed.")
    ] = 5,
    folder: Folder = None,
    setting: Settings = None,
    draws: Draws = 2000,
) -> None:
    """Ask models what they should refuse and what they should not, and judge how far they comply.

    A judge is asked whether an answer does any part of what was asked, and whether it does all of
    it. It is first asked about answers whose class is known; where it is not above chance there, no
    rate is given. Start the same command again to go on after a stop, or with a larger --limit;
    nothing that was answered is asked again.

    Example: cai evaluate refusal --subject base=smollm2-135m-instruct --subject models/dpo

    Example: cai evaluate refusal --cases xstest_prompts.csv --samples 4 --to-label labels.csv
    """
    import asyncio

    from cai.cli.evaluate.refusal_output import print_result, print_smoke, warn
    from cai.cli.evaluate.running import Ticker, finish, open_settings
    from cai.cli.evaluate.subjects import model_of, parse_subjects
    from cai.constitution import load_constitution
    from cai.evaluate.refusal import chosen, read_cases, read_human, refusal_result
    from cai.evaluate.session import Session

    _require_fit(smoke, judge=judge, classifier=classifier, labelled=labelled, human=human)
    _require_one(skip_evaluator_check, labelled)
    settings = open_settings(config, setting, engine, judge)
    subjects = parse_subjects(subject, settings)
    guard = None
    if classifier is not None:
        guard = model_of(classifier, settings, f"--classifier {classifier}")
    asked = chosen(read_cases(cases or ["suite"]), limit)
    people = None if human is None else read_human(human)
    warn(settings, subjects, unchecked=skip_evaluator_check and not smoke)
    where = folder or Path("runs") / "evaluate-refusal"
    alone = _with_one_judge(settings)
    with Session(alone, load_constitution(settings.constitution), where) as session:
        ticker = Ticker(session.meter)
        answers = asyncio.run(_answers(session, subjects, asked, samples, ticker))
        if to_label is not None:
            _write_sheet(to_label, answers)
        if smoke:
            print_smoke(answers)
            return
        measured = asyncio.run(
            _judged(session, answers, guard, labelled, not skip_evaluator_check, draws, ticker)
        )
        result = refusal_result(
            measured,
            asked,
            samples=samples,
            human=people,
            draws=draws,
            notes=_notes(settings, subjects, samples),
            calls=session.meter.asked + session.meter.remembered,
            usd=session.store.spent().usd,
        )
        print_result(result, measured, show)
    finish(result, where, session.meter)


async def _answers(
    session: Session,
    subjects: Sequence[Subject],
    cases: Sequence[FoundCase],
    samples: int,
    ticker: Ticker,
) -> dict[str, list[tuple[FoundCase, Answered]]]:
    from cai.evaluate.refusal import answer_cases

    return await answer_cases(session, subjects, cases, samples=samples, tick=ticker.tick)


async def _judged(
    session: Session,
    answers: Mapping[str, Sequence[tuple[FoundCase, Answered]]],
    guard: ModelConfig | None,
    labelled: Path | None,
    check: bool,
    draws: int,
    ticker: Ticker,
) -> Measured:
    from cai.evaluate.refusal import judge_answers

    return await judge_answers(
        session,
        answers,
        classifier=guard,
        labelled=labelled,
        check=check,
        draws=draws,
        tick=ticker.tick,
    )


def _with_one_judge(settings: Config) -> Config:
    """The same without the judges that are not asked, so that they are not opened either."""
    models = settings.models
    judge = models.judges[0] if models.judges else models.judge
    one = models.model_copy(update={"judge": judge, "judges": (), "fallback_judge": None})
    return settings.model_copy(update={"models": one})


def _write_sheet(path: Path, answers: Mapping[str, Sequence[tuple[FoundCase, Answered]]]) -> None:
    from cai.cli.tables import print_text
    from cai.evaluate.refusal import sheet_to_label

    path.write_bytes(sheet_to_label(answer for of in answers.values() for _, answer in of))
    print_text(
        f"Answers to label in {path}: fill in full, partial or none from the top, then start the "
        f"same command with --human {path}."
    )


def _notes(settings: Config, subjects: Sequence[Subject], samples: int) -> list[str]:
    """How the answers came to be, as far as the figures do not say so."""
    decoding = settings.loop.sample
    each = "one answer" if samples == 1 else f"{samples} answers"
    how = (
        f"Each case has {each} of up to {decoding.max_tokens} tokens at temperature "
        f"{decoding.temperature:g}. Intervals are clustered by case and its twin. An answer that "
        "does nothing of what was asked counts as a refusal, also where the model only failed."
    )
    told = [how]
    if settings.models.judges:
        told.append("Of the panel of judges, the first alone judges answers one by one.")
    return told


def _require_fit(smoke: bool, **others: object) -> None:
    """Refuse options that would do nothing beside --smoke."""
    from cai.errors import UsageError

    given = [f"--{name}" for name, value in others.items() if value is not None]
    if smoke and given:
        raise UsageError(
            f"--smoke asks no judge and measures nothing; got {', '.join(given)}, too. Leave one "
            "or the other out."
        )


def _require_one(skip: bool, labelled: Path | None) -> None:
    from cai.errors import UsageError

    if skip and labelled is not None:
        raise UsageError(
            "--skip-evaluator-check and --labelled: got both. Labelled answers are for that check; "
            "leave one of them out."
        )
