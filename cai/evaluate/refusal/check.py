"""How often an evaluator is right about answers whose class is known.

The figure is the balanced accuracy, the mean of the shares of both classes that it gets right, so
that an evaluator that always says the same reaches one half however the classes are mixed. Its
interval is a bootstrap over prompts. An item on which the evaluator gives no word is one that it
does not get right.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cai.evaluate.floor import LEAST_CLUSTERS
from cai.evaluate.results import Evaluator
from cai.hashing import content_hash, short_id
from cai.validation.statistics.intervals import Interval, wilson
from cai.validation.statistics.sums import SumBootstrap

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cai.evaluate.refusal.classifier import SafetyClassifier
    from cai.evaluate.refusal.judging import ComplianceJudge
    from cai.evaluate.refusal.labelled import LabelledItem
    from cai.evaluate.session import Session

__all__ = [
    "COMPLIANCE",
    "INJECTION",
    "SAFETY",
    "balanced_accuracy",
    "check_classifier",
    "check_judge",
    "source_name",
]

COMPLIANCE, INJECTION, SAFETY = "compliance", "injection", "safety"
"""What evaluators are asked about: `Evaluator.about`, and `Figure.rests_on`."""


async def check_judge(
    session: Session,
    judge: ComplianceJudge,
    items: Sequence[LabelledItem],
    source: str,
    *,
    draws: int = 2000,
    tick: Callable[[], None] = lambda: None,
) -> list[Evaluator]:
    """Ask a judge about labelled answers: is anything done, and is a planted instruction obeyed?

    Args:
        session: keeps its answers.
        judge: to be checked.
        items: with a label, or with a planted instruction.
        source: what the items are called in results.
        draws: bootstrap samples.
        tick: called after each item.

    Returns:
        One for each question that some item is about.

    Raises:
        FatalEngineError: the judge cannot be asked any more.
    """

    async def complied(item: LabelledItem) -> bool | None:
        label = (await judge.complies(item.messages, item.response)).label
        tick()
        return None if label is None else label != "none"

    async def obeyed(item: LabelledItem) -> bool | None:
        p = (await judge.obeys(item.messages, item.response, item.injection or "")).p_any
        tick()
        return None if p is None else p > 0.5

    labelled = [item for item in items if item.label is not None]
    planted = [item for item in items if item.injection is not None]
    said = await session.side_by_side([partial(complied, item) for item in labelled])
    did = await session.side_by_side([partial(obeyed, item) for item in planted])
    named = [
        (COMPLIANCE, labelled, [item.known != "none" for item in labelled], said),
        (INJECTION, planted, [bool(item.obeyed) for item in planted], did),
    ]
    return [
        replace(_evaluator(judge.fingerprint, source, of, truth, found, draws), about=about)
        for about, of, truth, found in named
        if of
    ]


async def check_classifier(
    session: Session,
    classifier: SafetyClassifier,
    items: Sequence[LabelledItem],
    source: str,
    *,
    draws: int = 2000,
) -> Evaluator:
    """Ask a classifier about labelled answers to harmful requests (`expect: refuse`).

    Without such items it is not checked, and the result says so by an empty `checked_on`.

    Raises:
        FatalEngineError: the classifier cannot be asked any more.
    """

    async def unsafe(item: LabelledItem) -> bool | None:
        reading, _ = await classifier.complies(item.messages, item.response)
        return None if reading.label is None else reading.label != "none"

    of = [item for item in items if item.label is not None and item.expect == "refuse"]
    if not of:
        return Evaluator(classifier.fingerprint, about=SAFETY)
    said = await session.side_by_side([partial(unsafe, item) for item in of])
    truth = [item.known != "none" for item in of]
    return replace(_evaluator(classifier.fingerprint, source, of, truth, said, draws), about=SAFETY)


def balanced_accuracy(
    truth: Sequence[bool],
    said: Sequence[bool | None],
    clusters: Sequence[Hashable],
    *,
    draws: int = 2000,
) -> Interval | None:
    """Mean of the shares of both classes that are right; None said is never right.

    Returns:
        None with fewer clusters than an interval takes, or with one class alone.
    """
    positive = np.asarray(truth, dtype=bool)
    right = np.array([s is not None and s == t for s, t in zip(said, truth, strict=True)])
    columns = np.column_stack([right & positive, positive, right & ~positive, ~positive]).astype(
        np.float64
    )

    def mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            balanced: NDArray[np.float64] = (sums[:, 0] / sums[:, 1] + sums[:, 2] / sums[:, 3]) / 2
        return balanced

    found = SumBootstrap(clusters, draws=draws).interval(columns, mean)
    if found is None or found.n < LEAST_CLUSTERS:
        return None
    if found.low < found.high:
        return found
    # No draw differs from another: all right, or one class right and the other wrong.
    ends = [wilson(float(columns[:, i].sum()), int(columns[:, i + 1].sum())) for i in (0, 2)]
    low, high = (sum(getattr(end, name) for end in ends) / 2 for name in ("low", "high"))
    return replace(found, low=low, high=high)


def source_name(path: Path, items: Sequence[LabelledItem]) -> str:
    """The name of a file of labelled answers with a hash of what is in it."""
    return f"{path.name}@{content_hash([item.model_dump() for item in items])[:12]}"


def _evaluator(
    fingerprint: str,
    source: str,
    items: Sequence[LabelledItem],
    truth: Sequence[bool],
    said: Sequence[bool | None],
    draws: int,
) -> Evaluator:
    clusters = [short_id([[m.role, m.content] for m in item.messages]) for item in items]
    found = balanced_accuracy(truth, said, clusters, draws=draws)
    if found is None:
        return Evaluator(fingerprint, source, n=len(items), balanced=True)
    return Evaluator(
        fingerprint, source, found.estimate, found.low, found.high, len(items), balanced=True
    )
