"""The stage `validate`: a sample for people is drawn, and the gate decides over their labels."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cai.errors import GateError
from cai.hashing import content_hash
from cai.pipeline.stages import Done
from cai.store import RunStore
from cai.store.gate import labels_state
from cai.validation import Labels
from cai.validation.gate import ask_gate
from cai.validation.report import make_report
from cai.validation.sampling import make_plan
from cai.validation.sampling.frame import count_held_out
from cai.wording import counted

if TYPE_CHECKING:
    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Begun, Stage
    from cai.store.gate import GateVerdict

__all__ = ["carry_out", "inputs", "missing"]


def inputs(desk: Desk, stage: Stage) -> dict[str, str]:
    """Hashes of the held-out rows with their labels, and of what is asked of these."""
    settings = desk.config.validation.model_dump(mode="json")
    with RunStore.read(desk.run(stage.round)) as store:
        return {"labels": labels_state(store), "settings": content_hash(settings)}


def carry_out(desk: Desk, stage: Stage, begun: Begun) -> Done:
    """Draw a sample where there is none of the rows as they are, and ask the gate.

    Raises:
        GateError: people have labelled all that was drawn, and the gate lets nothing through.
        UsageError: there is nothing to draw from.
    """
    del begun
    run, settings = desk.run(stage.round), desk.config.validation
    with RunStore.open(run, durable=desk.config.runtime.durable) as store:
        labels = Labels(store)
        if not _is_current(store, labels):
            plan, items = make_plan(store, settings, say=desk.watcher.say)
            labels.put_plan(plan, items)
        report = make_report(store, labels, settings)
        # Without a label there is nothing to decide, and the run says so by itself.
        verdict = ask_gate(store, report, settings.gate) if report.labelled else None
        if verdict is not None and verdict.passed:
            return Done(said=verdict.passed_with, parts=_parts(store, desk))
        left = missing(labels)
        if not left:
            raise GateError(_refused(verdict, str(run)))
        return Done(
            said=f"waiting for {counted(left, 'label')}: cai review {run}",
            waiting=True,
            parts=_parts(store, desk),
        )


def missing(labels: Labels) -> int:
    """How many labels of people the current plan asks for and does not have.

    Second showings are not among them: the gate does not count them.
    """
    plan = labels.needed_plan()
    given = Counter(item for _, item in labels.current("label", "human"))
    items = (item for item in labels.items() if not item.repeat)
    asked = ((item.item_id, plan.annotators if item.shared else 1) for item in items)
    return sum(max(0, wanted - given[item_id]) for item_id, wanted in asked)


def _is_current(store: RunStore, labels: Labels) -> bool:
    """Whether the plan was drawn from the held-out rows as they are now."""
    plan = labels.plan()
    if plan is None or plan.run_plan != (store.meta("plan") or ""):
        return False
    return plan.total == count_held_out(store)


def _parts(store: RunStore, desk: Desk) -> dict[str, str]:
    settings = desk.config.validation.model_dump(mode="json")
    return {"labels": labels_state(store), "settings": content_hash(settings)}


def _refused(verdict: GateVerdict | None, run: str) -> str:
    checks = verdict.checks if verdict else ()
    failed = [f"{c.name}: wanted {c.wanted}; found {c.found}" for c in checks if not c.passed]
    first = "People have labelled all that was drawn, and the gate was not passed:"
    advice = (
        f"Look at what they say (cai validate {run}). A better judge, a larger sample (a smaller "
        "validation.half_width) or other thresholds (validation.gate) may help; pipeline.validate: "
        "skip trains all the same, and the reports say so."
    )
    return (
        "\n  ".join([first, *(failed or ["labels: none of the drawn pairs is held out any more"])])
        + f"\n{advice}"
    )
