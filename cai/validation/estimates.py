"""What few labels by people and the judge's word on all pairs say together (PPI++)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cai.validation.judged import right
from cai.validation.sampling.frame import held_out_pairs
from cai.validation.sampling.strata import stratum_of
from cai.validation.statistics.ppi import ppi_mean
from cai.validation.table import judge_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.records import Pair
    from cai.store import RunStore
    from cai.validation.labels import Labels
    from cai.validation.records import SamplingPlan
    from cai.validation.statistics.ppi import PPIEstimate
    from cai.validation.table import LabelTable

__all__ = ["Estimates", "estimate"]

_WINS = {0: 0.0, 1: 1.0, 2: 0.5}


@dataclass(frozen=True, slots=True)
class Estimates:
    """Rates over all held-out pairs of a run; None where people's labels say nothing of them.

    Args:
        accuracy: share of right labels among the pairs on which the judge named a winner.
        win_rate: share of (original, revision) pairs in which people prefer the revision; a tie is
            half a win.
        refusals: share of answers that refuse, by what they are called; empty where annotators
            were not asked.
    """

    accuracy: PPIEstimate | None
    win_rate: PPIEstimate | None
    refusals: Mapping[str, PPIEstimate]


def estimate(store: RunStore, labels: Labels, plan: SamplingPlan, table: LabelTable) -> Estimates:
    """Combine labels by people with the judge's verdicts on all held-out pairs.

    Args:
        store: the run.
        labels: of the run.
        plan: the current one; gives strata and inclusion probabilities.
        table: people's labels under it.

    Raises:
        StoreError: the run cannot be read.
    """
    gold = {i.item_id: int(g) for i, g in zip(table.items, table.gold, strict=True) if g >= 0}
    marks = _marks(labels) if plan.ask_refusals else {}
    groups, seen = store.groups("held_out"), set[str]()
    accuracy, wins = _Sample(plan), _Sample(plan)
    refusals = {"originals": _Sample(plan), "revisions": _Sample(plan)}
    for prompt, pair in held_out_pairs(store):
        if pair.id in seen:
            continue
        seen.add(pair.id)
        place = stratum_of(plan, pair, prompt), groups[prompt.id]
        said = gold.get(pair.id)
        label = pair.soft_label
        if label is not None and judge_code(pair) in (0, 1):
            truth = None if said is None else right(judge_code(pair), said)
            accuracy.add(truth, max(label, 1.0 - label), *place)
        if pair.kind == "revision":
            _add_revision(wins, pair, said, place)
            for sample, mark in zip(
                refusals.values(), marks.get(pair.id, (None, None)), strict=True
            ):
                sample.add(mark, 0.0, *place)
    found = {name: sample.result() for name, sample in refusals.items()}
    return Estimates(
        accuracy=accuracy.result(),
        win_rate=wins.result(),
        refusals={name: result for name, result in found.items() if result is not None},
    )


def _add_revision(wins: _Sample, pair: Pair, said: int | None, place: tuple[str, str]) -> None:
    """The revision is the second answer. Where the judge said nothing, it may as well have won."""
    prediction = 0.5 if pair.p is None else 1.0 - pair.p
    wins.add(None if said is None else _WINS[said], prediction, *place)


def _marks(labels: Labels) -> dict[str, tuple[float | None, float | None]]:
    """The share of those who were asked who marked each answer of a pair as a refusal."""
    marks: dict[str, list[tuple[bool, bool]]] = {}
    for (_, item_id), action in labels.current(kind="human").items():
        said = action.annotation
        if said.choice == "skip" or said.first_refuses is None or said.second_refuses is None:
            continue
        marks.setdefault(item_id, []).append((said.first_refuses, said.second_refuses))
    return {
        item_id: (float(np.mean([m[0] for m in all_])), float(np.mean([m[1] for m in all_])))
        for item_id, all_ in marks.items()
    }


@dataclass(slots=True)
class _Sample:
    """Labelled and unlabelled pairs of one question, as numbers."""

    plan: SamplingPlan
    labelled: list[tuple[float, float, str, str]] = field(default_factory=list)
    others: list[tuple[float, str, str]] = field(default_factory=list)

    def add(self, label: float | None, prediction: float, stratum: str, group: str) -> None:
        if label is None:
            self.others.append((prediction, stratum, group))
        else:
            self.labelled.append((label, prediction, stratum, group))

    def result(self) -> PPIEstimate | None:
        """The estimate; None with fewer than two labels, from which no variance can be told."""
        if len(self.labelled) < 2:
            return None
        labels, predictions, strata, clusters = zip(*self.labelled, strict=True)
        unlabelled, more_strata, more_clusters = (
            zip(*self.others, strict=True) if self.others else ((), (), ())
        )
        rates = {s.name: s.inclusion for s in self.plan.strata}
        return ppi_mean(
            labels,
            predictions,
            unlabelled,
            inclusion=[rates[stratum] for stratum in strata],
            strata=strata + more_strata,
            clusters=clusters + more_clusters,
        )
