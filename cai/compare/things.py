"""What a reference on the command line means: a constitution, a data set or a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from cai.constitution.load import find_constitution
from cai.constitution.refs import is_path, versions_in
from cai.errors import ConfigError, UsageError
from cai.evaluate.results import EVALUATION, Kind
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Form", "Thing", "ThingKind", "common_kinds", "recognise", "result_files"]

ThingKind = Literal["constitution", "data set", "model"]
Form = Literal["constitution", "run", "export", "file", "checkpoint", "evaluation"]

_DATA = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".ndjson", ".ndjson.gz", ".parquet")
_ALLOWED = (
    "Allowed: a constitution (a name, NAME@VERSION, a YAML file, its folder); a data set (a run, "
    "an exported folder, a JSONL or Parquet file); a model (a folder of cai train, a folder or "
    "file of cai evaluate, a run with evaluations), with :NAME behind it for one of several models."
)


@dataclass(frozen=True, slots=True)
class Thing:
    """What is compared.

    Args:
        ref: as the user wrote it.
        form: what lies there.
        kinds: as what it can be compared; a run with evaluations is a data set and a model.
        path: of the folder or file; of a constitution that of its file.
        subject: the model that is named behind the path; empty where none is.
    """

    ref: str
    form: Form
    kinds: tuple[ThingKind, ...]
    path: Path
    subject: str = ""


def recognise(ref: str) -> Thing:
    """Tell what a reference means, by what lies there.

    Raises:
        UsageError: nothing does, or something else.
    """
    path, subject = Path(ref), ""
    if not path.exists() and ":" in ref:
        head, _, tail = ref.rpartition(":")
        if head and Path(head).exists():
            path, subject = Path(head), tail
    if not path.exists():
        return _constitution(ref)
    form, kinds = _folder(path) if path.is_dir() else _file(path)
    if form == "constitution":
        path = _version(path) if path.is_dir() else path
    if subject and "model" not in kinds:
        raise UsageError(
            f"{ref}: ':{subject}' names a model, and {path} holds none. Leave it out, or name a "
            "run with evaluations or a folder of cai evaluate."
        )
    return Thing(ref, form, ("model",) if subject else kinds, path, subject)


def common_kinds(before: Thing, after: Thing) -> tuple[ThingKind, ...]:
    """As what both can be compared.

    Raises:
        UsageError: they are of different kinds.
    """
    common = tuple(kind for kind in before.kinds if kind in after.kinds)
    if not common:
        raise UsageError(
            f"{before.ref} is a {' and a '.join(before.kinds)} ({before.form}), and {after.ref} is "
            f"a {' and a '.join(after.kinds)} ({after.form}): these cannot be compared. {_ALLOWED}"
        )
    return common


def result_files(folder: Path) -> list[Path]:
    """The results of evaluations in a folder, by the names that `cai evaluate` gives them."""
    return [path for kind in get_args(Kind) if (path := folder / f"{kind}.json").is_file()]


def _folder(path: Path) -> tuple[Form, tuple[ThingKind, ...]]:
    if (path / "training.json").is_file():
        return "checkpoint", ("model",)
    if result_files(path):
        return "evaluation", ("model",)
    if (path / "run.db").is_file():
        evaluated = result_files(path / EVALUATION) or any(path.glob("models/*/training.json"))
        return "run", ("data set", "model") if evaluated else ("data set",)
    if (
        any((path / f"preferences.{end}").is_file() for end in ("jsonl", "parquet"))
        or (path / "manifest.json").is_file()
    ):
        return "export", ("data set",)
    if versions_in(path) or (path / "draft.yaml").is_file():
        return "constitution", ("constitution",)
    names = listed(sorted(p.name for p in path.iterdir())[:6])
    raise UsageError(f"The folder {path} holds nothing to compare (it has {names}). {_ALLOWED}")


def _file(path: Path) -> tuple[Form, tuple[ThingKind, ...]]:
    name = path.name.lower()
    if name.endswith((".yaml", ".yml")):
        return "constitution", ("constitution",)
    if name.removesuffix(".json") in get_args(Kind):
        return "evaluation", ("model",)
    if name.endswith(_DATA):
        return "file", ("data set",)
    raise UsageError(f"Cannot tell by its name what {path} is. {_ALLOWED}")


def _constitution(ref: str) -> Thing:
    if is_path(ref) or ref.endswith(_DATA):
        raise UsageError(f"There is no {ref}. {_ALLOWED}")
    try:
        path = find_constitution(ref)
    except ConfigError as error:
        raise UsageError(
            f"{ref} is neither a file nor a folder, nor a constitution: {error} {_ALLOWED}"
        ) from error
    return Thing(ref, "constitution", ("constitution",), path)


def _version(folder: Path) -> Path:
    """The file of a constitution's folder: its highest version, or its draft where it has none."""
    versions: Sequence[str] = versions_in(folder)
    return folder / (f"{versions[-1]}.yaml" if versions else "draft.yaml")
