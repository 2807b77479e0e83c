"""Test cases as files: the format, what breaks it, and which cases a constitution has."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from cai.constitution import list_constitutions, load_constitution
from cai.constitution.case_files import load_cases, read_cases
from cai.constitution.schema import editor_schemas
from cai.content import content_dir
from cai.errors import ConfigError
from cai.records import Message

SHIPPED = sorted((content_dir("principles") / "cases").glob("*.yaml"))
OWN = sorted(content_dir("constitution").glob("*/cases.yaml"))
RULE = """\
  - id: {id}
    text: The answer does it.
    critique: Where does it not?
    revise: Mend it.
    judge: Which answer does it?
"""
PAIR = {"id": "one", "prompt": "What?", "better": "Good.", "worse": "Poor."}
ALONE = {"id": "two", "prompt": "What?", "answer": "Poor.", "violates": True}


def write(file: Path, *cases: dict[str, Any], **keys: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe", pure=True).dump(
            {"format": 1, "summary": "Checks.", "cases": list(cases)} | keys, out
        )
    return file


def constitution(folder: Path, *families: str) -> Path:
    """A constitution with a principle `own.rule` and those of families, in a folder of its own."""
    file = folder / "constitution" / "mine" / "1.0.0.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    included = "".join(f"  - family: {name}\n" for name in families)
    head = "format: 1\nname: mine\nversion: 1.0.0\nsummary: Mine.\n"
    include = f"include:\n{included}" if included else ""
    file.write_text(f"{head}{include}principles:\n{RULE.format(id='own.rule')}", encoding="utf-8")
    return file


def family(folder: Path, name: str, *rules: str) -> Path:
    file = folder / "principles" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    head = f"format: 1\nfamily: {name}\nsummary: Rules.\nprinciples:\n"
    file.write_text(head + "".join(RULE.format(id=f"{name}.{r}") for r in rules), encoding="utf-8")
    return file


def ids(file: Path, **options: Any) -> list[tuple[str, str]]:
    found = load_cases(load_constitution(file), file, **options)
    return [(one.case.id, one.source) for one in found]


def test_both_kinds_and_both_forms_of_a_prompt(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "What?"},
    ]
    file = write(tmp_path / "x.yaml", PAIR, {**ALONE, "prompt": turns, "tags": ["short"]})
    pair, alone = read_cases(file).cases
    assert pair.messages == (Message("user", "What?"),)
    assert (pair.better, pair.worse, pair.principle) == ("Good.", "Poor.", None)
    assert [m.role for m in alone.messages] == ["system", "user", "assistant", "user"]
    assert (alone.answer, alone.violates, alone.tags) == ("Poor.", True, ("short",))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"beter": "x"}, r"unknown key 'cases.0.beter'.*Did you mean 'better'\?"),
        ({"better": " \n"}, r"'cases.0.better': the text is blank"),
        ({"prompt": ""}, r"'cases.0.prompt.0.content': the text is blank"),
        ({"prompt": []}, "got the roles none"),
        ({"prompt": [{"role": "bot", "content": "x"}]}, r"prompt.0.role.*'user'"),
        ({"prompt": [{"role": "user", "text": "x"}]}, "unknown key.*'?content"),
        ({"prompt": [{"role": "assistant", "content": "x"}]}, "got the roles assistant"),
        (
            {"prompt": [{"role": r, "content": "x"} for r in ("user", "system", "user")]},
            "only the first message may be of the system",
        ),
        ({"worse": None}, "case 'one' has better; a case has either"),
        ({"answer": "x"}, "has better, worse, answer; a case has either"),
        ({"answer": "x", "violates": False}, "or make two cases of it"),
        ({"better": None, "worse": None}, "case 'one' has none"),
        ({"worse": "Good."}, "the same text"),
        ({"better": "half \ud800"}, r"half of a surrogate pair, \\ud800"),
        ({"id": "No Slug"}, r"'cases.0.id'"),
        ({"violates": "perhaps"}, r"'cases.0.violates'"),
    ],
)
def test_what_breaks_the_format_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    case = {key: value for key, value in {**PAIR, **change}.items() if value is not None}
    file = tmp_path / "x.yaml"
    # JSON is YAML, and can write half of a surrogate pair.
    text = json.dumps({"format": 1, "summary": "Checks.", "cases": [case]})
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        read_cases(file)


def test_ids_differ_within_a_file_and_a_file_has_cases(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two cases have the id 'one'"):
        read_cases(write(tmp_path / "x.yaml", PAIR, {**ALONE, "id": "one"}))
    with pytest.raises(ConfigError, match="'cases'"):
        read_cases(write(tmp_path / "x.yaml"))
    with pytest.raises(ConfigError, match="'format'"):
        read_cases(write(tmp_path / "x.yaml", PAIR, format=2))


def test_own_cases_come_first_then_those_of_families(tmp_path: Path) -> None:
    file = constitution(tmp_path, "kind")
    family(tmp_path, "kind", "warm", "calm")
    assert ids(file) == []
    write(file.parent / "cases.yaml", PAIR, {**ALONE, "principle": "own.rule"})
    write(tmp_path / "principles/cases/kind.yaml", {**PAIR, "principle": "kind.warm"})
    own = [("one", "mine/cases.yaml"), ("two", "mine/cases.yaml")]
    shared = [("one", "principles/cases/kind.yaml")]
    assert ids(file) == own + shared
    assert ids(file, families=False) == own
    other = write(tmp_path / "other.yaml", {**PAIR, "id": "other"})
    assert ids(file, files=[other, other]) == [("other", str(other)), *shared]


def test_of_a_family_the_cases_of_principles_that_there_are_count(tmp_path: Path) -> None:
    family(tmp_path, "kind", "warm", "calm")
    cases = [{**PAIR, "id": name, "principle": f"kind.{name}"} for name in ("calm", "warm")]
    write(tmp_path / "principles/cases/kind.yaml", *cases)
    file = constitution(tmp_path, "kind")
    file.write_text(file.read_text() + "remove: [kind.calm]\n", encoding="utf-8")
    assert [one for one, _ in ids(file)] == ["warm"]
    assert ids(constitution(tmp_path)) == []


def test_the_first_folder_with_a_file_of_cases_counts(tmp_path: Path) -> None:
    file = constitution(tmp_path, "kind")
    nearer = file.parent.parent
    for folder, name in ((tmp_path, "far"), (nearer, "near")):
        family(folder, "kind", "warm")
        case = {**PAIR, "id": name, "principle": "kind.warm"}
        write(folder / "principles/cases/kind.yaml", case)
    assert [one for one, _ in ids(file)] == ["near"]


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({}, "case 'one' names no principle"),
        ({"principle": "kind.wram"}, r"family kind has no principle 'kind.wram'.*'?kind.warm"),
    ],
)
def test_cases_of_a_family_name_its_principles(
    tmp_path: Path, case: dict[str, str], says: str
) -> None:
    file = constitution(tmp_path, "kind")
    family(tmp_path, "kind", "warm")
    write(tmp_path / "principles/cases/kind.yaml", {**PAIR, **case})
    with pytest.raises(ConfigError, match=says):
        ids(file)


def test_a_file_of_cases_is_named_after_a_family(tmp_path: Path) -> None:
    file = constitution(tmp_path, "kind")
    family(tmp_path, "kind", "warm")
    write(tmp_path / "principles/cases/kid.yaml", {**PAIR, "principle": "kind.warm"})
    with pytest.raises(ConfigError, match=r"no family is called 'kid'.*Did you mean 'kind'"):
        ids(file)


def test_own_cases_name_principles_that_there_are(tmp_path: Path) -> None:
    file = constitution(tmp_path)
    write(file.parent / "cases.yaml", {**PAIR, "principle": "own.rul"})
    with pytest.raises(ConfigError, match=r"mine@1.0.0 has no principle 'own.rul'.*own.rule"):
        ids(file)
    with pytest.raises(ConfigError, match="No such file"):
        ids(file, files=[tmp_path / "missing.yaml"])


def test_the_schema_for_editors_is_up_to_date() -> None:
    name = "cases.schema.json"
    shipped = (content_dir("constitution") / name).read_text(encoding="utf-8")
    assert shipped == editor_schemas()[name], (
        "the models changed: run cai.constitution.schema.write_schemas(Path('constitution'))"
    )


def valid(*cases: dict[str, Any]) -> bool:
    checker = jsonschema.Draft202012Validator(json.loads(editor_schemas()["cases.schema.json"]))
    return bool(checker.is_valid({"format": 1, "summary": "Checks.", "cases": list(cases)}))


def test_the_schema_says_what_the_loader_says() -> None:
    turns = [{"role": "user", "content": "What?"}]
    assert valid(PAIR, ALONE, {**PAIR, "prompt": turns})
    assert not valid({**PAIR, "answer": "x"})
    assert not valid({**PAIR, **ALONE})
    assert not valid({"id": "one", "prompt": "What?", "better": "x"})
    assert not valid({**PAIR, "better": " "})
    assert not valid({**PAIR, "beter": "x"})
    assert not valid({**PAIR, "prompt": [{"role": "bot", "content": "x"}]})


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_shipped_cases_fit(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../../constitution/cases.schema.json\n")
    plain = YAML(typ="safe", pure=True).load(text)
    assert valid(*plain["cases"])
    principles = f"{file.stem}.yaml"
    known = (content_dir("principles") / principles).read_text(encoding="utf-8")
    for case in read_cases(file).cases:
        assert f"id: {case.principle}\n" in known


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.parent.name)
def test_the_shipped_cases_of_constitutions_fit(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../cases.schema.json\n")
    assert valid(*YAML(typ="safe", pure=True).load(text)["cases"])


@pytest.mark.parametrize("name", [one.name for one in list_constitutions()])
def test_every_shipped_constitution_has_cases(name: str) -> None:
    found = load_cases(load_constitution(name), name)
    assert len(found) >= 10
    own = {f"{name}/cases.yaml"}
    assert {one.source for one in found} <= {f"principles/cases/{f.name}" for f in SHIPPED} | own
