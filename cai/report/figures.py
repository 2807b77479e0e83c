"""Everything that a report shows, as it was read from the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.evaluate.results import Result
    from cai.quality import Report as QualityReport
    from cai.records import Split
    from cai.report.checkpoints import Checkpoints
    from cai.report.trainings import TrainedModel
    from cai.report.transcripts import ShownRow
    from cai.store.facts import ModelCalls
    from cai.store.gate import GateVerdict
    from cai.store.spending import Spending
    from cai.store.stages import Stages
    from cai.store.summary import RunSummary
    from cai.validation.bias import JudgeReport
    from cai.validation.bias.influence import Influence
    from cai.validation.report import Report as PeopleReport

__all__ = ["BINS", "Figures", "Made", "People", "Quality"]

BINS = 20
"""Of the histogram of p."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the run was made with; without folders of this machine.

    Args:
        run: name of its folder.
        facts: names and values for people.
        name: of the constitution, with its version.
        summary: of the constitution.
        principles: id, text and weight.
        models: role, what was asked for and what answered.
        hashes: of what, in full.
        templates: stage, name, version and hash.
        rows: counts by (split, status).
    """

    run: str
    facts: tuple[tuple[str, str], ...]
    name: str
    summary: str
    principles: tuple[tuple[str, str, float], ...]
    models: tuple[tuple[str, str, str], ...]
    hashes: tuple[tuple[str, str], ...]
    templates: tuple[tuple[str, str, str, str], ...]
    rows: Mapping[tuple[Split, str], int]


@dataclass(frozen=True, slots=True)
class People:
    """What people said; `problem` says why there is no report.

    Args:
        report: None where there is no sampling plan, or it is no longer that of the run.
        problem: a sentence.
        gate: the last verdict, and whether it still holds.
    """

    report: PeopleReport | None
    problem: str
    gate: tuple[GateVerdict, bool] | None

    @property
    def labelled(self) -> int:
        """Pairs with a label by a person, as far as they are known."""
        return self.report.labelled if self.report else 0


@dataclass(frozen=True, slots=True)
class Quality:
    """What the checks found in the rows that are trained on, and in those of the split dev."""

    train: QualityReport
    dev: QualityReport
    against: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it.

    Args:
        made: what the run was made with.
        seed: of the draws.
        summary: counts and rates over all finished rows.
        spread: pairs by p in bins of equal width, by kind of pair.
        judge: what sways the judge.
        people: labels by people, and the gate.
        quality: findings of the checks.
        spending: calls, tokens and dollars.
        influence: what each principle decides; None where none can be left out.
        influence_problem: a sentence on why that could not be found out; empty where it could.
        calls: totals by stage, model and revision.
        drawn: rows drawn by a hash.
        worst: the worst rows.
        stages: of `cai run`; None where the run was made without it.
        trainings: that `cai run` has made of the run.
        evaluation: results of evaluations that it has made.
        checkpoints: of a ledger, if one was named.
    """

    made: Made
    seed: int
    summary: RunSummary
    spread: Mapping[str, tuple[int, ...]]
    judge: JudgeReport
    people: People
    quality: Quality
    spending: Spending
    influence: Influence | None = None
    influence_problem: str = ""
    calls: tuple[ModelCalls, ...] = ()
    drawn: tuple[ShownRow, ...] = field(default=())
    worst: tuple[ShownRow, ...] = field(default=())
    stages: Stages | None = None
    trainings: tuple[TrainedModel, ...] = ()
    evaluation: tuple[Result, ...] = ()
    checkpoints: Checkpoints | None = None
