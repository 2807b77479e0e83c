"""Finding the test cases of a constitution: its own, and those of the families it draws from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.constitution.cases import CaseFile
from cai.constitution.families import family_folders, read_family
from cai.constitution.load import find_constitution
from cai.errors import ConfigError, nearest
from cai.wording import listed
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cai.constitution.cases import Case
    from cai.constitution.models import Constitution

__all__ = ["FoundCase", "load_cases", "read_cases"]

_FILE = "cases.yaml"
_FOLDER = "cases"
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class FoundCase:
    """A case and a short name of the file that it is from, such as `principles/cases/tone.yaml`."""

    case: Case
    source: str


def load_cases(
    constitution: Constitution,
    ref: str | Path,
    *,
    files: Sequence[Path] = (),
    families: bool = True,
    root: Path | None = None,
    principles_root: Path | None = None,
) -> tuple[FoundCase, ...]:
    """The cases of a constitution, in the order of their files.

    First come its own, `cases.yaml` beside its version files. Then come those of families, from
    `cases/<family>.yaml` in the folders in which families are searched; as for families, the first
    folder with such a file counts, and of a file the cases of principles that the constitution has.

    Args:
        constitution: as `load_constitution` returned it.
        ref: what it was loaded by.
        files: in place of its own.
        families: whether to take those of families, too.
        root: as for `load_constitution`.
        principles_root: as for `load_constitution`.

    Raises:
        ConfigError: a file does not fit the format, or names a principle that there is not.
    """
    path = find_constitution(ref, root=root, principles_root=principles_root)
    own = path.parent / _FILE
    found: list[FoundCase] = []
    if files:
        found = [
            one for file in dict.fromkeys(files) for one in _own(constitution, file, str(file))
        ]
    elif own.is_file():
        found = list(_own(constitution, own, f"{own.resolve().parent.name}/{_FILE}"))
    if families:
        folders = family_folders(path, principles_root)
        found += [one for file in _files(folders) for one in _shared(constitution, file, folders)]
    return tuple(found)


def read_cases(path: Path) -> CaseFile:
    """Read a file of cases, without a look at the principles that it names.

    Raises:
        ConfigError: it does not fit the format, or an id occurs twice.
    """
    return parse_model(CaseFile, read_yaml(path), path)


def _own(constitution: Constitution, path: Path, source: str) -> Iterator[FoundCase]:
    known = [p.id for p in constitution.principles]
    for case in read_cases(path).cases:
        if case.principle is not None:
            _require_known(case, case.principle, known, f"{path}: {constitution.label}")
        yield FoundCase(case, source)


def _files(folders: Sequence[Path]) -> list[Path]:
    first: dict[str, Path] = {}
    for folder in folders:
        for file in sorted((folder / _FOLDER).glob("*.yaml")):
            first.setdefault(file.stem, file)
    return [first[name] for name in sorted(first)]


def _shared(constitution: Constitution, path: Path, folders: Sequence[Path]) -> Iterator[FoundCase]:
    """The cases of one family; a family of which the constitution has nothing is not read."""
    known = _ids_of(path, folders)
    if not any(one in constitution for one in known):
        return
    for case in read_cases(path).cases:
        if case.principle is None:
            raise ConfigError(
                f"{path}: case '{case.id}' names no principle. Cases of families are for every "
                "constitution that takes the principle: add 'principle:', or move the case to the "
                f"{_FILE} of a constitution."
            )
        _require_known(case, case.principle, known, f"{path}: family {path.stem}")
        if case.principle in constitution:
            yield FoundCase(case, f"principles/{_FOLDER}/{path.name}")


def _ids_of(path: Path, folders: Sequence[Path]) -> list[str]:
    """Ids of the family that a file of cases is named after; one in the same folder goes first."""
    beside = path.parent.parent
    for folder in dict.fromkeys((beside, *folders)):
        file = folder / path.name
        if file.is_file():
            return [p.id for p in read_family(file).principles]
    names = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise ConfigError(
        f"{path}: no family is called '{path.stem}'. Known: {listed(names)}."
        f"{nearest(path.stem, names)} Name the file after the family of its principles."
    )


def _require_known(case: Case, principle: str, known: Sequence[str], where: str) -> None:
    if principle not in known:
        more = ", …" if len(known) > _SHOWN else ""
        raise ConfigError(
            f"{where} has no principle '{principle}', which case '{case.id}' names. Known: "
            f"{listed(known[:_SHOWN])}{more}.{nearest(principle, known)} Correct the id."
        )
