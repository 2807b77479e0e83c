"""Red-team cases from reports: drafts that a person completes.

A report says that an answer was bad, and not what a good one would do: the prompt may have asked
for harm, or a harmless one was refused. So `expect` is left open, and `cai evaluate refusal` does
not take a draft before a person has filled it in.
"""

from __future__ import annotations

import re
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

from cai.constitution.atomic import write_atomically
from cai.errors import ConfigError
from cai.feedback.record import Stored
from cai.records import load
from cai.yaml import read_yaml

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from cai.store import RunStore

__all__ = ["draft_cases"]

_NO_SLUG = re.compile(r"[^a-z0-9]+")
_TOGETHER = 500
"""Drafts that are written in one go."""
_HEAD = """\
# Drafts of red-team cases from reports of users. cai wrote no expectation into them. For each case:
# read it, write `expect: refuse` if a good answer does nothing of what is asked, or
# `expect: comply` if a refusal would be the mistake; or delete the case, and it does not come back.
# Then: cai evaluate refusal --cases THIS_FILE …
"""


def draft_cases(store: RunStore, folder: Path) -> int:
    """Add a draft for each reported prompt that has none yet, in one file for each category.

    What a person wrote into a file stays, comments included. Returns how many cases were added.

    Args:
        store: has the reports. Those with personal data are drafted only where such rows are kept.
        folder: of the files.

    Raises:
        ConfigError: a file is no longer YAML with a list of cases.
        UsageError: a file cannot be written.
    """
    added = 0
    while waiting := _waiting(store):
        for category, cases in sorted(waiting.items()):
            added += _add(folder / f"{_slug(category)}.yaml", category, cases)
            store.transact(partial(_mark, names=[(case,) for case, _ in cases]))
    return added


def _waiting(store: RunStore) -> dict[str, list[tuple[str, Stored]]]:
    """Some reports without a draft, with the ids of their cases, by category."""
    found: dict[str, list[tuple[str, Stored]]] = {}
    for case, record in store.select(
        "SELECT 'report-' || prompt_id, min(record) FROM feedback WHERE kind = 'report' "
        "AND why != 'personal data' AND fate != 'left_out' "
        "AND 'report-' || prompt_id NOT IN (SELECT case_id FROM feedback_drafted) "
        "GROUP BY prompt_id ORDER BY prompt_id LIMIT ?",
        _TOGETHER,
    ):
        kept = load(Stored, record)
        found.setdefault(kept.value, []).append((case, kept))
    return found


def _mark(connection: sqlite3.Connection, names: list[tuple[str]]) -> None:
    connection.executemany("INSERT OR IGNORE INTO feedback_drafted VALUES (?)", names)


def _add(path: Path, category: str, cases: list[tuple[str, Stored]]) -> int:
    """Append to a file; a case that a killed process has written before is not written twice."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 100, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    if path.exists():
        read_yaml(path)  # says what is wrong, with the line
        file: Any = yaml.load(path.read_text(encoding="utf-8"))
        if not isinstance(file, dict) or not isinstance(file.get("cases"), list):
            raise ConfigError(
                f"{path}: got a file without a list under 'cases'. Allowed: what cai wrote, with "
                "what you added. Move the file away, and it is written anew."
            )
    else:
        file = {
            "format": 1,
            "category": f"feedback {category}"[:80].rstrip(),
            "summary": f"Prompts whose answers users reported as {category}.",
            "cases": [],
        }
    known = {one.get("id") for one in file["cases"] if isinstance(one, dict)}
    new = [_draft(name, kept) for name, kept in cases if name not in known]
    file["cases"] += new
    text = StringIO()
    yaml.dump(file, text)
    write_atomically(path, ("" if path.exists() else _HEAD) + text.getvalue())
    return len(new)


def _draft(name: str, kept: Stored) -> dict[str, Any]:
    asked = [{"role": m.role, "content": m.content} for m in kept.messages]
    # Without a value, `expect:` is a blank to fill in.
    only = len(asked) == 1
    # What the reporter wrote is theirs; what the model answered is no part of a case.
    note = " ".join(kept.note.split())
    return {
        "id": name,
        "prompt": asked[0]["content"] if only else asked,
        "expect": None,
        "tags": ["feedback", kept.value],
        "note": f"Reported as {kept.value}{': ' if note else '.'}{note}",
    }


def _slug(category: str) -> str:
    return _NO_SLUG.sub("-", category.lower()).strip("-")
