"""The example with sixty rows, and the command as a shell sees it."""

import re
from pathlib import Path

import pytest

import cai
from tests.unit.cli_helpers import Cai, shell
from tests.unit.feedback_helpers import exported, quick_store, thumbs, write  # noqa: F401

pytestmark = pytest.mark.usefixtures("quick_store")

EXAMPLE = Path(cai.__file__).parent.parent / "examples/13_feedback"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cai:
    monkeypatch.chdir(tmp_path)
    return shell(monkeypatch, capsys)


def test_the_example_gives_what_it_says(run: Cai, tmp_path: Path):
    command = ("feedback", "import", EXAMPLE / "feedback.jsonl", "--per-user", 3)
    first = run(*command)
    assert first.code == 0, first.err
    shown = run("feedback", "show", "runs/feedback")
    assert shown.out == (EXAMPLE / "expected/show.txt").read_text(encoding="utf-8")
    # The import says the same, between what is new and what was written.
    assert shown.out in first.out
    assert "feedback.jsonl   59      0                1          0" in first.out
    files = exported(tmp_path / "runs/feedback")
    for name in ("kto.jsonl", "preferences.jsonl", "queue.jsonl"):
        assert files[name] == (EXAMPLE / "expected" / name).read_bytes(), name
    again = run(*command)
    assert "feedback.jsonl    0     59                1          0" in again.out
    assert exported(tmp_path / "runs/feedback") == files


def test_the_readme_shows_what_is_printed():
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    shown = (EXAMPLE / "expected/show.txt").read_text(encoding="utf-8").strip()
    assert shown in readme


def test_errors_and_bad_lines_in_a_shell(run: Cai, tmp_path: Path):
    path = write(tmp_path / "rows.jsonl", [thumbs("Q?", "\x1b[2JA."), "{", "[]"])
    refused = run("feedback", "import", path, "--into", "out")
    assert refused.code == 2
    assert "2 lines that cannot be read" in refused.err
    assert "leave them out with --skip-bad" in refused.err
    skipped = run("feedback", "import", path, "--into", "out", "--skip-bad")
    assert skipped.code == 0
    assert re.search(r"rows.jsonl +1 +0 +0 +2", skipped.out)
    assert "rows.jsonl:3: got JSON that is no object" in skipped.out
    listed = run("feedback", "show", "out", "--bad", 5)
    assert listed.out.count("rows.jsonl:") == 2
    assert "\x1b" not in skipped.out + listed.out
    nowhere = run("feedback", "show", tmp_path / "none")
    assert nowhere.code == 1
    assert "No run in" in nowhere.err
