"""Label Studio: tasks to import there, and its export in the format "JSON".

The format: https://labelstud.io/guide/task_format and https://labelstud.io/guide/tasks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cai.intake.rows import broken
from cai.validation.exchange.said import Said, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cai.intake.rows import Place
    from cai.validation.exchange.showing import Showing

__all__ = ["labelling_config", "read_tasks", "tasks"]

_FIX = "In Label Studio choose Export, then the format JSON (not JSON-MIN)."


def tasks(showings: Iterable[Showing]) -> bytes:
    """A JSON list of tasks, to be imported into a project with `labelling_config`."""
    found = [
        {
            "data": {
                "item_id": one.item_id,
                "key": one.key,
                "prompt": one.prompt,
                "answer_a": one.answer_a,
                "answer_b": one.answer_b,
            }
        }
        for one in showings
    ]
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def labelling_config(principles: Sequence[tuple[str, str]], *, ask_refusals: bool) -> bytes:
    """The XML of the labelling interface.

    Args:
        principles: ids and texts to choose the deciding principle from; may be empty.
        ask_refusals: also ask which answers refuse.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    template = environment.get_template("_label_studio.xml.jinja")
    return template.render(principles=principles, ask_refusals=ask_refusals).encode()


def read_tasks(rows: Iterable[tuple[Place, Mapping[str, Any]]]) -> Iterator[Said]:
    """Yield every annotation; predictions of models and drafts are no labels.

    Raises:
        InputError: a task is not of the exported format.
    """
    for place, task in rows:
        data, annotations = task.get("data"), task.get("annotations")
        if not isinstance(data, dict) or not isinstance(annotations, list):
            raise broken(
                place,
                f"a task with {', '.join(sorted(task)) or 'nothing'}",
                "'data' (as exported) and 'annotations' (a list)",
                _FIX,
            )
        for annotation in annotations:
            if not isinstance(annotation, dict):
                raise broken(place, "an annotation that is no object", "{...}", _FIX)
            yield _said(data, annotation, place)


def _said(data: Mapping[str, Any], annotation: Mapping[str, Any], place: Place) -> Said:
    answers = _answers(annotation, place)
    # Whoever presses Skip leaves an annotation without a result.
    skipped = annotation.get("was_cancelled") is True
    return Said(
        place=place,
        item_id=str(data.get("item_id", "")),
        annotator=_annotator(annotation.get("completed_by")),
        choice="skip" if skipped else word(answers.get("choice")),
        key=str(data.get("key", "")),
        confidence="" if skipped else word(answers.get("confidence")),
        principle=answers.get("principle", ""),
        note=answers.get("note", ""),
        refuses=word(answers.get("refuses")),
        seconds=annotation.get("lead_time"),
        made=annotation.get("updated_at") or annotation.get("created_at"),
    )


def _answers(annotation: Mapping[str, Any], place: Place) -> dict[str, str]:
    """What was entered, by the name of its control."""
    found = {}
    for result in annotation.get("result") or ():
        try:
            kind, value = result["type"], result["value"]
            entered = value["text" if kind == "textarea" else kind]
            texts = [str(text) for text in (entered if isinstance(entered, list) else [entered])]
            found[str(result["from_name"])] = ("\n" if kind == "textarea" else " ").join(texts)
        except (KeyError, TypeError) as error:
            raise broken(
                place, f"a result of another form ({error})", "results of the export", _FIX
            ) from error
    return found


def _annotator(completed_by: Any) -> str:
    """The address of the user, or the number where the export gives no more."""
    if isinstance(completed_by, dict):
        if email := completed_by.get("email"):
            return str(email)
        completed_by = completed_by.get("id")
    return "" if completed_by is None else f"Label Studio user {completed_by}"
