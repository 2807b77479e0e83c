import json

import pytest
from typer.testing import CliRunner

from cai.cli.constitution import app
from cai.constitution import load_constitution
from cai.constitution.diff import diff, plain_diff
from tests.unit.constitution_helpers import (
    build,
    constitution_yaml,
    plain,
    principle_yaml,
    write,
)


def run(*arguments):
    return CliRunner().invoke(app, ["diff", *map(str, arguments)])


@pytest.fixture
def files(tmp_path):
    draft = constitution_yaml("mine", "1.1.0", ids=["own.one", "own.two"])
    draft = draft.replace("keeps closer to own one", "stays [nearer] to own one")
    return (
        write(tmp_path / "mine/1.0.0.yaml", constitution_yaml("mine", "1.0.0", ids=["own.one"])),
        write(tmp_path / "draft.yaml", draft),
    )


def test_the_command_marks_words_where_there_are_no_colours(files):
    result = run(*files)
    assert result.exit_code == 0
    hashes = [load_constitution(file).hash[:12] for file in files]
    assert result.output.startswith(
        f"mine@1.0.0 → mine@1.1.0: minor, hash {hashes[0]} → {hashes[1]}\n"
        "  minor  Added 'own.two': The answer keeps to own two.\n"
        "  patch  Reworded 'own.one' (judge).\n"
    )
    assert "judge: Which answer [-keeps closer-]{+stays [nearer]+} to own one?" in result.output
    assert "\n+ own.two\n    text: The answer keeps to own two.\n" in result.output
    assert "\x1b" not in result.output


def test_the_command_paints_words_on_a_terminal(files, monkeypatch):
    from rich.console import Console

    monkeypatch.setattr("cai.cli.output.console", lambda: Console(force_terminal=True, width=200))
    output = run(*files).output
    assert "\x1b[9;31mkeeps closer\x1b[0m\x1b[4;32mstays [nearer]\x1b[0m" in output
    assert "[-" not in output


@pytest.mark.parametrize(("left", "right", "code"), [(0, 0, 0), (0, 1, 1), (1, 0, 1)])
@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_the_exit_code_tells_of_differences_only_when_asked(files, left, right, code, form):
    pair = (files[left], files[right], "--format", form)
    assert run(*pair).exit_code == 0
    assert run(*pair, "--exit-code").exit_code == code


def test_no_difference_is_said():
    result = run("harmless-helpful", "harmless-helpful@^1", "--exit-code")
    label = "harmless-helpful@1.0.0"
    assert (result.exit_code, result.output) == (0, f"{label} → {label}: no difference\n")


def test_what_no_model_notices_is_said(files):
    file = files[0].parent / "notes.yaml"
    write(file, files[0].read_text().replace("note: Own.", "note: Theirs."))
    assert "patch, and no model can tell the difference" in run(files[0], file).output


def test_json_has_a_fixed_shape(files):
    data = json.loads(run(*files, "--format", "json").output)
    empty = json.loads(run(files[0], files[0], "--format", "json").output)
    assert (
        list(data)
        == list(empty)
        == list(plain_diff(diff(build(plain("a.a")), build(plain("a.a")))))
    )
    assert (data["needed_bump"], data["empty"], data["same_meaning"]) == ("minor", False, False)
    assert [p["id"] for p in data["added"]] == ["own.two"]
    [changed] = data["changed"]
    [field] = changed["fields"]
    assert (changed["before"], changed["after"], field["field"]) == ("own.one", "own.one", "judge")
    assert "".join(text for kind, text in field["words"] if kind != "added") == field["before"]
    assert "".join(text for kind, text in field["words"] if kind != "removed") == field["after"]
    assert data["facts"][0] == {
        "kind": "principle added",
        "principle": "own.two",
        "bump": "minor",
        "sentence": "Added 'own.two': The answer keeps to own two.",
    }


EVIL = "</details><img src=x> **bold** [a](http://e.org) @someone #12 `x` | ~~y~~"


def test_markdown_takes_untrusted_words_literally(tmp_path):
    question = "Which answer keeps closer to own one?"
    texts = [constitution_yaml().replace(question, word) for word in ("is nearer", f"'{EVIL}'")]
    pair = [write(tmp_path / f"{i}.yaml", text) for i, text in enumerate(texts)]
    output = run(*pair, "--format", "markdown").output
    assert output.startswith("### mine\\@0.0.0 → mine\\@0.0.0: patch")
    assert "- **patch** Reworded 'own.one' \\(judge\\)." in output
    assert "<del>is nearer</del><ins>" in output
    for harm in ("<img", "**bold**", "](http", "@someone", "#12", "~~", " `x`", " | "):
        assert harm in EVIL
        assert harm not in output
    assert output.count("</details>") == 1


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_control_characters_do_not_reach_the_terminal(tmp_path, form):
    evil = (
        constitution_yaml()
        .replace("keeps closer", "x")
        .replace(
            "judge: Which answer x to own one?", 'judge: "Which \\e[2J\\u202e answer?\\nline two"'
        )
    )
    pair = [write(tmp_path / "a.yaml", constitution_yaml()), write(tmp_path / "b.yaml", evil)]
    output = run(*pair, "--format", form).output
    assert not set("\x1b\u202e") & set(output)
    assert "line two" in output


def test_structured_parts_read_like_words(tmp_path):
    more = (
        "    weight: 2\n"
        "    applies_to: [code]\n    rubric:\n      - {score: 1, text: bad}\n"
        "    propositions:\n      - {text: Asks., weight: -1}\n"
        "    examples:\n      - {prompt: p, better: b, worse: w}\n"
    )
    pair = [
        write(tmp_path / f"{i}.yaml", constitution_yaml(ids=[]) + text)
        for i, text in enumerate(
            f"principles:\n{principle_yaml('own.one', added)}" for added in ("", more)
        )
    ]
    output = run(*pair).output
    for line in (
        "applies_to: [-all prompts-]{+prompts with one of code+}",
        "weight: [-1-]{+2+}",
        "1: bad",
        "-1: Asks.",
        "better: b",
    ):
        assert line in output
