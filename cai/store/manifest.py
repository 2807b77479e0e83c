"""The manifest of an export: every hash and count that says what the data are made of."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cai.store.export_folder import KIND
from cai.store.export_rows import public
from cai.store.gate import gate_facts
from cai.store.spending import ROLE_OF

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.store.export_files import ExportedFile
    from cai.store.run import RunStore
    from cai.store.spending import Spending
    from cai.store.statistics import Histogram, Rate
    from cai.store.summary import RunSummary

__all__ = ["make_manifest", "plain_spending", "plain_summary"]

_IDENTITY = ("stage", "fingerprint", "model", "calls")
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def make_manifest(
    store: RunStore,
    summary: RunSummary,
    files: Iterable[ExportedFile],
    sft: str,
    spending: Spending,
) -> dict[str, Any]:
    """Plain data for `manifest.json`; equal for equal runs, and without paths of this machine.

    Args:
        store: the run.
        summary: of all its finished rows.
        files: what the export wrote, except the manifest itself.
        sft: which revisions became SFT rows.
        spending: what the whole run has used up.
    """
    constitution = dict(store.meta("constitution") or {})
    # Notes are for people and no part of the hash; without them the hash can be checked.
    principles = [
        {key: value for key, value in principle.items() if key != "note"}
        for principle in constitution.pop("principles", [])
    ]
    rows: dict[str, dict[str, int]] = {}
    for (split, status), count in sorted(store.row_counts().items()):
        rows.setdefault(split, {})[status] = count
    return {
        "kind": KIND,
        "format": 1,
        "toolkit": store.meta("toolkit"),
        "created": store.meta("created"),
        "seconds": store.meta("seconds"),
        "plan": store.meta("plan"),
        "constitution": {**constitution, "principles": principles},
        "templates": store.meta("templates"),
        "fingerprints": _public(store.meta("fingerprints")),
        "prompts": _public(store.meta("prompts")),
        "asked": _public(store.meta("asked")),
        "models": [
            _public({key: asdict(model)[key] for key in _IDENTITY}) for model in store.models()
        ],
        "totals": [asdict(total) for total in store.totals()],
        "spending": _public(plain_spending(spending)),
        "rows": rows,
        "sft": sft,
        "validation": gate_facts(store),
        "summary": plain_summary(summary),
        "files": [asdict(file) for file in files],
    }


def plain_summary(summary: RunSummary) -> dict[str, Any]:
    """A summary as plain data; rates keep their denominators."""
    judge, length = summary.judge, summary.length
    return {
        "rows": summary.rows,
        "splits": dict(summary.splits),
        "samples": dict(summary.samples),
        "unusable_samples": summary.unusable_samples,
        "revisions": dict(summary.revisions),
        "rounds": {str(number): dict(counts) for number, counts in summary.rounds.items()},
        "pairs": dict(summary.pairs),
        "outcomes": {kind: dict(counts) for kind, counts in summary.outcomes.items()},
        "not_judged": dict(summary.not_judged),
        "set_aside": dict(summary.set_aside),
        "preferred": {kind: dict(counts) for kind, counts in summary.preferred.items()},
        "failed_revisions": _rate(summary.failed_revisions),
        "contrast": dict(summary.contrast),
        "certainty": _histogram(summary.certainty),
        "judge": {
            "orders": dict(judge.orders),
            "verdicts": dict(judge.verdicts),
            "first_slot": _rate(judge.first_slot),
            "flip": _rate(judge.flip),
            "single_order": _rate(judge.single_order),
            "bounded": _rate(judge.bounded),
            "voted": _rate(judge.voted),
            "mean_mass": judge.mean_mass,
        },
        "length": {
            "chosen_longer": _rate(length.chosen_longer),
            "mean_chosen": length.mean_chosen,
            "mean_rejected": length.mean_rejected,
        },
    }


def plain_spending(spending: Spending) -> dict[str, Any]:
    """What a run has used up, as plain data."""
    return {
        **asdict(spending.spent),
        "models": [
            {"role": ROLE_OF[m.stage], **{k: v for k, v in asdict(m).items() if k != "model"}}
            for m in spending.models
        ],
        "row": asdict(spending.rows),
        "judged_pairs": spending.pairs,
        "usd_per_1000_pairs": spending.usd_per_1000_pairs,
    }


def _rate(rate: Rate) -> dict[str, Any]:
    return {"count": rate.count, "n": rate.n, "value": rate.value}


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {
        "n": histogram.n,
        "mean": histogram.mean,
        "quantiles": {str(q): histogram.quantile(q) for q in _QUANTILES},
        "top": histogram.top,
        "counts": list(histogram.counts),
    }


def _public(value: Any) -> Any:
    """The same facts with folders of this machine cut off all strings."""
    if isinstance(value, str):
        return public(value)
    if isinstance(value, dict):
        return {key: _public(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_public(inner) for inner in value]
    return value
