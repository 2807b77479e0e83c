"""Where everything went and why, as plain data: for the manifest, the card and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cai.feedback.biases import biases, concentration, liked_share
from cai.feedback.decisions import checked
from cai.feedback.settings import Settings
from cai.feedback.sorting import sorted_counts

if TYPE_CHECKING:
    from cai.store import RunStore
    from cai.validation.statistics.intervals import Interval

__all__ = ["LEAST_MINORITY", "account"]

LEAST_MINORITY = 0.2
"""Share of the rarer thumb below which the labels are called out of balance."""


def account(store: RunStore) -> dict[str, Any]:
    """All figures of a folder. Nothing in it names a user, not even by a hash."""
    from cai import __version__

    used = concentration(store, "fate IN ('train', 'dev')")
    return {
        "toolkit": __version__,
        "settings": asdict(Settings.of(store)),
        "inputs": _inputs(store),
        "fates": [
            {"fate": fate, "why": why, "kind": kind, "rows": rows}
            for fate, why, kind, rows in sorted_counts(store)
        ],
        "users": {"all": asdict(concentration(store)), "trained_on": asdict(used)},
        "liked": _interval(liked_share(store)),
        "labels": _labels(store),
        "biases": [
            {
                **{key: value for key, value in asdict(one).items() if key != "interval"},
                "interval": _interval(one.interval),
                "found": one.found,
                "few_users": one.few,
            }
            for one in biases(store)
        ],
        "judge": _judge(store),
        "checked": {what: _interval(one) for what, one in checked(store).items()},
    }


def _inputs(store: RunStore) -> list[dict[str, Any]]:
    keys = ("name", "sha256", "rows", "bad", "refused")
    found = store.select(f"SELECT {', '.join(keys)} FROM feedback_files ORDER BY sha256")
    return [dict(zip(keys, line, strict=True)) for line in found]


def _labels(store: RunStore) -> dict[str, Any]:
    """Answers by their label in kto.jsonl, and weights with which both sides count the same.

    As the paper of KTO has it (Ethayarajh et al. 2024, arXiv:2402.01306), the weighted numbers of
    good and bad answers are made equal. The larger side is weighed down.
    """
    (good, bad), *_ = store.select(
        "SELECT coalesce(sum(good), 0), coalesce(sum(NOT good), 0) FROM (SELECT CASE "
        "max(CASE why WHEN 'people: good' THEN 2 WHEN 'people: bad' THEN 1 ELSE 0 END) "
        "WHEN 2 THEN 1 WHEN 1 THEN 0 ELSE max(value = 'up') END AS good FROM feedback "
        "JOIN prompts USING (prompt_id) JOIN groups USING (group_id) WHERE split = 'train' AND "
        "kind != 'edit' AND (fate = 'train' OR why IN ('people: good', 'people: bad')) "
        "GROUP BY answer_id)"
    )
    both = good > 0 and bad > 0
    return {
        "good": good,
        "bad": bad,
        "desirable": round(min(1.0, bad / good), 4) if both else 1.0,
        "undesirable": round(min(1.0, good / bad), 4) if both else 1.0,
        "out_of_balance": good + bad > 0 and min(good, bad) / (good + bad) < LEAST_MINORITY,
    }


def _judge(store: RunStore) -> dict[str, Any]:
    """What the judge said; `unseen` are liked answers to train on that no judge has looked at."""
    (asked, conflicts, silent, judge), *_ = store.select(
        "SELECT count(*), coalesce(sum(conflict), 0), coalesce(sum(p IS NULL), 0), max(judge) "
        "FROM feedback_judged"
    )
    (unseen,), *_ = store.select(
        "SELECT count(DISTINCT answer_id) FROM feedback WHERE value = 'up' "
        "AND fate IN ('train', 'dev') AND answer_id NOT IN (SELECT answer_id FROM feedback_judged)"
    )
    return {
        "judge": judge,
        "answers": asked,
        "conflicts": conflicts,
        "silent": silent,
        "unseen": unseen,
    }


def _interval(one: Interval | None) -> dict[str, float] | None:
    if one is None:
        return None
    return {"estimate": one.estimate, "low": one.low, "high": one.high, "n": one.n}
