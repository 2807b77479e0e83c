"""What `cai plan` prints of a changed run, and the same as JSON."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.cli.compared import effect_line
from cai.loop.changes import NEW, Change
from cai.loop.figures import Range
from cai.loop.replanned import Effect
from tests.unit.replan_helpers import IDS, Workshop, principle

NAME = "help.true"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A finished run of 12 prompts on the scripted engine, as its config has it."""
    made = Workshop(tmp_path, prompts=12)
    write(made)
    for _ in cai.Generation(made.settings()):
        pass
    return made


def write(workshop: Workshop, constitution: str = "", **sections: object) -> Path:
    path = workshop.folder / "cai.yaml"
    settings = workshop.settings(constitution, **sections)
    path.write_text(settings.model_dump_json(), encoding="utf-8")
    return path


def plan(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["plan", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_a_finished_run_has_nothing_to_do(workshop: Workshop) -> None:
    said = plan(write(workshop))
    assert said.splitlines()[1:] == [
        "Nothing to do: every row is finished, and the config asks what it asked."
    ]
    assert json.loads(plan(write(workshop), "--json"))["changes"] is None


def test_changes_and_sums_are_printed(workshop: Workshop) -> None:
    told = [principle(one) for one in IDS[1:]]
    told[0] = principle(told[0]["id"], judge="Which answer is truer?")
    path = write(workshop, workshop.constitution("new", *told, version="1.1.0"))
    workshop.write_prompts([*range(1, 12), 80])
    said = plan(path)
    lines = said.splitlines()
    at = lines.index("Compared with the stored run")
    gone = IDS[0]
    (removed,) = [line for line in lines if line.startswith("- principle")]
    assert removed.startswith(f"- principle {gone} removed: ")
    assert "follow from them" in removed
    assert f"~ principle {told[0]['id']} reworded (judge): " in said
    assert "+ 1 new prompt: 2 samples; 4 critiques, 4 revisions and 12 judgements follow" in said
    assert "- 1 prompt gone: nothing is asked for them, and exports leave them out" in said
    assert lines[at + 5].startswith("Rows: ") and "0 change without a call" in lines[at + 5]
    assert lines[at + 6].startswith("Calls: ") and "are answered and stay valid" in lines[at + 6]
    assert lines[at + 7] == "Carry it out with: cai generate CONFIG --update"
    assert "12 prompts were walked on the stored answers." in said


def test_the_same_as_json(workshop: Workshop) -> None:
    told = (principle(one, **({"weight": 4} if one == NAME else {})) for one in IDS)
    path = write(workshop, workshop.constitution("new", *told))
    found = json.loads(plan(path, "--json"))
    assert found["changed"] == ["constitution"]
    changes = found["changes"]
    assert (changes["walked"], changes["walkable"], changes["margin"]) == (12, 12, 0.0)
    (effect,) = changes["effects"]
    assert (effect["sign"], effect["kind"], effect["name"]) == ("~", "principle", NAME)
    assert effect["text"] == f"principle {NAME} weight 1 → 4"
    calls = sum(r["likely"] for part in ("direct", "follows") for r in effect[part].values())
    assert calls == found["totals"]["calls"]["likely"] > 0
    rows = changes["rows"]
    assert rows["same"] + rows["asking"] == 12 and rows["new"] == rows["gone"] == 0
    assert changes["valid_calls"] + calls == 12 * 22


def test_a_change_without_calls_says_so(workshop: Workshop) -> None:
    said = plan(write(workshop, judge={"tie_band": 0.4}))
    assert "~ judge.tie_band 0.05 → 0.4: no call" in said
    assert "Rows: 0 stay as they are, 12 change without a call, 0 need calls." in said
    assert "Still to be asked" not in said


def test_a_split_cannot_be_changed(workshop: Workshop) -> None:
    said = plan(write(workshop, split={"seed": 1}, loop={"rounds": 3}))
    assert "~ split.seed 0 → 1: no further call" in said
    assert "A split is never changed once it is stored" in said
    assert "Carry it out" not in said


def test_a_part_of_many_and_all(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai.loop.estimate.WALKED", 5)
    path = write(workshop, loop={"rounds": 3})
    said = plan(path)
    assert "4 of 12 prompts, evenly spread, were walked on the stored answers" in said
    assert "Rows: about 0 stay as they are" in said
    assert "12 prompts were walked" in plan(path, "--all")


def test_another_policy(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "trained").mkdir()
    said = plan(write(workshop), "--policy", tmp_path / "trained")
    assert "~ policy model changed (engine scripted → transformers, model " in said
    assert ": 24 samples; 48 critiques, 48 revisions and 144 judgements follow" in said
    # Who critiques and judges stays the same.
    assert "critic model changed" not in said and "judge model changed" not in said


@pytest.mark.parametrize(
    ("direct", "follows", "said"),
    [
        ({}, {}, "no further call"),
        ({"judge": Range(1, 1, 1)}, {}, "1 judgement"),
        (
            {"critique": Range(3, 3, 3)},
            {"revise": Range(0, 2, 3)},
            "3 critiques; about 2 revisions (0 to 3) follow from them",
        ),
        ({"sample": Range(1, 1, 1)}, {"revise": Range(1, 1, 1)}, "1 sample; 1 revision follows"),
        ({}, {"score": Range(8, 8, 8), "reason": Range(2, 2, 2)}, "2 reasonings and 8 scores"),
    ],
)
def test_a_line_of_an_effect(direct, follows, said) -> None:
    line = effect_line(Effect(Change("~", "setting", "x", "x 1 → 2"), direct, follows))
    assert line.startswith("~ x 1 → 2: ") and said in line


def test_new_prompts_are_counted_in_their_line() -> None:
    effect = Effect(NEW, {"sample": Range(2, 2, 2)}, {})
    assert effect_line(effect, 1) == "+ 1 new prompt: 2 samples"
    assert effect_line(effect, 1200) == "+ 1,200 new prompts: 2 samples"
