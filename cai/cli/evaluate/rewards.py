"""`cai evaluate rewards`: answers of models, preferred by a reward model that is checked itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.evaluate.running import ConfigFile, Folder, JudgesEngine, Settings
from cai.cli.evaluate.subjects import SubjectOption
from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.cli.evaluate.scoring import Scorer
    from cai.cli.evaluate.winrate_inputs import Compared
    from cai.evaluate.reward_model import LabelledPair
    from cai.evaluate.rewards import Scored
    from cai.evaluate.winrate import Contest

__all__ = ["rewards"]


def rewards(
    model: Annotated[Path, typer.Argument(help="Folder of a reward model (cai train rm).")],
    subject: SubjectOption = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[=MODEL]",
            help="What all are compared with; as for cai evaluate winrate.",
        ),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="File of prompts, or 'starter'; those of the config when absent."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many prompts.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Labelled pairs that the reward model did not learn from, on which it is tried: "
            "any layout that cai evaluate reward-model reads."
        ),
    ] = None,
    check_limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many labelled pairs.")
    ] = None,
    max_length: Annotated[
        int, typer.Option(min=8, help="Most tokens of prompt and answer, as in its training.")
    ] = 512,
    config: ConfigFile = None,
    engine: JudgesEngine = None,
    folder: Folder = None,
    setting: Settings = None,
    draws: Draws = 2000,
) -> None:
    """Let models answer prompts, and say which answers a reward model prefers.

    A reward model that learned from people's choices is a judge of another kind than one that
    reads a constitution, and costs nothing to ask. It is first tried on labelled pairs; where it is
    not above chance there, nothing else is said. A model that was trained on this reward model is
    pointed out. Start the same command again to go on after a stop.

    Example: cai evaluate rewards models/rm --subject a=models/sft --subject b=models/dpo
    """
    import asyncio
    from dataclasses import replace

    from cai.cli.evaluate.running import Ticker, finish, print_figures, spent
    from cai.cli.evaluate.scoring import Scorer
    from cai.cli.evaluate.winrate_inputs import Inputs
    from cai.evaluate.reward_model import read_labelled_pairs
    from cai.evaluate.rewards import rewards_result
    from cai.evaluate.session import Session
    from cai.evaluate.winrate import ask_subjects

    pairs = [] if check is None else read_labelled_pairs(check, check_limit)[0]
    options = Inputs(config, setting, engine, None, prompts, limit)
    ours = options.of_models(subject, base, all_pairs=False)
    where = folder or Path("runs") / "evaluate-rewards"
    with Session(ours.config, ours.constitution, where) as session:
        ticker = Ticker(session.meter)
        total = len(ours.prompts) * len(ours.subjects)
        contest = asyncio.run(
            ask_subjects(
                session,
                ours.subjects,
                ours.prompts,
                base=ours.base,
                tick=lambda: ticker.tick("Answers", total),
            )
        )
        scorer = Scorer(model, max_length)
        result = rewards_result(
            model.absolute().name,
            _scored(contest, scorer),
            scorer.pairs(pairs),
            checked_on="" if check is None else check.name,
            draws=draws,
            inputs=_inputs(contest, pairs),
            notes=_notes(ours, model, checked=bool(pairs)),
        )
        result = replace(result, **spent(session))
    print_figures("Rewards", result.figures)
    finish(result, where, session.meter)


def _scored(contest: Contest, scorer: Scorer) -> dict[str, list[Scored]]:
    """By subject; the base comes first."""
    from cai.evaluate.rewards import Scored

    names = sorted(contest.subjects, key=lambda name: name != contest.base)
    given = [one for name in names for one in contest.answers[name]]
    usable = [one for one in given if one.usable]
    found = scorer.score([(one.prompt.messages, one.text.strip()) for one in usable], "Answers")
    values = {id(one): reward for one, reward in zip(usable, found, strict=True)}

    return {
        name: [
            Scored(
                one.prompt.id,
                contest.groups[one.prompt.id],
                values.get(id(one)),
                len(one.text.strip()),
            )
            for one in contest.answers[name]
        ]
        for name in names
    }


def _inputs(contest: Contest, pairs: Sequence[LabelledPair]) -> str:
    from cai.hashing import content_hash

    return content_hash(
        [
            [prompt.id for prompt in contest.prompts],
            list(contest.asked),
            [[one.group, one.chosen, one.rejected] for one in pairs],
        ]
    )


def _notes(ours: Compared, model: Path, *, checked: bool) -> tuple[str, ...]:
    from cai.evaluate.rewards import trained_on

    notes = ["Rewards are log-odds up to a constant: only differences mean something."]
    if not checked:
        notes.append(
            "Nobody checked the reward model here. Name labelled pairs that it did not learn from "
            "with --check."
        )
    notes += [
        f"{one.name} was trained on this reward model: its rewards say how far it was optimised, "
        "not what people prefer."
        for one in ours.subjects
        if trained_on(one.model.model, model)
    ]
    return tuple(notes)
