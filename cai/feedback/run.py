"""One import from files to a sorted, exported folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.constitution import load_constitution
from cai.errors import StoreError, UsageError
from cai.feedback.account import account
from cai.feedback.cases import draft_cases
from cai.feedback.decisions import read_decisions
from cai.feedback.export import export_feedback
from cai.feedback.intake import take_file
from cai.feedback.items import put_items
from cai.feedback.salt import Salt
from cai.feedback.settings import Settings
from cai.feedback.sorting import sort_rows
from cai.feedback.tables import has_tables, make_tables
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cai.feedback.conflicts import Looked
    from cai.feedback.intake import Taken
    from cai.loop import Generation
    from cai.store.export_files import ExportedFile

__all__ = ["Imported", "bad_lines", "import_feedback", "read_account"]

_SALT = "salt"
_MARK = "feedback_salt"
"""Tells the salt of a folder from others, and does not give it away."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did; `facts` are those of `cai.feedback.account`, over the whole folder.

    `queued` and `to_check` are items on the review page, `drafted` new cases in `redteam`.
    """

    taken: tuple[Taken, ...]
    looked: Looked | None
    files: tuple[ExportedFile, ...]
    facts: Mapping[str, Any]
    queued: int
    to_check: int
    drafted: int


def import_feedback(
    paths: Sequence[Path],
    folder: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    skip_bad: bool = False,
    salt: Path | None = None,
    judge_config: Path | None = None,
    watch: Callable[[Generation], None] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Imported:
    """Store the rows of files, sort all rows of the folder, and write its files.

    Without files it sorts and writes anew, with what people have said meanwhile.

    Args:
        paths: JSONL files, plain or gzip.
        folder: holds everything; made where it is missing.
        settings: fields of `Settings`; None keeps what the folder has.
        skip_bad: store the good rows of a file that has bad ones.
        salt: file with the salt; `salt` in the folder when absent.
        judge_config: config whose judge looks at liked answers.
        watch: runs the sampling of plain answers, and shows how far it is.
        say: is told how far the rest is.

    Raises:
        InputError: a file cannot be read, or has bad rows.
        UsageError: the folder holds a run, or a setting cannot be used.
        StoreError: the folder cannot be written, or another process writes to it.
        CaiError: the judge cannot be asked.
    """
    _refuse_runs(folder)
    with RunStore.open(folder) as store:
        chosen = _prepare(store, settings or {})
        secret = _salt(store, salt or folder / _SALT) if paths else None
        taken = tuple(_take(store, path, secret, skip_bad, say) for path in paths if secret)
        read_decisions(store)
        sort_rows(store, chosen)
        looked = None
        if judge_config is not None:
            from cai.feedback.conflicts import look_at_liked

            look = folder / "judge"
            looked = look_at_liked(store, judge_config, look, watch=watch or _quietly, say=say)
            sort_rows(store, chosen)
        queued, to_check = put_items(store)
        drafted = draft_cases(store, folder / "redteam")
        files = export_feedback(store, folder / "export")
        return Imported(taken, looked, files, account(store), queued, to_check, drafted)


def _prepare(store: RunStore, given: Mapping[str, Any]) -> Settings:
    """Tables, settings and the guideline of the review page; returns the settings that hold now."""
    make_tables(store)
    chosen = Settings.of(store).changed(given)
    constitution = load_constitution(chosen.constitution)
    store.set_meta(constitution={**constitution.model_dump(mode="json"), "hash": constitution.hash})
    chosen.keep(store)
    return chosen


def read_account(folder: Path) -> dict[str, Any]:
    """The figures of a folder, with what people have said up to now.

    Raises:
        UsageError: no feedback was imported into the folder.
        StoreError: there is no such folder.
    """
    with RunStore.read(folder) as store:
        if not has_tables(store):
            raise UsageError(
                f"{folder} holds a run and no feedback. Name the folder of an import: "
                f"cai feedback import FILE --into FOLDER"
            )
        return account(store)


def bad_lines(folder: Path, most: int) -> list[str]:
    """What was wrong with the first bad lines of the files of a folder."""
    with RunStore.read(folder) as store:
        return [
            error
            for (error,) in store.select(
                "SELECT error FROM feedback_bad JOIN feedback_files USING (sha256) "
                "ORDER BY number, line LIMIT ?",
                most,
            )
        ]


def _salt(store: RunStore, path: Path) -> Salt:
    """The salt, which must be the one that the rows of the folder were hashed with.

    Raises:
        StoreError: it is another one, or gone: all rows of a file that is known would be new.
    """
    known = store.meta(_MARK)
    found = Salt.of(path) if known is None or path.exists() else None
    mark = found.hashed("mark", "") if found else None
    if found is None or (known is not None and known != mark):
        raise StoreError(
            f"{path}: {'another salt' if found else 'no salt'}, and {store.folder} holds rows "
            "whose users were hashed with one. Allowed: that one, or known rows would come in "
            "twice. Name its file with --salt, or import into a new folder."
        )
    if known is None:
        store.set_meta(**{_MARK: mark})
    return found


def _take(
    store: RunStore, path: Path, salt: Salt, skip_bad: bool, say: Callable[[str], None]
) -> Taken:
    def progress(rows: int) -> None:
        say(f"{path.name}: {rows:,} rows …")

    return take_file(store, path, salt, skip_bad=skip_bad, progress=progress)


def _quietly(generation: Generation) -> None:
    for _ in generation:
        pass


def _refuse_runs(folder: Path) -> None:
    """A run has prompts and splits of its own; feedback must not be mixed into it.

    Raises:
        UsageError: the folder holds a run, or what a judge answered.
        StoreError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file. Name a folder with --into.")
    if not (folder / "run.db").is_file():
        return
    with RunStore.read(folder) as store:
        anything = (
            "SELECT 1 FROM meta UNION ALL SELECT 1 FROM calls UNION ALL SELECT 1 FROM prompts"
        )
        if not has_tables(store) and next(store.select(anything), None):
            raise UsageError(
                f"{folder} holds a run. Allowed: a folder of its own, new or of an earlier import. "
                "Name another with --into."
            )
