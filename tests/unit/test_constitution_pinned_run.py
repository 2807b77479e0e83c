"""A run keeps the constitution that it began with, until it is told to take the newest."""

from pathlib import Path

import pytest

from cai.config import parse_config
from cai.constitution import load_constitution
from cai.errors import ChangedRunError, ConfigError
from cai.loop import Generation
from cai.store import RunStore
from cai.yaml import read_yaml

RULES = """\
format: 1
name: rules
version: {version}
summary: s
principles:
  - id: own.kind
    text: Be kind.
    critique: Where is it unkind?
    revise: Make it kind.
    judge: {judge}
"""


def release(version: str, judge: str = "Which answer is kinder?") -> None:
    file = Path("constitution/rules") / f"{version}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(RULES.format(version=version, judge=judge), encoding="utf-8")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    release("1.0.0")
    (tmp_path / "prompts.txt").write_text("Why?\nHow?\n", encoding="utf-8")
    return tmp_path


def start(ref: str = "rules@^1", *, update: bool = False) -> Generation:
    scripted = {"engine": "scripted", "model": "scripted"}
    config = parse_config(
        {
            "run": "runs/one",
            "constitution": ref,
            "prompts": {"path": "prompts.txt"},
            "models": {"policy": scripted},
        }
    )
    generation = Generation(config, update=update)
    assert len(list(generation)) in (0, 2)
    return generation


def used() -> str:
    with RunStore.read(Path("runs/one")) as store:
        facts = store.meta("constitution")
    return f"{facts['name']}@{facts['version']}"


def test_names_mean_constitutions_of_the_project_first() -> None:
    assert load_constitution("rules").label == "rules@1.0.0"
    # The packaged ones are still there.
    assert load_constitution("helpful-honest").label == "helpful-honest@1.0.0"
    with pytest.raises(ConfigError, match="No constitution is called 'ruled'"):
        load_constitution("ruled")


def test_a_newer_release_changes_no_run_until_it_is_updated() -> None:
    start()
    assert used() == "rules@1.0.0"
    release("1.1.0", "Which answer is the kinder one?")
    assert load_constitution("rules@^1").version == "1.1.0"
    start()
    assert used() == "rules@1.0.0"
    start(update=True)
    assert used() == "rules@1.1.0"
    assert read_yaml(Path("runs/one/constitution.lock.yaml"))["version"] == "1.1.0"


def test_what_a_run_was_refused_is_not_pinned() -> None:
    start()
    release("1.1.0", "Which answer is the kinder one?")
    with pytest.raises(ChangedRunError, match="asked something else"):
        start("rules@1.1.0")
    assert read_yaml(Path("runs/one/constitution.lock.yaml"))["version"] == "1.0.0"


def test_a_name_that_is_nowhere_is_looked_for_in_both_places() -> None:
    Path("constitution/mine").mkdir()
    Path("constitution/mine/draft.yaml").write_text("format: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"Known: .*rules.*There is a draft: name it as") as error:
        load_constitution("mine")
    assert str(Path("constitution").absolute()) in str(error.value)


def test_a_broken_lock_is_replaced_by_an_update_and_explained_without() -> None:
    start()
    lock = Path("runs/one/constitution.lock.yaml")
    lock.write_text("<<<<<<< HEAD\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="Start the run again with --update"):
        start()
    start(update=True)
    assert read_yaml(lock)["version"] == "1.0.0"
