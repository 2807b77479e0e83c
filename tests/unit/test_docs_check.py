"""`make docs-check`: commands are carried out as in one shell, and failures are shown."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.docs import __main__ as docs_check
from tests.docs.scratch import Scratch


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small repository whose documents are checked."""
    folder = tmp_path / "repository"
    (folder / "docs").mkdir(parents=True)
    (folder / "examples").mkdir()
    (folder / "examples/a.txt").write_text("an example\n")
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    monkeypatch.setattr(docs_check, "ROOT", folder)
    monkeypatch.setattr(docs_check, "BEFORE", tmp_path / "before")
    (tmp_path / "before").mkdir()
    return folder


def check(root, text, capsys, **options):
    document = root / "docs/guide.md"
    document.write_text(text)
    settings = {"timeout_s": 60, "verbose": False, **options}
    failed = docs_check.check(document, **settings)
    return failed, capsys.readouterr().out


def test_a_document_is_carried_out_as_in_one_shell(root, capsys):
    text = (
        "```bash\nmkdir project\ncd project\nNAME=Ada\n```\n"
        "<!-- docs-check: file letter.txt -->\n\n```yaml\nto: you\n```\n"
        "```bash\ncat letter.txt ../examples/a.txt\necho from $NAME\n```\n"
        "```bash not-run: a reason\nfalse\n```\n"
        "```bash exits 3\nexit 3\n```\n"
    )
    failed, said = check(root, text, capsys, verbose=True)
    assert not failed
    assert "| to: you\n      | an example\n      | from Ada" in said
    assert "false  [a reason]" in said
    assert said.count(" s  ok") == 3
    assert not (root / "project").exists()


def test_a_failure_is_shown_and_ends_the_document(root, capsys):
    failed, said = check(
        root, "```bash\necho this went wrong\nfalse\n```\n\n```bash\necho no\n```\n", capsys
    )
    assert failed
    assert "exit code 1" in said
    assert "| this went wrong" in said
    assert "echo no" not in said


def test_another_exit_code_than_shown_is_a_failure(root, capsys):
    failed, said = check(root, "```bash exits 3\ntrue\n```\n", capsys)
    assert failed
    assert "exit code 0" in said


def test_what_a_guide_takes_for_granted_comes_first(root, capsys):
    (docs_check.BEFORE / "guide.sh").write_text("echo ready > state.txt\n")
    failed, _ = check(root, "```bash\ngrep ready state.txt\n```\n", capsys)
    assert not failed


def test_a_fence_that_leaves_the_convention_is_a_failure(root, capsys):
    failed, said = check(root, "```\ncai init it\n```\n", capsys)
    assert failed
    assert "guide.md:1: a fence that begins with a command" in said


def test_what_takes_too_long_is_ended(root, capsys):
    failed, said = check(root, "```bash\nsleep 600\n```\n", capsys, timeout_s=0.2)
    assert failed
    assert "took too long" in said


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes as Linux shows them")
def test_what_is_left_in_the_background_ends_with_the_document(root):
    with Scratch(root, 60) as scratch:
        done = scratch.run("sleep 600 & echo $!")
        process, folder = int(done.output), scratch.folder
        assert not _ended(process)
    for _ in range(200):
        if _ended(process):
            break
        time.sleep(0.05)
    else:
        os.kill(process, 9)
        pytest.fail("it is still there")
    assert not folder.exists()


def _ended(process):
    """Gone, or not yet collected by the process that has inherited it."""
    try:
        return "State:\tZ" in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_documents_are_named_by_their_folder():
    stems = [
        docs_check._stem(n) for n in ("docs/cost.md", "examples/06_dpo/README.md", "README.md")
    ]
    assert stems == ["cost", "06_dpo", "readme"]
