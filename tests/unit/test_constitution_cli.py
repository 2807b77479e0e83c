import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cai.cli.constitution import app
from cai.constitution import load_constitution
from cai.errors import ConfigError

RULES = """\
format: 1
name: mine
version: 0.1.0
summary: Two rules.
principles:
  - id: honesty.sure
    text: The answer says how sure it is.
    critique: Point out where the answer sounds too sure.
    revise: Rewrite the answer so that it says how sure it is.
    judge: {judge}
    tags: [honesty]
    note: {note}
"""
WHICH = "Which answer says [more clearly] how sure it is?"


def run(*arguments, terminal=False):
    env = {"FORCE_COLOR": "1", "COLUMNS": "200"} if terminal else {}
    return CliRunner().invoke(app, [str(a) for a in arguments], env=env)


@pytest.fixture
def rules(tmp_path):
    def write(judge=WHICH, note="Own."):
        file = tmp_path / "rules.yaml"
        file.write_text(RULES.format(judge=judge, note=note), encoding="utf-8")
        return file

    return write


@pytest.mark.parametrize("terminal", [False, True])
def test_list_names_what_is_shipped(terminal):
    result = run("list", terminal=terminal)
    assert result.exit_code == 0
    for name in ("harmless-helpful", "helpful-honest", "customer-support"):
        assert name in result.output
        assert load_constitution(name).hash[:12] in result.output
    assert ("┃" in result.output) == terminal


@pytest.mark.parametrize("terminal", [False, True])
def test_show_prints_whole_principles(rules, terminal):
    result = run("show", rules(), terminal=terminal)
    assert result.exit_code == 0
    for part in ("mine@0.1.0", "1 principle ", "honesty.sure", WHICH, "too sure.", "Own."):
        assert part in result.output
    assert ("╭" in result.output) == terminal


def test_show_leaves_out_an_empty_note(rules):
    assert "Note" not in run("show", rules(note="''")).output


@pytest.mark.parametrize("name", ["harmless-helpful", "customer-support@1.0.0"])
def test_show_as_yaml_can_be_loaded_again(tmp_path, name):
    file = tmp_path / "whole.yaml"
    file.write_text(run("show", name, "--format", "yaml").output, encoding="utf-8")
    # Where its principles come from is what the one file no longer says.
    again, loaded = load_constitution(file), load_constitution(name)
    assert again.model_copy(update={"origins": loaded.origins}) == loaded


def test_show_as_json_has_the_hash_and_every_principle():
    data = json.loads(run("show", "helpful-honest", "--format", "json").output)
    loaded = load_constitution("helpful-honest")
    assert data["hash"] == loaded.hash
    assert [p["id"] for p in data["principles"]] == [p.id for p in loaded.principles]


def test_lint_says_when_there_is_nothing_to_say(rules):
    result = run("lint", rules())
    assert (result.exit_code, result.output) == (0, "mine@0.1.0: 1 principle, no findings.\n")
    assert ": 15 principles, no findings." in run("lint", "helpful-honest").output


def test_lint_fails_on_errors(rules):
    result = run("lint", rules(judge="Be honest."))
    assert result.exit_code == 1
    assert "error    honesty.sure" in result.output
    assert "Fix: Begin it with 'Which answer'" in result.output
    assert "mine@0.1.0: 1 principle, 1 error, 0 warnings." in result.output


def test_warnings_fail_only_when_strict(rules):
    file = rules(note="''")
    relaxed, strict = run("lint", file), run("lint", file, "--strict")
    assert (relaxed.exit_code, strict.exit_code) == (0, 1)
    assert "warning  honesty.sure" in relaxed.output
    assert "0 errors, 1 warning." in relaxed.output
    assert "error    honesty.sure" in strict.output
    assert "1 error, 0 warnings." in strict.output


@pytest.mark.parametrize("command", ["show", "lint"])
def test_an_unknown_name_is_left_to_the_caller_as_a_config_error(command):
    result = run(command, "harmles-helpful")
    assert isinstance(result.exception, ConfigError)
    assert "Did you mean 'harmless-helpful'?" in str(result.exception)


@pytest.mark.parametrize("command", ["list", "show", "lint"])
def test_every_help_text_has_an_example(command):
    assert f"Example: cai constitution {command}" in run(command, "--help").output


def test_help_loads_nothing_heavy():
    code = (
        "import sys, cai.cli.constitution; "
        "print([m for m in ('pydantic', 'ruamel', 'semver', 'cai.constitution.models') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
