"""docs/papers.md names files, symbols and tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import cai

ROOT = Path(cai.__file__).parent.parent
PAGE = (ROOT / "docs/papers.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:cai|tests|benchmarks)/[^`\s]+)`", PAGE)))


@cache
def defined(path: Path) -> frozenset[str]:
    """What a module defines at its top: functions, classes, names."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(names)


@pytest.mark.parametrize("named", NAMED)
def test_what_is_named_exists(named: str) -> None:
    file, _, name = named.partition("::")
    path = ROOT / file
    assert path.is_file(), f"{named}: no such file"
    assert not name or name in defined(path), f"{named}: {file} defines no {name}"


def test_every_row_names_a_place_and_a_check() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith(("| ---", "| paper |"))]
    assert len(rows) > 80
    for row in rows:
        paper, rule, where, checked = row.strip("| ").split(" | ")
        assert paper, row
        assert rule, row
        assert "`cai/" in where, row
        assert "`tests/" in checked or checked == "the same", row


def test_every_arxiv_number_in_the_code_is_on_the_page() -> None:
    pattern = re.compile(r"(?<![\d.])\d{4}\.\d{5}(?![\d.])")
    cited = {
        number
        for file in (ROOT / "cai").rglob("*.py")
        for number in pattern.findall(file.read_text(encoding="utf-8"))
    }
    assert len(cited) > 30
    missing = sorted(cited - set(pattern.findall(PAGE)))
    assert missing == [], "cited in cai/ and not in docs/papers.md: add a row for each"
