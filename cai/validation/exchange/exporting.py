"""Writing the items of the current plan for another tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from cai.errors import UsageError, nearest
from cai.validation.exchange.argilla import records
from cai.validation.exchange.csv_table import sheet
from cai.validation.exchange.label_studio import labelling_config, tasks
from cai.validation.exchange.showing import showing_of
from cai.validation.labels import Labels

if TYPE_CHECKING:
    from pathlib import Path

    from cai.store import RunStore

__all__ = ["ExportFormat", "Exported", "default_path", "export_items", "principles_of"]

ExportFormat = Literal["csv", "label-studio", "argilla"]

_ENDINGS: dict[ExportFormat, str] = {
    "csv": ".csv",
    "label-studio": ".json",
    "argilla": ".jsonl",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has written; `items` are showings of pairs."""

    items: int
    files: tuple[Path, ...]


def default_path(run: Path, format: ExportFormat) -> Path:
    """Where the items of a run go when nothing else is said."""
    return run / "validation" / f"items-{format}{_ENDINGS[format]}"


def export_items(store: RunStore, path: Path, format: ExportFormat) -> Exported:
    """Write the items of the current plan: prompts and answers, never verdicts or models.

    Which answer is shown as A is drawn by hash. Practice items stay here: other tools cannot tell
    the annotator what would have been right.

    Args:
        store: the run.
        path: the file to write. A labelling config for Label Studio goes beside it, as `.xml`.
        format: of the file.

    Raises:
        UsageError: the format is unknown, there is no plan, or another file is in the way.
    """
    if format not in get_args(ExportFormat):
        raise UsageError(
            f"Got the format '{format}'. Allowed: {', '.join(get_args(ExportFormat))}."
            f"{nearest(format, get_args(ExportFormat))}"
        )
    labels = Labels(store)
    plan = labels.needed_plan()
    showings = [showing_of(item) for item in labels.items() if item.known is None]
    if format == "csv":
        files = {path: sheet(showings, ask_refusals=plan.ask_refusals)}
    elif format == "argilla":
        files = {path: records(showings)}
    else:
        config = labelling_config(principles_of(store), ask_refusals=plan.ask_refusals)
        files = {path: tasks(showings), path.with_suffix(".xml"): config}
    for file, content in files.items():
        if file.exists() and file.read_bytes() != content:
            raise UsageError(
                f"{file} is there already, and may hold labels that people have filled in. "
                "Choose another file with --out, or delete it."
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        file.write_bytes(content)
    return Exported(len(showings), tuple(files))


def principles_of(store: RunStore) -> list[tuple[str, str]]:
    """Ids and texts of the run's principles; nothing when the run has not begun."""
    constitution = store.meta("constitution") or {}
    return [(one["id"], one["text"]) for one in constitution.get("principles", ())]
