"""`cai constitution lint`: formats, lines, options, exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cai.cli.app import app
from cai.constitution.lint import RULES
from cai.constitution.lint.contradictions import known_pairs
from cai.engines import ScriptedEngine
from cai.errors import CaiError, ConfigError, InputError, UsageError
from cai.records import Completion, Request

FAMILY = """\
format: 1
family: mine
summary: Mine.
principles:
  - id: mine.guess
    text: Never guess.
    critique: Point out guesses that sound wrong.
    revise: Rewrite the answer without guesses.
    judge: Which answer guesses less?
    tags: [honesty]
    note: Own.
"""
RULES_FILE = """\
format: 1
name: rules
version: 0.1.0
summary: Rules.
include:
  - family: honesty
    ids: [honesty.own-mistakes]
  - family: mine
override:
  - id: honesty.own-mistakes
    text: Never hide a mistake.
priorities: ["own.*", own.sure]
principles:
  - id: own.sure
    text: The answer says how sure it is.
    critique: Point out where the answer sounds too sure.
    revise: >-
      Rewrite the answer and remind the user
      that 100% of it, or some: is a guess.
    judge: Which answer is clearer about how sure it is?
    tags: [honesty]
"""


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["constitution", "lint", *map(str, arguments)])


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "principles").mkdir()
    (tmp_path / "principles" / "mine.yaml").write_text(FAMILY)
    (tmp_path / "rules.yaml").write_text(RULES_FILE)
    return tmp_path / "rules.yaml"


FOUND = [
    ("C604", None, 12),  # the second entry of a list in one line
    ("C204", "honesty.own-mistakes", 11),  # the line of the override
    ("C204", "mine.guess", 8),  # the entry of the family
    ("C206", "own.sure", 17),
    ("C303", "own.sure", 14),  # the principle, since there is no key
]


def test_json_has_every_finding_with_its_line(rules: Path) -> None:
    result = run("rules.yaml", "--format", "json")
    assert result.exit_code == 0
    (one,) = json.loads(result.output)["constitutions"]
    assert (one["constitution"], one["file"], one["principles"]) == ("rules@0.1.0", "rules.yaml", 3)
    assert (one["errors"], one["warnings"]) == (0, 5)
    assert [(f["code"], f["principle"], f["line"]) for f in one["findings"]] == FOUND
    names = {rule.code: rule.name for rule in RULES}
    for finding in one["findings"]:
        assert finding["name"] == names[finding["code"]]
        assert finding["level"] == "warning"
        assert finding["message"] and finding["fix"]


HEIR = """\
format: 1
name: heir
version: 0.1.0
summary: Heir.
extends:
  - rules.yaml
override:
  - id: own.sure
    text: Never guess at all.
  - id: own.sure
    text: Never boast about it.
"""


def test_what_parents_bring_lies_where_they_are_named(rules: Path) -> None:
    (rules.parent / "heir.yaml").write_text(HEIR)
    (one,) = json.loads(run("heir.yaml", "--format", "json").output)["constitutions"]
    lines = {(f["code"], f["principle"]): f["line"] for f in one["findings"]}
    assert lines["C204", "own.sure"] == 11  # of two overrides the last one counts
    assert lines["C206", "own.sure"] == lines["C204", "mine.guess"] == 6


def test_text_has_code_place_and_counts(rules: Path) -> None:
    result = run("rules.yaml")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    heads = [line for line in lines if line.startswith("warning")]
    assert heads[1] == ("warning  honesty.own-mistakes  C204 negative-framing  (rules.yaml:11)")
    assert heads[0].startswith("warning  whole constitution  C604")
    assert lines[-1] == "rules@0.1.0: 3 principles, 0 errors, 5 warnings."
    assert not any(line != line.rstrip() for line in lines)


def test_annotations_are_escaped_for_github(rules: Path) -> None:
    (rules.parent / "a,b").mkdir()
    moved = rules.rename(rules.parent / "a,b" / "r100%.yaml")
    (rules.parent / "principles").rename(moved.parent / "principles")
    result = run(moved, "--format", "github", "--ignore", "C3,C604,C204")
    line, summary = result.output.splitlines()
    assert line.startswith(
        "::warning file=a%2Cb/r100%25.yaml,line=17,title=C206 preachy::own.sure: 'revise' asks"
    )
    assert "%0A" not in line
    assert summary == "rules@0.1.0: 3 principles, 0 errors, 1 warning."


def test_strict_turns_warnings_into_errors_in_every_format(rules: Path) -> None:
    assert run("rules.yaml", "--strict").exit_code == 1
    github = run("rules.yaml", "--strict", "--format", "github").output
    assert github.count("::error ") == 5 and "::warning" not in github
    (one,) = json.loads(run("rules.yaml", "--strict", "--format", "json").output)["constitutions"]
    assert (one["errors"], one["warnings"]) == (5, 0)


def test_errors_fail_and_ignored_ones_do_not(rules: Path) -> None:
    rules.write_text(RULES_FILE.replace("Which answer is", "Is answer A"))
    assert run("rules.yaml").exit_code == 1
    assert run("rules.yaml", "--ignore", "C202").exit_code == 0
    assert "C202" not in run("rules.yaml", "--ignore", "c2").output
    result = run("rules.yaml", "--ignore", "C2", "--ignore", "C303, C604", "--strict")
    assert (result.exit_code, result.output) == (0, "rules@0.1.0: 3 principles, no findings.\n")


def test_several_constitutions_are_counted_together(rules: Path) -> None:
    (rules.parent / "other.yaml").write_text(RULES_FILE.replace("name: rules", "name: other"))
    result = run("rules.yaml", "other.yaml")
    assert result.output.splitlines()[-1] == "2 constitutions: 0 errors, 10 warnings."
    both = json.loads(run("rules.yaml", "other.yaml", "--format", "json").output)["constitutions"]
    assert [one["constitution"] for one in both] == ["rules@0.1.0", "other@0.1.0"]


def test_the_page_of_rules_needs_no_constitution() -> None:
    result = run("--rules")
    assert result.exit_code == 0
    for rule in RULES:
        assert (
            f"\n{rule.code}  {rule.name}\n    {rule.what}\n    Why: {rule.why}\n" in result.output
        )


def test_released_files_are_looked_at(rules: Path) -> None:
    folder = rules.parent / "rules"
    folder.mkdir()
    (folder / "0.1.0.yaml").write_text(RULES_FILE)
    result = run(folder / "0.1.0.yaml")
    assert "C902 unrecorded-release" in result.output
    assert "cai constitution release" in result.output


def test_prompts_are_held_against_selectors(rules: Path) -> None:
    rules.write_text(RULES_FILE.replace("    tags: [honesty]\n", "    applies_to: [childs]\n"))
    (rules.parent / "prompts.jsonl").write_text('{"prompt": "Hi", "tags": ["child"]}\n')
    result = run("rules.yaml", "--prompts", "prompts.jsonl")
    assert "own.sure  C402 unmatched-selector  (rules.yaml:21)" in result.output
    assert "C402" not in run("rules.yaml").output


def test_coverage_is_a_table_that_says_how_little_it_proves(rules: Path) -> None:
    result = run("rules.yaml", "--coverage", "ailuminate", "--coverage", "assistant")
    assert result.exit_code == 0
    assert "Coverage of 'ailuminate'" in result.output
    assert "intellectual-property      Harm  none" in result.output
    assert "calibrated          Virtue" in result.output
    assert "by tags and words alone" in result.output
    assert result.output.count("C801 uncovered") == 2
    (one,) = json.loads(run("rules.yaml", "--coverage", "assistant", "--format", "json").output)[
        "constitutions"
    ]
    calibrated = next(c for c in one["coverage"]["assistant"] if c["category"] == "calibrated")
    assert calibrated["by_words"]["own.sure"] == "how sure"


def test_the_context_is_that_of_the_config(rules: Path) -> None:
    assert "C701" in run("rules.yaml", "--context", 900).output
    assert "C70" not in run("rules.yaml", "--context", 4096).output
    config = rules.parent / "cai.yaml"
    given = "prompts: {path: starter}\njudge: {scope: constitution}\nloop: {rounds: 0, sample: "
    config.write_text(given + "{max_tokens: 100}}\n")
    assert "C70" not in run("rules.yaml", "--context", 900, "--config", config).output
    result = run("rules.yaml", "--context", 700, "--config", config)
    assert "C702 context-of-all" in result.output
    assert "two answers of up to 100" in result.output
    assert result.exit_code == 1


ASK = ("rules.yaml", "--contradictions", "--engine", "scripted", "--folder", "asked")


def test_a_weak_judge_is_not_believed(rules: Path) -> None:
    # The scripted judge says the same of every pair.
    result = run(*ASK)
    assert "scripted/smollm2-135m-instruct was asked about 3 pairs of rules" in result.output
    assert "Of 12 pairs whose answer is known it got 6 right in both orders." in result.output
    assert "its findings are worth little" in result.output
    assert (rules.parent / "asked" / "run.db").exists()
    (one,) = json.loads(run(*ASK, "--format", "json").stdout)["constitutions"]
    assert one["contradictions"]["pairs"] == 3
    assert one["contradictions"]["known_pairs_right"] == 6
    assert one["contradictions"]["believed"] is False
    assert not [f for f in one["findings"] if f["code"] == "C802"]


def test_a_judge_that_knows_the_known_pairs_is_believed(
    rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {frozenset(p.text for p in pair) for pair in known_pairs()[0]}
    clash = {"Never guess.", "The answer says how sure it is."}

    def answer(request: Request) -> Completion:
        lines = request.messages[-1].content.splitlines()
        told = frozenset(line[2:] for line in lines if line.startswith("- "))
        no = told in wrong or told == clash
        return ScriptedEngine.label(0.1 if no else 0.9, labels=("Yes", "No"))

    monkeypatch.setattr("cai.engines.scripted.made_up", answer)
    (one,) = json.loads(run(*ASK, "--format", "json").stdout)["constitutions"]
    said = one["contradictions"]
    assert (said["known_pairs_right"], said["believed"], said["in_one_order"]) == (12, True, 0)
    (pair,) = said["in_both_orders"]
    assert (pair["first"], pair["second"]) == ("mine.guess", "own.sure")
    assert pair["p_contradict"] == pytest.approx([0.9, 0.9])
    (finding,) = [f for f in one["findings"] if f["code"] == "C802"]
    assert (finding["principle"], finding["line"]) == ("mine.guess", 8)
    assert "a judge's word is no proof" in run(*ASK).output


def test_the_folder_of_answers_has_a_default(rules: Path) -> None:
    run("rules.yaml", "--contradictions", "--engine", "scripted", "--limit", 1)
    assert (rules.parent / "runs" / "contradictions-rules" / "run.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said", "kind"),
    [
        ((), "Name at least one constitution", UsageError),
        (("rules.yaml", "--engine", "scripted"), "--engine is for --contradictions", UsageError),
        (("rules.yaml", "--limit", "3"), "--limit is for --contradictions", UsageError),
        (("rules.yaml", "--folder", "x"), "--folder is for --contradictions", UsageError),
        (("rules.yaml", "--config", "x"), "--config is for --context and", UsageError),
        (("rules.yaml", "--contradictions"), "Name one with --config FILE", UsageError),
        (("rules.yaml", "--ignore", "C9x"), "No rule has the code 'C9x'", UsageError),
        (("rules.yaml", "--coverage", "asistant"), "Did you mean 'assistant'", ConfigError),
        (("rules.yaml", "--prompts", "no.jsonl"), "does not exist", InputError),
        (("rules.yaml", "nope"), "No constitution is called 'nope'", ConfigError),
    ],
)
def test_what_cannot_be_done_is_said(
    rules: Path, arguments: tuple[str, ...], said: str, kind: type[CaiError]
) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, kind)
    assert said in str(result.exception)
    assert result.exception.exit_code == 2
    assert result.output == ""


def test_text_of_a_file_cannot_move_the_cursor(rules: Path) -> None:
    evil = '    applies_to: {all: ["a\\e[2J\\u202e"], none: ["a*"]}\n'
    rules.write_text(RULES_FILE + evil)
    for format_ in ("text", "github"):
        output = run("rules.yaml", "--format", format_).output
        assert "a\ufffd[2J\ufffd" in output
        assert "\x1b" not in output and "\u202e" not in output
    # JSON escapes control characters by itself.
    assert "\x1b" not in run("rules.yaml", "--format", "json").output
