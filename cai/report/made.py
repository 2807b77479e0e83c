"""What a run was made with, from its facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.report.figures import Made
from cai.store.export_rows import public
from cai.store.spending import ROLE_OF

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cai.store import RunStore

__all__ = ["read_made"]


def read_made(store: RunStore) -> Made:
    """Read the facts of a run; folders of this machine are cut off all names."""
    constitution: Mapping[str, Any] = store.meta("constitution") or {}
    templates: Mapping[str, Any] = store.meta("templates") or {}
    return Made(
        run=store.folder.resolve().name,
        facts=tuple(_facts(store, constitution)),
        summary=" ".join(str(constitution.get("summary") or "").split()),
        name=f"{constitution.get('name', 'unnamed')}@{constitution.get('version', '?')}",
        principles=tuple(
            (str(p["id"]), str(p["text"]), float(p.get("weight", 1.0)))
            for p in constitution.get("principles", ())
        ),
        models=tuple(_models(store)),
        hashes=(
            ("Constitution", str(constitution.get("hash") or "unknown")),
            ("Prompt file", str((store.meta("prompts") or {}).get("sha256") or "unknown")),
            ("Plan: all that determines the answers", str(store.meta("plan") or "unknown")),
        ),
        templates=tuple(
            (
                stage,
                public(str(template.get("name", ""))),
                str(template.get("version", "")),
                str(template.get("hash", ""))[:16],
            )
            for stage, template in sorted(templates.items())
        ),
        rows=store.row_counts(),
    )


def _facts(store: RunStore, constitution: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    prompts: Mapping[str, Any] = store.meta("prompts") or {}
    known = f"{constitution.get('name', 'unnamed')}@{constitution.get('version', '?')}"
    yield "Constitution", f"{known} ({_short(constitution.get('hash'))})"
    yield "Principles", f"{len(constitution.get('principles', ())):,}"
    file = public(str(prompts.get("path") or "unknown"))
    yield "Prompt file", f"{file} ({_short(prompts.get('sha256'))})"
    if prompts.get("rows") is not None:
        unique = f", {prompts['unique']:,} of them different" if "unique" in prompts else ""
        yield "Prompts in the file", f"{prompts['rows']:,}{unique}"
    yield "Begun", str(store.meta("created") or "unknown")
    yield "Work so far", f"{store.meta('seconds') or 0:,.0f} s"
    yield "Toolkit", str(store.meta("toolkit") or "unknown")


def _models(store: RunStore) -> Iterator[tuple[str, str, str]]:
    """Role, model as asked for, and the revisions that answered in that role."""
    asked: Mapping[str, str] = store.meta("fingerprints") or {}
    answered: dict[tuple[str, str], dict[str, None]] = {}
    for calls in store.models():
        key = ROLE_OF[calls.stage], calls.fingerprint
        answered.setdefault(key, {})[public(calls.model) or "unnamed"] = None
    panel = any(role.startswith("judges.") for role in asked)
    for role, fingerprint in sorted(asked.items()):
        if panel and role == "judge":
            continue  # A panel judges in its place.
        # Members of a panel and the fallback answer the same stages as a single judge.
        kind = role if role in ("policy", "critic") else "judge"
        revisions = answered.get((kind, fingerprint), {"no calls yet": None})
        yield role, public(fingerprint), ", ".join(revisions)


def _short(digest: object) -> str:
    return str(digest)[:12] if digest else "hash unknown"
