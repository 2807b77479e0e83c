"""Samples and reports for the tests of the data-quality room."""

import importlib.util
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from cai.quality import Finding, Options, check_source, open_source

ROOT = Path(__file__).parent.parent.parent


def pair(prompt: str, chosen: str, rejected: str, **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}


def write(path: Path, rows: Iterable[Any]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def find(folder: Path, name: str, rows: Iterable[Any], **options: Any) -> Finding:
    """What one check finds in some rows."""
    source = open_source(write(folder / "rows.jsonl", rows))
    (finding,) = check_source(source, Options(**options), only=[name]).findings
    assert finding.check == name
    return finding


def benchmark() -> ModuleType:
    """`benchmarks/quality.py`, which plants what the checks must find."""
    spec = importlib.util.spec_from_file_location("quality_bench", ROOT / "benchmarks/quality.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["quality_bench"] = module
    spec.loader.exec_module(module)
    return module
