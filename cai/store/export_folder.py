"""The folder of an export: filled beside the old files, then swapped in file by file."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from cai.errors import StoreError
from cai.formats.exported import KIND, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["KIND", "put_in_place", "working_folder"]

_WORKING = ".export.tmp"


@contextmanager
def working_folder(target: Path, known: frozenset[str]) -> Iterator[Path]:
    """An empty folder inside `target` to write to; it is gone afterwards.

    Args:
        target: folder of the export; created when it is missing.
        known: names of data files that an interrupted export may have left without a manifest.

    Raises:
        StoreError: `target` holds files that are no export.
    """
    target.mkdir(parents=True, exist_ok=True)
    strange = sorted(p.name for p in target.iterdir() if p.name not in known | {_WORKING})
    if strange and _manifest(target) is None:
        raise StoreError(
            f"{target} holds other files, for example '{strange[0]}', and an export would write "
            "over some of them. Choose an empty folder or that of an earlier export with --out."
        )
    working = target / _WORKING
    if working.exists():
        shutil.rmtree(working)
    working.mkdir()
    try:
        yield working
    finally:
        shutil.rmtree(working, ignore_errors=True)


def put_in_place(working: Path, target: Path, names: Sequence[str]) -> None:
    """Move finished files to their places; remove what only an earlier export wrote.

    The card goes last, after the manifest: a folder with a card but no manifest is someone else's.
    """
    earlier = _manifest(target) or {}
    names = sorted(names, key=lambda name: (name == "README.md", name == MANIFEST, name))
    for name in names:
        place = target / name
        place.parent.mkdir(exist_ok=True)
        (working / name).replace(place)
    for file in earlier.get("files", []):
        stale = target / file["name"]
        if file["name"] not in names and stale.resolve().is_relative_to(target.resolve()):
            stale.unlink(missing_ok=True)


def _manifest(target: Path) -> dict[str, Any] | None:
    try:
        found = orjson.loads((target / MANIFEST).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) and found.get("kind") == KIND else None
