"""Annotated pairs of Inverse Constitutional AI (arXiv 2406.06560), versions 1.0 and 2.0.

`{"metadata": {"default_annotator": ID}, "annotators": {ID: {"type": "principle", "description":
"Select the response that ..."}}, "comparisons": [{"annotations": {ID: {"pref": "a"}}}]}`. Of it
the principles are taken, with a note on how often each chose as the default annotator did. The
lists of principles that the same program writes, `050_filtered_principles.json` and
`060_constitution.json`, are read, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from cai.constitution.exchange.draft import Draft, Entry, Unknown, Votes, Written
from cai.constitution.exchange.source import broken, json_value, kind_of, wording
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.constitution.exchange.draft import Beside
    from cai.constitution.exchange.source import Source
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["SHAPE", "fits", "read", "write"]

SHAPE = '{"annotators": {ID: {"type": "principle", "description": "..."}}, "comparisons": [...]}'
_SELECT = re.compile(
    r"(?:select|choose|pick) the (?:response|answer|output) that (.*?)[.?]*", re.I | re.DOTALL
)
_OTHERS = (
    r"(?:can|could|should|will|would) (?:a|an|any|every|most|the|this|you|your|people|someone)\b"
)
"""Begins a question in which the answer is not the subject, as in: Which answer would you trust?"""
_WHICH = re.compile(rf"Which answer (?!{_OTHERS})(.+)\?", re.DOTALL)
_ANSWER = re.compile(r"The answer ((?:[^.?!]|[.?!](?!\s))+)\.", re.DOTALL)
_NUMBERED = re.compile(r"\s*\d+\.\s+")
_PREFERENCES = {"a": "a", "b": "b", "text_a": "a", "text_b": "b"}


def fits(value: Any) -> bool:
    """Whether a JSON value looks like this layout, or like a list of its principles."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, str) for one in value)
    return isinstance(value, str) or (isinstance(value, dict) and "annotators" in value)


def read(source: Source) -> Draft:
    """Read the principles, and how each did where there are comparisons.

    Raises:
        InputError: the file does not fit the layout.
    """
    value = json_value(source)
    if isinstance(value, str):
        value = [_NUMBERED.sub("", line, count=1) for line in value.split("\n") if line.strip()]
    if isinstance(value, list):
        return Draft(tuple(_entry(source, f"[{i}]", one, None) for i, one in enumerate(value)))
    annotators = value.get("annotators") if isinstance(value, dict) else None
    if not isinstance(annotators, dict):
        raise broken(source, "the file", kind_of(value), SHAPE, "Choose another --format.")
    for one, said in annotators.items():
        if not isinstance(said, dict):
            raise broken(source, f"annotators.{one[:40]!r}", kind_of(said), "an object")
    reference = _reference(value, annotators)
    comparisons, warnings = _comparisons(source, value)
    choices = [(one.get(reference), one) for one in comparisons] if reference else []
    name = str(annotators[reference].get("name") or reference)[:80] if reference else ""
    unknown, entries = Unknown(), []
    for one, said in annotators.items():
        if said.get("type") == "principle":
            unknown.note(said, ("type", "description", "name"))
            votes = _votes(name, [(given, by.get(one)) for given, by in choices])
            where = f"annotators.{one[:40]!r}"
            entries.append(_entry(source, where, said.get("description"), votes))
    return Draft(tuple(entries), warnings=(*warnings, *unknown.warnings()))


def _entry(source: Source, where: str, description: Any, votes: Votes | None) -> Entry:
    text = wording(source, where, description)
    found = _SELECT.fullmatch(text)
    if not (found and found[1].strip()):
        return Entry(where, text=text, votes=votes)
    asked = found[1].strip()
    return Entry(where, text=f"The answer {asked}.", judge=f"Which answer {asked}?", votes=votes)


def _reference(value: Mapping[str, Any], annotators: Mapping[str, Any]) -> str:
    """The annotator that the file names as default, or the first that is no principle."""
    metadata = value.get("metadata")
    named = metadata.get("default_annotator") if isinstance(metadata, dict) else None
    if isinstance(named, str) and named in annotators:
        return named
    return next((one for one, said in annotators.items() if said.get("type") != "principle"), "")


def _comparisons(source: Source, value: Mapping[str, Any]) -> tuple[list[Any], tuple[str, ...]]:
    """Annotations of each comparison, and a warning about those that are broken."""
    listed = value.get("comparisons") or []
    if not isinstance(listed, list):
        raise broken(source, "'comparisons'", kind_of(listed), "a list", "Correct it.")
    found = [one.get("annotations") if isinstance(one, dict) else None for one in listed]
    usable = [one for one in found if isinstance(one, dict)]
    if not found:
        return [], ()
    lost = len(found) - len(usable)
    kept = f"{counted(len(found), 'comparison')} not kept: a constitution has no place for them."
    broken_ones = (f"{counted(lost, 'comparison')} without annotations, not counted.",)
    return usable, (kept, *(broken_ones if lost else ()))


def _votes(reference: str, choices: Sequence[tuple[Any, Any]]) -> Votes | None:
    """How often the second of each two annotations agrees with the first."""
    if not choices:
        return None
    pairs = [(_preference(first), _preference(second)) for first, second in choices]
    both = [(first, second) for first, second in pairs if first and second]
    agreed = sum(first == second for first, second in both)
    return Votes(reference, agreed, len(both) - agreed, len(pairs) - len(both))


def _preference(annotation: Any) -> str | None:
    said = annotation.get("pref") if isinstance(annotation, dict) else None
    return _PREFERENCES.get(said) if isinstance(said, str) else None


def write(principles: Sequence[Principle], _beside: Beside, whole: Constitution) -> Written:
    """Write the principles as annotators, without comparisons.

    The judge question is turned into "Select the response that ..."; where it does not begin with
    "Which answer", the text is. Of principles with the same description the first is kept.
    """
    annotators: dict[str, dict[str, str]] = {}
    kept = []
    for p in principles:
        described = _description(p)
        # The ids that the program itself gives.
        one = hashlib.md5(described.encode(), usedforsecurity=False).hexdigest()[:8]
        if one not in annotators:
            annotators[one] = {"description": described, "type": "principle"}
            kept.append(p)
    metadata = {"version": "2.0", "description": whole.summary, "dataset_name": whole.label}
    data = {"metadata": metadata, "annotators": annotators, "comparisons": []}
    return Written(json.dumps(data, ensure_ascii=False, indent=2), tuple(kept))


def _description(principle: Principle) -> str:
    for pattern, worded in ((_WHICH, principle.judge), (_ANSWER, principle.text)):
        if found := pattern.fullmatch(worded):
            return f"Select the response that {found[1]}"
    return principle.text
