"""What a data set was made of: constitution, models, templates, settings, findings and cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from cai.constitution.models import Constitution
from cai.errors import UsageError
from cai.store import RunStore
from cai.store.export_rows import public
from cai.store.spending import dollars

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cai.compare.things import Thing

__all__ = ["Made", "public_facts", "read_made"]


@dataclass(frozen=True)
class Made:
    """Facts of a run or of the manifest of an export; a bare file has none.

    Args:
        facts: name and value for people.
        constitution: whole; None where it is not known, or not of this version.
        asked: keys of the config that determine answers.
        findings: count and rows of each quality check that was carried out, by its name.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    constitution: Constitution | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    findings: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def read_made(thing: Thing) -> Made:
    """Read the facts; folders of this machine are cut off all names.

    Raises:
        StoreError: the run cannot be read.
        UsageError: a manifest or the findings do not fit.
    """
    if thing.form == "run":
        with RunStore.read(thing.path) as store:
            names = ("constitution", "fingerprints", "templates", "asked", "prompts", "created")
            told = {name: store.meta(name) for name in names}
            spent = store.spent()
            told["totals"] = [{"calls": one.calls} for one in store.totals()]
            told["spending"] = {
                "usd": spent.usd,
                "unpriced_calls": spent.unpriced_calls,
                "tokens": spent.tokens,
            }
        return _made(told, _findings(thing.path / "findings.json"))
    manifest = thing.path / "manifest.json"
    if thing.form == "export" and manifest.is_file():
        try:
            return _made(orjson.loads(manifest.read_bytes()), {})
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise UsageError(
                f"{manifest} is no manifest of an export ({type(error).__name__}: {error}). "
                "Export again."
            ) from error
    return Made()


def _made(told: Mapping[str, Any], findings: Mapping[str, tuple[int, int]]) -> Made:
    constitution = told.get("constitution") or {}
    facts = {
        "Constitution": f"{constitution.get('name', 'unknown')}@{constitution.get('version', '?')} "
        f"({str(constitution.get('hash') or 'hash unknown')[:12]})"
    }
    for role, name in sorted((told.get("fingerprints") or {}).items()):
        facts[f"Model: {role}"] = public(str(name))
    for stage, one in sorted((told.get("templates") or {}).items()):
        shown = f"{public(str(one.get('name')))}@{one.get('version')}"
        facts[f"Template: {stage}"] = f"{shown} ({str(one.get('hash'))[:12]})"
    prompts = told.get("prompts") or {}
    facts["Prompt file"] = (
        f"{public(str(prompts.get('path') or 'unknown'))} "
        f"({str(prompts.get('sha256') or 'hash unknown')[:12]})"
    )
    facts["Begun"] = str(told.get("created") or "unknown")
    if spending := told.get("spending"):
        calls = sum(int(one["calls"]) for one in told.get("totals") or ())
        facts["Calls"] = f"{calls:,}"
        facts["Tokens"] = f"{spending['tokens']:,}"
        facts["Cost"] = dollars(spending["usd"], spending["unpriced_calls"], calls)
    asked = {key: public_facts(value) for key, value in (told.get("asked") or {}).items()}
    return Made(facts, _whole(constitution), asked, findings)


def _whole(told: Mapping[str, Any]) -> Constitution | None:
    try:
        return Constitution.model_validate({k: told[k] for k in told if k != "hash"})
    except ValidationError:
        # Of another version of the toolkit: its name and hash are told all the same.
        return None


def _findings(path: Path) -> dict[str, tuple[int, int]]:
    if not path.is_file():
        return {}
    try:
        train = orjson.loads(path.read_bytes())["train"]["findings"]
        return {str(one["check"]): (int(one["count"]), int(one["of"])) for one in train}
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{path} are no findings of cai run ({type(error).__name__}: {error}). Remove the "
            "file, or start cai run again."
        ) from error


def public_facts(value: Any) -> Any:
    """Plain data with folders of this machine cut off all texts."""
    if isinstance(value, str):
        return public(value)
    if isinstance(value, dict):
        return {key: public_facts(inner) for key, inner in value.items()}
    return [public_facts(inner) for inner in value] if isinstance(value, list) else value
