"""What people decide on the review page, drafts of cases, and the judge of the constitution."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cai.engines import Engines, ScriptedEngine
from cai.errors import ConfigError
from cai.evaluate.refusal.read import read_cases
from cai.feedback import import_feedback
from cai.feedback.conflicts import look_at_liked
from cai.records import Completion, Request
from cai.store import RunStore
from cai.validation import Labels
from cai.validation.review.run import Review
from tests.unit.feedback_helpers import (
    asked,
    edit,
    fates,
    quick_store,  # noqa: F401 - a fixture
    report,
    table,
    taken,
    thumbs,
    write,
)
from tests.unit.review_helpers import Browser

pytestmark = pytest.mark.usefixtures("quick_store")

TRAIN = asked("train", 20)
HELD_OUT = asked("held_out", 4)


def decide(folder: Path, choose: Any, name: str = "Ada") -> list[Any]:
    """Label everything on the page as `choose(view)` says; returns what was shown."""
    shown = []
    with RunStore.open(folder) as store:
        browser = Browser(Review(store), name)
        while items := browser.queue(more=True)["items"]:
            shown.append(items[0])
            assert browser.answer(items[0], choose(items[0])).status_code == 200
    return shown


def test_people_decide_what_is_queued(tmp_path: Path):
    rows = [
        thumbs(TRAIN[0], "Good after all.", "up", "ada"),
        thumbs(TRAIN[0], "Good after all.", "down", "bo"),
        report(TRAIN[1], "Really bad.", "untrue", "bo", note="<b>No</b>, it is not so."),
        thumbs(TRAIN[1], "Really bad.", "up", "cleo"),
        report(TRAIN[2], "Undecided.", user="bo"),
    ]
    done = taken(tmp_path, rows)
    assert (done.queued, table(tmp_path / "out", "kto.jsonl")) == (3, [])
    choices = {"Good": "a", "Really": "both_bad", "Undecided": "skip"}
    shown = decide(tmp_path / "out", lambda view: choices[view["a"]["text"].split()[0].strip(".")])
    assert {view["b"] for view in shown} == {None}
    told = {view["a"]["text"]: view["about"] for view in shown}
    assert told["Good after all."] == "Users contradict each other."
    assert told["Really bad."] == "Liked and reported. Reported. untrue: <b>No</b>, it is not so."
    after = import_feedback([], tmp_path / "out")
    assert after.queued == 1
    labels = {r["completion"][0]["content"]: r for r in table(tmp_path / "out", "kto.jsonl")}
    assert {text: r["label"] for text, r in labels.items()} == {
        "Good after all.": True,
        "Really bad.": False,
    }
    assert {r["by"] for r in labels.values()} == {"review"}
    assert fates(tmp_path / "out")["decided", "people: bad", "report"] == 1
    # A decision stays when the file comes again.
    assert import_feedback([tmp_path / "rows.jsonl"], tmp_path / "out").queued == 1


def test_a_single_answer_is_good_or_not(tmp_path: Path):
    taken(tmp_path, [report(TRAIN[0], "Alone.")])
    with RunStore.open(tmp_path / "out") as store:
        browser = Browser(Review(store))
        (view,) = browser.queue()["items"]
        for choice in ("b", "tie"):
            refused = browser.answer(view, choice)
            assert refused.status_code == 422
            assert "There is one answer here" in refused.text
        assert browser.answer(view, "both_bad").status_code == 200
        ((_, said),) = Labels(store).current().items()
        assert said.annotation.choice == "both_bad"


def test_people_choose_between_two_edits(tmp_path: Path):
    rows = [edit(TRAIN[0], "One.", "Two.", "ada"), edit(TRAIN[0], "Two.", "One.", "bo")]
    assert taken(tmp_path, rows).queued == 1
    (view,) = decide(tmp_path / "out", lambda v: "a" if v["a"]["text"] == "Two." else "b")
    assert view["about"] == "Users edited this both ways."
    import_feedback([], tmp_path / "out")
    (pair,) = table(tmp_path / "out", "preferences.jsonl")
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == ("Two.", "One.")


def test_people_check_a_tenth_without_knowing_what_users_said(tmp_path: Path):
    rows = [
        thumbs(HELD_OUT[0], "Fine.", "up", "ada"),
        thumbs(HELD_OUT[1], "Bad.", "up", "bo"),
        edit(HELD_OUT[2], "Before.", "After.", "cleo"),
    ]
    assert taken(tmp_path, rows).to_check == 3

    def choose(view: Any) -> str:
        if view["b"] is None:
            return "a" if view["a"]["text"] == "Fine." else "both_bad"
        return "a" if view["a"]["text"] == "After." else "b"

    assert not [view for view in decide(tmp_path / "out", choose) if "about" in view]
    facts = import_feedback([], tmp_path / "out").facts
    checked = facts["checked"]
    assert (checked["thumbs"]["estimate"], checked["thumbs"]["n"]) == (0.5, 2)
    assert (checked["edit"]["estimate"], checked["edit"]["n"]) == (1.0, 1)
    assert not table(tmp_path / "out", "kto.jsonl")


def test_drafts_wait_for_a_person(tmp_path: Path):
    rows = [
        report(TRAIN[0], "Bad: do this.", "Harmful act", note="Line\nbreak: 'quoted' # sign"),
        report(TRAIN[0], "Bad: do that.", "Harmful act", user="bo"),
        report(TRAIN[1], "I can't help.", "refused", user="bo", note=""),
    ]
    assert taken(tmp_path, rows).drafted == 2
    folder = tmp_path / "out/redteam"
    assert {path.name for path in folder.iterdir()} == {"harmful-act.yaml", "refused.yaml"}
    path = folder / "refused.yaml"
    assert "I can't help" not in path.read_text()  # the model's words are no part of a case
    with pytest.raises(ConfigError, match=r"cases\.0\.expect"):
        read_cases([path])
    filled = path.read_text().replace("expect:\n", "expect: comply # a person says so\n")
    path.write_text(filled)
    ((case),) = read_cases([path])
    assert (case.case.expect, case.category) == ("comply", "feedback refused")
    more = [*rows, report(TRAIN[2], "No.", "refused", user="bo")]
    assert taken(tmp_path, more).drafted == 1
    assert "a person says so" in path.read_text()
    assert len(YAML(typ="safe").load(path.read_text())["cases"]) == 2
    # A draft that a person deletes does not come back.
    path.unlink()
    assert import_feedback([], tmp_path / "out").drafted == 0
    path.write_text("- 1\n")
    with pytest.raises(ConfigError, match="without a list under 'cases'"):
        taken(tmp_path, [*more, report(TRAIN[3], "Never.", "refused", user="bo")])


def test_drafts_hold_any_text(tmp_path: Path):
    odd = "\x1b[31m# \u2028\u0085: - 'x' \"y\" {z} \U0001f600\n---\n...\n\ttab &a *b !c %d @e `f"
    rows = [report(odd, "No.", "odd", note=odd), report(odd + "2", "No.", "odd", user="bo")]
    assert taken(tmp_path, rows).drafted == 2
    path = tmp_path / "out/redteam/odd.yaml"
    path.write_text(path.read_text().replace("expect:\n", "expect: refuse\n"))
    found = {one.case.prompt[-1].content for one in read_cases([path])}
    assert found == {odd, odd + "2"}


CONFIG = """
constitution: harmless-helpful
prompts: {path: starter}
models: {policy: {engine: scripted, model: x}}
"""


def judge(request: Request) -> Completion | str:
    """Answers plainly, and as a judge finds flattery worse than that."""
    if request.stage == "sample":
        return "A PLAIN answer."
    last = request.messages[-1].content
    flattery = "FLATTERY" in last
    plain_first = last.index("PLAIN") < max(last.find("FLATTERY"), last.find("HONEST"))
    return ScriptedEngine.label(0.9 if plain_first == flattery else 0.1)


def test_the_constitution_sends_liked_flattery_to_people(tmp_path: Path):
    config = tmp_path / "cai.yaml"
    config.write_text(CONFIG)
    rows = [
        *(thumbs(TRAIN[i], f"FLATTERY {i}.", "up", f"u{i}") for i in range(3)),
        *(thumbs(TRAIN[i], f"HONEST {i}.", "up", f"v{i}") for i in range(3, 6)),
        thumbs(TRAIN[7], "FLATTERY.", "down", "w"),
    ]
    taken(tmp_path, rows)
    out = tmp_path / "out"
    engine = ScriptedEngine(judge)

    def look() -> Any:
        def watch(generation: Any) -> None:
            assert [row.failed for row in generation].count(True) == 0

        with RunStore.open(out) as store:
            engines = Engines(engine, engine, engine)
            return look_at_liked(store, config, out / "judge", watch=watch, engines=engines)

    found = look()
    assert (found.asked, found.conflicts, found.silent) == (6, 3, 0)
    calls = engine.calls
    assert look() is None  # nothing is asked twice
    assert engine.calls == calls
    done = import_feedback([], out)
    assert done.facts["judge"]["conflicts"] == 3
    assert fates(out)["queue", "the constitution disagrees", "thumbs"] == 3
    labels = {r["completion"][0]["content"]: r["label"] for r in table(out, "kto.jsonl")}
    assert labels == {"FLATTERY.": False, **{f"HONEST {i}.": True for i in range(3, 6)}}
    queued = {row["answer"]: row for row in table(out, "queue.jsonl")}
    assert queued["FLATTERY 0."]["judge_p"] == pytest.approx(0.1)
    assert queued["FLATTERY 0."]["broken"]

    def choose(view: Any) -> str:
        sides = {view[side]["text"]: side for side in "ab"}
        assert "A PLAIN answer." in sides
        plain = sides["A PLAIN answer."]
        return sides.get("FLATTERY 0.", plain)

    assert len(decide(out, choose)) == 3
    import_feedback([], out)
    labels = {r["completion"][0]["content"]: r for r in table(out, "kto.jsonl")}
    assert (labels["FLATTERY 0."]["label"], labels["FLATTERY 0."]["by"]) == (True, "review")
    assert "FLATTERY 1." not in labels
    assert fates(out)["decided", "people: worse than a plain answer", "thumbs"] == 2


def test_the_config_says_who_looks_at_liked_answers(tmp_path: Path):
    config = tmp_path / "cai.yaml"
    config.write_text(CONFIG)
    path = write(tmp_path / "rows.jsonl", [thumbs(TRAIN[0], "Hello there.", "up")])
    done = import_feedback([path], tmp_path / "out", judge_config=config)
    assert done.looked is not None
    assert (done.looked.asked, done.facts["judge"]["unseen"]) == (1, 0)
    assert done.facts["judge"]["judge"].startswith("scripted/x under harmless-helpful@")
