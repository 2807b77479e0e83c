"""The gate: whether people's labels let the AI labels through, and the evidence for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cai.store.gate import GateCheck, GateVerdict, labels_state, write_gate
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.config.schema import GateConfig
    from cai.store import RunStore
    from cai.validation.report import Report
    from cai.validation.statistics.intervals import Interval

__all__ = ["ask_gate", "check"]


def ask_gate(store: RunStore, report: Report, settings: GateConfig) -> GateVerdict:
    """Hold what people's labels show against what is wanted, and keep the verdict in the run.

    Labels by programs and models count for nothing here. What could not be computed has not been
    shown, and does not pass.

    Args:
        store: the run, open for writing.
        report: what the labels show now.
        settings: what is wanted.

    Raises:
        StoreError: the run cannot be written.
    """
    checks = tuple(check(report, settings))
    verdict = GateVerdict(
        passed=all(c.passed for c in checks),
        labels=report.labelled,
        checks=checks,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        state=labels_state(store),
        lowered=tuple(_lowered(settings)),
    )
    write_gate(store, verdict)
    return verdict


def check(report: Report, settings: GateConfig) -> Iterator[GateCheck]:
    """Yield one check for everything that is asked."""
    if report.grown:
        found = f"{counted(report.grown, 'pair')} since the plan: draw again"
        yield GateCheck("plan", "a sample of all held-out pairs", found, passed=False)
    yield _labels(report, settings.min_labels)
    if settings.min_alpha is not None:
        yield _alpha(report, settings.min_alpha)
    if settings.min_kappa is not None:
        wanted = f"lower bound of Cohen's κ at least {settings.min_kappa:g}"
        yield _bound("judge and people", wanted, report.judge.kappa, settings.min_kappa)
    if settings.min_accuracy is not None:
        yield _accuracy(report, settings.min_accuracy)
    if settings.alternative_annotator:
        test = report.alternative
        wanted = f"alternative annotator test passed at ε = {test.epsilon:g}"
        found = f"{test.outcome.replace('_', ' ')}: {test.reason}"
        yield GateCheck("judge as annotator", wanted, found, test.outcome == "passed")


def _lowered(settings: GateConfig) -> Iterator[str]:
    """What is asked less strictly than by default."""
    default = type(settings)()
    for name in ("min_labels", "min_alpha", "min_kappa"):
        usual, wanted = getattr(default, name), getattr(settings, name)
        if wanted is None or wanted < usual:
            yield f"{name} {usual:g} → {'nothing' if wanted is None else f'{wanted:g}'}"
    if default.alternative_annotator and not settings.alternative_annotator:
        yield "alternative annotator test → not asked"


def _labels(report: Report, least: int) -> GateCheck:
    others = sum(n for kind, n in report.labels.items() if kind != "human")
    found = counted(report.labelled, "pair")
    if others:
        found += f"; {others} labels by models or simulated annotators do not count"
    wanted = f"at least {counted(least, 'pair')} labelled by people"
    return GateCheck("labels", wanted, found, report.labelled >= least)


def _alpha(report: Report, least: float) -> GateCheck:
    wanted = f"Krippendorff's α between people at least {least:g}"
    alpha = report.agreement.alpha
    if alpha is None:
        found = (
            "not run: it needs two people on the same pairs, pairs of several prompts, and more "
            "than one kind of answer"
        )
        return GateCheck("people", wanted, found, passed=False)
    return GateCheck("people", wanted, _said(alpha), alpha.trusted and alpha.estimate >= least)


def _bound(name: str, wanted: str, interval: Interval | None, least: float) -> GateCheck:
    if interval is None:
        found = "not run: it needs verdicts and labels on pairs of several prompts"
        return GateCheck(name, wanted, found, passed=False)
    return GateCheck(name, wanted, _said(interval), interval.trusted and interval.low >= least)


def _accuracy(report: Report, least: float) -> GateCheck:
    wanted = f"lower bound of the label accuracy at least {least:.0%}"
    found = report.estimates.accuracy
    if found is None:
        return GateCheck("accuracy", wanted, "not run: it needs two labelled pairs", passed=False)
    said = f"{found.estimate:.1%} [{found.low:.1%}, {found.high:.1%}]"
    return GateCheck("accuracy", wanted, said, found.low >= least)


def _said(interval: Interval) -> str:
    said = f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
    if not interval.trusted:
        said += f", not to be trusted: undefined in {interval.left_out:.0%} of the draws"
    return said
