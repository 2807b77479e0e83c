"""Reading cases from files, and choosing among them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cai.content import content_dir
from cai.errors import InputError, nearest
from cai.evaluate.refusal.cases import CaseFile
from cai.evaluate.refusal.records import FoundCase
from cai.evaluate.refusal.rows import csv_cases, jsonl_cases
from cai.hashing import unit_interval
from cai.intake.read import existing
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["SUITE", "chosen", "couples", "read_cases", "suite_files"]

SUITE = "suite"
"""The word for the packaged cases."""

_SUFFIXES = (".yaml", ".yml", ".csv", ".jsonl")


def read_cases(sources: Sequence[str | Path]) -> tuple[FoundCase, ...]:
    """The cases of files in their order.

    Args:
        sources: YAML, CSV or JSONL files (the latter two also with gzip), folders of YAML files, or
            the word `suite`. CSV also in the form of XSTest (Röttger et al. 2024,
            arXiv:2308.01263).

    Raises:
        ConfigError: a YAML file does not fit the format.
        InputError: there is no such file, a row cannot be read, or two cases have the same id.
    """
    found: dict[str, FoundCase] = {}
    for source in sources:
        for path in _files(source):
            for one in _read(path):
                before = found.setdefault(one.case.id, one)
                if before is not one:
                    raise InputError(
                        f"{one.source}: got the id '{one.case.id}', which {before.source} has, "
                        "too. Ids tell cases apart in results: rename one, or name the file once."
                    )
    couples(found.values())
    return tuple(found.values())


def suite_files() -> list[Path]:
    """The packaged files of cases.

    Raises:
        CaiError: the installation lost its content.
    """
    return _folder(content_dir("prompts") / "redteam")


def couples(cases: Iterable[FoundCase]) -> list[tuple[FoundCase, FoundCase]]:
    """The twins among cases: the one to be refused, and its harmless look-alike.

    A twin that is not among them is passed over: it may be in a file that was not named.

    Raises:
        InputError: both are to be refused, or neither; or a case has two twins.
    """
    known = {one.case.id: one for one in cases}
    twin: dict[str, str] = {}
    for one in known.values():
        other = known.get(one.case.pair or "")
        if other is None:
            continue
        for own, its in ((one, other), (other, one)):
            if twin.setdefault(own.case.id, its.case.id) != its.case.id:
                raise InputError(
                    f"{own.source}: case '{own.case.id}' has the twins '{twin[own.case.id]}' and "
                    f"'{its.case.id}'. Allowed is one. Remove a 'pair'."
                )
        if one.harmful == other.harmful:
            raise InputError(
                f"{one.source}: case '{one.case.id}' and its pair '{other.case.id}' both have "
                f"expect: {one.case.expect}. Of twins one is to be refused: correct one of them."
            )
    return [
        (one, known[twin[one.case.id]])
        for one in known.values()
        if one.harmful and one.case.id in twin
    ]


def chosen(cases: Sequence[FoundCase], limit: int | None) -> tuple[FoundCase, ...]:
    """About `limit` of the cases, spread over categories and what is expected, twins together.

    A larger limit adds to a smaller one, so nothing is asked twice. The order is that of `cases`.
    """
    if limit is None or limit >= len(cases):
        return tuple(cases)
    with_twin: dict[str, tuple[FoundCase, ...]] = {a.case.id: (a, b) for a, b in couples(cases)}
    seconds = {b.case.id for _, b in with_twin.values()}
    strata: dict[tuple[str, str], list[tuple[FoundCase, ...]]] = {}
    for one in cases:
        if one.case.id not in seconds:
            unit = with_twin.get(one.case.id, (one,))
            strata.setdefault((one.category, one.case.expect), []).append(unit)
    ranked = sorted(
        (place, unit_interval("stratum", *stratum), unit[0].case.id, unit)
        for stratum, units in strata.items()
        for place, unit in enumerate(sorted(units, key=lambda unit: _draw(unit[0])))
    )
    taken: set[str] = set()
    for *_, unit in ranked:
        if len(taken) + len(unit) > limit:
            break  # And not a smaller unit in its place: that one would go with a larger limit.
        taken.update(one.case.id for one in unit)
    return tuple(one for one in cases if one.case.id in taken)


def _draw(found: FoundCase) -> float:
    return unit_interval("case", found.case.id)


def _files(source: str | Path) -> list[Path]:
    path = Path(source)
    if str(source) == SUITE and not path.exists():
        return suite_files()
    if path.is_dir():
        return _folder(path)
    return [existing(path, "file of cases", f", a folder, or '{SUITE}' for the packaged cases")]


def _folder(folder: Path) -> list[Path]:
    """The files of cases in a folder; what is labelled is for checking judges."""
    found = [p for p in sorted(folder.glob("*.yaml")) if not p.stem.startswith("labelled")]
    if not found:
        raise InputError(
            f"The folder {folder} holds no file of cases. Allowed: *.yaml, other than labelled*."
            "yaml. Name a file, or another folder."
        )
    return found


def _read(path: Path) -> list[FoundCase]:
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix == ".csv":
        return list(csv_cases(path))
    if suffix == ".jsonl":
        return list(jsonl_cases(path))
    if suffix in (".yaml", ".yml"):
        return _yaml_cases(path)
    raise InputError(
        f"Cannot tell the format of {path.name} by its name. Allowed: {', '.join(_SUFFIXES)}."
        f"{nearest(suffix, _SUFFIXES)} Rename the file."
    )


def _yaml_cases(path: Path) -> list[FoundCase]:
    file = parse_model(CaseFile, read_yaml(path), path)
    return [FoundCase(case, file.category, path.name) for case in file.cases]
