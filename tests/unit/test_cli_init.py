"""`cai init`: what it writes works at once."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from cai.cli.app import app
from cai.cli.init import config_schema
from cai.config import Config, ModelConfig, ModelsConfig, PromptsConfig, load_config
from cai.constitution import lint, load_constitution
from cai.errors import UsageError
from cai.intake import read_prompts
from cai.yaml import read_yaml

FILES = {
    *("cai.yaml", "prompts.jsonl", "constitution.yaml", "cases.yaml"),
    *("config.schema.json", "constitution.schema.json", "cases.schema.json"),
    *("README.md", ".gitignore"),
}


def init(*arguments: object):
    return CliRunner().invoke(app, ["init", *map(str, arguments)])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "project"
    result = init(folder)
    assert result.exit_code == 0, result.output
    assert f"to {folder}." in result.output
    assert f"cd {folder} && cai generate cai.yaml" in result.output
    return folder


def test_the_files(project):
    assert {file.name for file in project.iterdir()} == FILES
    assert (project / ".gitignore").read_text() == "runs/\n"
    for name in FILES - {".gitignore"}:
        assert name == "README.md" or (project / name).stat().st_size > 100


def test_the_config_is_valid_and_its_schema_says_so(project):
    config = load_config(project / "cai.yaml")
    assert config.prompts.path == str(project / "prompts.jsonl")
    assert config.constitution == "harmless-helpful"
    schema = json.loads((project / "config.schema.json").read_text())
    assert schema == json.loads(config_schema())
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(read_yaml(project / "cai.yaml"))
    first = (project / "cai.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=config.schema.json"


def test_the_config_names_every_section(project):
    assert set(read_yaml(project / "cai.yaml")) == set(Config.model_fields)


def test_the_keys_that_are_commented_out_are_valid_too(project):
    text = (project / "cai.yaml").read_text()
    models = [Config, ModelConfig, ModelsConfig, PromptsConfig]
    keys = "|".join(key for model in models for key in model.model_fields)
    text, number = re.subn(rf"^  # ( *(?:{keys}):)", r"  \1", text, flags=re.MULTILINE)
    assert number >= 5
    (project / "all.yaml").write_text(text)
    config = load_config(project / "all.yaml")
    assert config.models.critic is not None
    assert config.models.critic.base_url == "http://localhost:8000/v1"
    assert config.prompts.limit == 3


@pytest.mark.parametrize("name", ["constitution", "cases"])
def test_editors_find_a_schema_beside_the_file_that_it_describes(project, name):
    first = (project / f"{name}.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={name}.schema.json"
    schema = json.loads((project / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    # Offline: all that it refers to is in the file itself.
    assert all(
        ref.startswith("#/") for ref in re.findall(r'"\$ref": "([^"]*)"', json.dumps(schema))
    )
    validator = jsonschema.Draft202012Validator(schema)
    written = read_yaml(project / f"{name}.yaml")
    validator.validate(written)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**written, "principels": []})


def test_the_constitution_is_clean(project):
    constitution = load_constitution(project / "constitution.yaml")
    assert "mine.name-a-next-step" in {p.id for p in constitution.principles}
    assert lint(constitution) == []


def test_what_the_readme_says_of_the_constitution_works(project, monkeypatch):
    monkeypatch.chdir(project)
    said = re.findall(r"^    cai (constitution .*?)  +#", (project / "README.md").read_text(), re.M)
    assert [command.split()[1] for command in said] == ["lint", "test"]
    linted = CliRunner().invoke(app, said[0].split())
    assert (linted.exit_code, "no findings" in linted.output) == (0, True), linted.output
    listed = CliRunner().invoke(app, [*said[1].split(), "--list"])
    assert listed.exit_code == 0, listed.output
    assert "next-step.sleep" in listed.output
    cases = read_yaml(project / "cases.yaml")["cases"]
    assert {case["principle"] for case in cases} == {"mine.name-a-next-step"}


def test_the_prompts_can_be_read(project):
    assert len(list(read_prompts(project / "prompts.jsonl"))) == 12


def test_nothing_is_overwritten_unless_forced(project):
    (project / "cai.yaml").write_text("mine")
    (project / "README.md").unlink()
    result = init(project)
    assert isinstance(result.exception, UsageError)
    said = str(result.exception)
    assert f"{project} already has " in said
    assert "cai.yaml" in said
    assert "README.md" not in said
    assert "--force" in said
    assert (project / "cai.yaml").read_text() == "mine"
    assert not (project / "README.md").exists()

    assert init(project, "--force").exit_code == 0
    assert (project / "README.md").exists()
    assert load_config(project / "cai.yaml").run == "runs/first"


def test_one_file_in_the_way_stops_all(tmp_path):
    (tmp_path / "prompts.jsonl").write_text("mine")
    assert isinstance(init(tmp_path).exception, UsageError)
    assert [file.name for file in tmp_path.iterdir()] == ["prompts.jsonl"]


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert init(tmp_path).exit_code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "taken").write_text("mine")
    assert isinstance(init(tmp_path / "taken").exception, UsageError | OSError)


@pytest.mark.parametrize("constitution", ["harmless-helpful", "constitution.yaml"])
def test_what_was_written_generates(project, monkeypatch, constitution):
    monkeypatch.chdir(project)
    config = project / "cai.yaml"
    config.write_text(
        config.read_text().replace(
            "\nconstitution: harmless-helpful", f"\nconstitution: {constitution}"
        )
    )
    result = CliRunner().invoke(app, ["generate", "cai.yaml", "--engine", "scripted"])
    assert result.exit_code == 0, result.output
    assert (project / "runs/first/run.db").exists()
    assert (project / "runs/first/export/preferences.jsonl").stat().st_size > 0
