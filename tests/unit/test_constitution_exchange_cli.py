"""`cai constitution import` and `export`: files, warnings, and what is refused."""

import json

import pytest
from typer.testing import CliRunner

from cai.cli.constitution import app
from cai.constitution import load_constitution
from cai.errors import InputError, UsageError
from cai.formats import read_records
from cai.intake import read_prompts
from tests.unit.exchange_helpers import GENERATED, ICAI, SWARM, TRAITS


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def source(tmp_path):
    def write(content, name="source.json"):
        file = tmp_path / name
        file.write_text(
            content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
        )
        return file

    return write


def test_an_import_is_printed_or_written(source, tmp_path):
    file, out = source(TRAITS), tmp_path / "my-rules" / "1.2.0.yaml"
    printed = run("import", file, "--name", "My rules", "--version", "1.2.0", "--summary", "Mine.")
    assert printed.exit_code == 0, printed.output
    assert printed.stdout.startswith(
        "# yaml-language-server: $schema=../constitution.schema.json\n"
    )
    assert "warning  2 principles without 'judge'" in printed.stderr
    assert "my-rules@1.2.0: 2 principles from source.json (open-character)" in printed.stderr
    done = run(
        *("import", file, "--name", "My rules", "--version", "1.2.0", "--summary", "Mine."),
        *("--out", out),
    )
    assert (done.exit_code, done.stdout) == (0, "")
    assert f"Next:  cai constitution lint {out}" in done.stderr
    loaded = load_constitution(out)
    assert (loaded.label, loaded.summary) == ("my-rules@1.2.0", "Mine.")
    assert loaded.hash[:12] in done.stderr


def test_an_import_can_be_linted_once_completed(source, tmp_path):
    out = tmp_path / "out.yaml"
    assert run("import", source(TRAITS), "--out", out, "--complete").exit_code == 0
    assert ": 2 principles, 0 errors" in run("lint", out).output


def test_questions_and_chats_go_there_and_back(source, tmp_path):
    out, asked, chats = (tmp_path / name for name in ("c.yaml", "asked.jsonl", "chats.jsonl"))
    traits = source("\n".join(map(json.dumps, GENERATED)), "t.jsonl")
    bare = run("import", traits)
    assert "5 questions not kept. --prompts FILE writes them as prompts." in bare.stderr
    kept = run("import", traits, "--out", out, "--prompts", asked)
    assert "questions not kept" not in kept.stderr
    back = run(
        "export",
        out,
        "--format",
        "open-character-jsonl",
        "--prompts",
        asked,
        "--out",
        tmp_path / "t",
    )
    assert back.exit_code == 0, back.output
    prompts = list(read_prompts(asked))
    assert (prompts[0].messages[0].content, prompts[0].tags) == (
        "Is water wet?",
        ("open-character.wit",),
    )
    rows = [json.loads(line) for line in (tmp_path / "t").read_text().splitlines()]
    assert rows == GENERATED

    swarm = source(SWARM)
    assert "2 few-shot chats not kept." in run("import", swarm).stderr
    assert run("import", swarm, "--out", out, "--chats", chats, "--force").exit_code == 0
    assert len(list(read_records(chats))) == 2
    printed = run("export", out, "--format", "llm-swarm", "--chats", chats)
    assert json.loads(printed.stdout) == SWARM
    assert "Not kept, as the layout has no place for it:" in printed.stderr


def test_an_import_reports_votes(source):
    result = run("import", source(ICAI))
    assert "icai.concise: agreed with people in 2 of 2 (100%); 1 without a preference" in (
        result.stderr
    )
    assert "icai.honest: agreed with people in 0 of 0; 3 without a preference" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--out", "rules.txt"), r"Name it rules\.yaml"),
        (("--out", "x/2.0.0.yaml"), r"place of x@2\.0\.0, and this is source@1\.0\.0"),
        (("--out", "there.yaml"), r"exists\. Name another file, or overwrite it with --force"),
        (("--out", "free.yaml", "--prompts", "there.yaml"), "exists"),
        (("--prompts", "p.jsonl", "--format", "text"), "has no questions. Leave --prompts out"),
        (("--chats", "c.jsonl"), r"source\.json \(open-character\) has no few-shot chats"),
        (("--version", "one"), "'version'"),
    ],
)
def test_imports_that_are_refused_write_nothing(source, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    file = source(TRAITS)
    (tmp_path / "there.yaml").write_text("old")
    before = sorted(tmp_path.rglob("*"))
    result = run("import", file, *arguments)
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
    with pytest.raises(UsageError, match=says):
        raise result.exception
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.yaml").read_text() == "old"


def test_the_source_is_never_overwritten(source):
    file = source("Be kind.\n", "rules.yaml")
    result = run("import", file, "--format", "text", "--out", file, "--force")
    assert isinstance(result.exception, UsageError)
    assert "is the file that is read" in str(result.exception)
    assert file.read_text() == "Be kind.\n"


def test_an_export_keeps_the_written_order_and_names(tmp_path):
    out = tmp_path / "rules.md"
    assert run("export", "customer-support", "--format", "markdown", "--out", out).exit_code == 0
    again = tmp_path / "again.yaml"
    assert run("import", out, "--out", again, "--name", "customer-support").exit_code == 0
    assert load_constitution(again).hash == load_constitution("customer-support").hash
    taken = run("export", "customer-support", "--format", "text", "--out", out)
    assert "--force" in str(taken.exception)
    assert run("export", "customer-support", "--format", "text", "--out", out, "--force").stderr
    assert out.read_text().startswith("- The answer")


@pytest.mark.parametrize(
    ("layout", "option"), [("llm-swarm", "--prompts"), ("icai", "--chats"), ("text", "--prompts")]
)
def test_an_export_refuses_what_its_layout_cannot_hold(source, layout, option):
    result = run("export", "helpful-honest", "--format", layout, option, source("{}"))
    assert isinstance(result.exception, UsageError)
    assert f"the layout {layout} has no place for" in str(result.exception)


def test_untrusted_names_and_texts_are_inert_on_the_terminal(source):
    result = run("import", source({"constitutions": [{"critic": "Say.", "a\x1b[2J": 1}]}))
    assert "\x1b" not in result.output
    hidden = run("import", source({"a\x1b[2J\u202e": 1}))
    assert isinstance(hidden.exception, InputError)
    assert "\x1b" not in str(hidden.exception)


@pytest.mark.parametrize("command", ["import", "export"])
def test_help_has_an_example(command):
    assert f"Example: cai constitution {command}" in run(command, "--help").output
