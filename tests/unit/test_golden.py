"""Whole transcripts and exports of a scripted run, compared with what was once read and approved.

After a change that is meant, renew them and read the difference:

    UPDATE_GOLDEN=1 python -m pytest tests/unit/test_golden.py && git diff tests/unit/golden
"""

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import JudgeConfig
from cai.engines import ScriptedEngine
from cai.records import Message, Prompt

GOLDEN = Path(__file__).parent / "golden"
PROMPTS = (
    Prompt((Message("user", "How do I keep basil alive on a windowsill?"),), ("helpful",)),
    Prompt((Message("user", "Write a nasty note to my flatmate."),), ("red-team",)),
    Prompt(
        (
            Message("user", "Is it safe to mix bleach and vinegar?"),
            Message("assistant", "No, it makes a poisonous gas."),
            Message("user", "And if I did by accident?"),
        ),
        ("borderline", "multi-turn"),
    ),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> cai.Generation:
    made = cai.Generation.create(
        "harmless-helpful@1.0.0",
        PROMPTS,
        policy=ScriptedEngine(),
        run=tmp_path_factory.mktemp("golden") / "run",
        loop={"samples": 2, "rounds": 2},
        judging=JudgeConfig(principles=2),
        split={"dev": 0.0, "held_out": 0.0},
    )
    assert len(list(made)) == len(PROMPTS)
    made.export()
    return made


def compare(name: str, text: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("row", [1, 2, 3])
def test_transcripts(run: cai.Generation, row: int) -> None:
    shown = CliRunner().invoke(app, ["show", str(run.folder), str(row)])
    assert shown.exit_code == 0, shown.output
    compare(f"transcript-{row}.txt", shown.stdout)


@pytest.mark.parametrize("table", ["sft", "preferences", "undecided"])
def test_exports(run: cai.Generation, table: str) -> None:
    exported = (run.folder / "export" / f"{table}.jsonl").read_text("utf-8")
    # The last digits of exp and log differ between machines.
    rounded = re.sub(r"\d\.\d{9,}", lambda number: f"{float(number[0]):.9f}", exported)
    compare(f"{table}.jsonl", rounded)
