"""Constitutions as YAML that people like to read, and writing it without harm to other files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import semver

from cai.constitution.atomic import write_atomically
from cai.constitution.refs import require_yaml
from cai.content import content_dir
from cai.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cai.constitution.models import Constitution

__all__ = [
    "as_yaml",
    "check_place",
    "plain",
    "resolved_yaml",
    "schema_beside",
    "without_origin",
    "write_files",
]

_SCHEMA = "constitution.schema.json"
_WIDTH = 92
"""Characters on a line of a folded text, without its indentation."""
_NEVER_WRAP = 1 << 30
"""ruamel wraps at tabs and runs of blanks, which changes the text: lines are broken here."""
_UNFOLDABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_SINGLE_BLANK = re.compile(r"(?<=\S) (?=\S)")
_ORIGIN = re.compile(r"\A((?:#.*\n)*?)# [\w.-]+@[\w.+-]+, hash [0-9a-f]{64}\n")
"""Among the comments at the top."""
_WORD = re.compile(r"[\w.*:-]{1,80}")
_APART = ("principles", "changelog")
"""Keys with an empty line before them."""


def plain(loaded: Constitution) -> dict[str, Any]:
    """The content of a constitution file that needs no parent and no family."""
    data = loaded.model_dump(mode="json", exclude={"origins", "principles"}, exclude_defaults=True)
    principles = [p.model_dump(mode="json", exclude_defaults=True) for p in loaded.principles]
    return {"format": 1, **data, "principles": principles}


def resolved_yaml(loaded: Constitution, schema: str = "") -> str:
    """One YAML file with every principle in place.

    A comment says what it was made of. A release leaves that out, see `without_origin`.

    Args:
        loaded: what is written.
        schema: where editors find the JSON Schema, relative to the file; empty when unknown.
    """
    first = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    return as_yaml(plain(loaded), f"{first}# {loaded.label}, hash {loaded.hash}")


def without_origin(text: str) -> str:
    """A file without the comment of `resolved_yaml`, which tells of what the file was once."""
    return _ORIGIN.sub(r"\1", text, count=1)


def as_yaml(data: Mapping[str, Any], head: str) -> str:
    """The content of a constitution file as YAML: long texts folded, principles set apart.

    Whatever the texts hold, reading the YAML gives them back unchanged.

    Args:
        data: plain data.
        head: comment lines for the top.
    """
    blocks = [head, "\n"]
    for key, value in data.items():
        blocks.append("\n" if key in _APART else "")
        if key == "principles" and value:
            # One at a time: an empty line put in afterwards could land within a text.
            items = (_dumped({key: [item]}).removeprefix(f"{key}:\n") for item in value)
            blocks += [f"{key}:\n", "\n".join(items)]
        else:
            blocks.append(_dumped({key: value}))
    return "".join(blocks)


def _dumped(data: Mapping[str, Any]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    yaml, text = YAML(), StringIO()
    yaml.width = _NEVER_WRAP
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(_styled(data), text)
    return text.getvalue()


def _styled(value: Any) -> Any:
    from ruamel.yaml.comments import CommentedSeq

    if isinstance(value, str):
        return _scalar(value)
    if isinstance(value, dict):
        return {key: _styled(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    items = CommentedSeq(_styled(item) for item in value)
    words = all(isinstance(item, str) and _WORD.fullmatch(item) for item in value)
    if words and sum(map(len, value)) <= _WIDTH:
        items.fa.set_flow_style()
    return items


def _scalar(text: str) -> str:
    """A text in the style of YAML that is safe for it, the most readable one first."""
    from ruamel.yaml import scalarstring as styles

    lines = text.split("\n")
    styled: str = text
    if any(_UNFOLDABLE.search(line) or line != line.strip(" ") for line in lines):
        styled = styles.DoubleQuotedScalarString(text)
    elif len(lines) > 1:
        whole = lines[0] and lines[-1]
        literal, quoted = styles.LiteralScalarString, styles.DoubleQuotedScalarString
        styled = literal(text) if whole else quoted(text)
    elif breaks := _breaks(text):
        folded = styles.FoldedScalarString(text)
        folded.fold_pos = breaks
        styled = folded
    return styled


def _breaks(text: str) -> list[int]:
    """Where lines of a folded text end: at single blanks alone, which folding gives back."""
    breaks: list[int] = []
    begin, last = 0, None
    for blank in (found.start() for found in _SINGLE_BLANK.finditer(text)):
        if blank - begin > _WIDTH and last is not None:
            breaks.append(last)
            begin = last + 1
        last = blank
    if len(text) - begin > _WIDTH and last is not None and last > begin:
        breaks.append(last)
    return breaks


def schema_beside(path: Path | None) -> str:
    """Where the editor of a file finds the JSON Schema, relative to that file.

    It is that of the constitutions which the file lies among, that of the project, where
    `cai init` puts it, or else the packaged one. Without a
    path it is where it would be in a folder of constitutions.
    """
    if path is None:
        return f"../{_SCHEMA}"
    folder = path.resolve().parent
    near = (parent / _SCHEMA for parent in (folder, *folder.parents[:2]))
    packaged = content_dir("constitution") / _SCHEMA
    found = next((one for one in near if one.is_file()), packaged)
    return Path(os.path.relpath(found.resolve(), folder)).as_posix()


def check_place(path: Path, name: str, version: str) -> None:
    """Refuse a place in which a constitution of this name could not be loaded.

    Raises:
        UsageError: the path does not end like YAML, or names another constitution or version.
        ConfigError: it is named by a version and ends in .yml.
    """
    require_yaml(path)
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{path}: a constitution is a YAML file. Name it {path.stem}.yaml.")
    folder = path.resolve().parent.name
    if semver.Version.is_valid(path.stem) and (path.stem, folder) != (version, name):
        raise UsageError(
            f"{path} is the place of {folder}@{path.stem}, and this is {name}@{version}. Write it "
            f"to {name}/{version}.yaml, or set --name and --version."
        )


def write_files(
    texts: Mapping[Path, str], *, force: bool = False, inputs: Collection[Path] = ()
) -> None:
    """Write files; all are looked at before the first is written. Folders are made.

    Args:
        texts: what to write where.
        force: whether files that exist are overwritten.
        inputs: files that were read and are never overwritten.

    Raises:
        UsageError: a file exists, is a folder or a link, was an input, or cannot be written.
    """
    for path in texts:
        if path.is_symlink() or path.is_dir():
            what = "a link" if path.is_symlink() else "a folder"
            raise UsageError(f"{path} is {what}. Name a file to write.")
        if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
            raise UsageError(f"{path} is the file that is read. Name another one to write.")
        if path.exists() and not force:
            raise UsageError(f"{path} exists. Name another file, or overwrite it with --force.")
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"Cannot make the folder of {path}: {error.strerror}. Name another file."
            ) from error
        write_atomically(path, text)
