"""Items out to other tools and labels back in: nothing lost, nothing twice, nobody mixed up."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cai.cli.validate.exchange import export, import_
from cai.errors import InputError, UsageError
from cai.records import Message, Pair, Prompt
from cai.store import RunStore
from cai.validation import Annotation, Item, Labels, SamplingPlan, Stratum
from cai.validation.exchange import export_items, import_labels
from cai.validation.exchange.keep import refuse_other_kinds
from cai.validation.exchange.showing import showing_of
from cai.validation.records import Action, item_id
from tests.unit.store_helpers import FACTS, ask, verdict

PROMPTS = [
    *(ask(f"Question {i}?") for i in range(10)),
    ask("=HYPERLINK('x')"),
    Prompt((Message("user", "One?"), Message("assistant", "1."), Message("user", "Two?"))),
]
SECRETS = ("sample 0", "revision 1", "0.3", "openai", "judge", "verdict")


def item(prompt: Prompt, **changes: Any) -> Item:
    pair = Pair(
        *(prompt.id, "revision", f"Old, {prompt.id}.", f"New, {prompt.id}."),
        *("sample 0", "sample 0, revision 1", verdict(0.3, 0.6, "second")),
    )
    repeat = changes.get("repeat", False)
    return Item(item_id(pair.id, repeat=repeat), prompt, pair, prompt.id, **changes)


ITEMS = [*(item(prompt) for prompt in PROMPTS), item(PROMPTS[0], repeat=True)]


def plan(**changes: Any) -> SamplingPlan:
    strata = (Stratum("all", 20, len(PROMPTS)),)
    return replace(
        SamplingPlan("p", 0, strata, len(PROMPTS), 1, 1.0, 0.0, False, "a test"), **changes
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.open(tmp_path / "run", durable=False) as opened:
        opened.set_meta(**FACTS)
        Labels(opened).put_plan(plan(), ITEMS)
        yield opened


def written(store: RunStore, format: Any) -> Path:
    path = store.folder / f"{format}.{'csv' if format == 'csv' else 'json'}"
    export_items(store, path, format)
    return path


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def label(item: Item, choice: str = "first", **more: Any) -> dict[str, Any]:
    return {"item_id": item.item_id, "annotator": "ada", "choice": choice} | more


def choices(store: RunStore) -> dict[str, str | None]:
    return {item: act.annotation.choice for (_, item), act in Labels(store).current().items()}


def newest(store: RunStore) -> dict[str, str]:
    """The answer that was preferred, as text: what must survive every change of order."""
    found = {}
    texts = {one.item_id: {"first": one.pair.first, "second": one.pair.second} for one in ITEMS}
    for one, choice in choices(store).items():
        found[one] = texts[one].get(str(choice), str(choice))
    return found


# ---- what is filled in by the stand-ins for the tools: the answer that begins with "New"


def new_side(row: dict[str, Any]) -> str:
    return "a" if row["answer_a"].startswith("New") else "b"


def fill_csv(path: Path) -> Path:
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    for row in rows:
        row |= {"choice": new_side(row).upper(), "annotator": "Ada", "confidence": "3"}
    rows[1]["note"], rows[1]["principle"] = "'=1+1", "p2"
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


def fill_label_studio(path: Path, **changes: Any) -> Path:
    tasks = json.loads(path.read_text())
    for number, task in enumerate(tasks):
        result = [
            answer("choice", "choices", [new_side(task["data"])]),
            answer("confidence", "choices", ["3"]),
        ]
        if number == 1:
            result += [answer("note", "textarea", ["=1+1"]), answer("principle", "choices", ["p2"])]
        task["id"] = number
        task["predictions"] = [{"result": [answer("choice", "choices", ["tie"])], "score": 1.0}]
        task["annotations"] = [
            {
                "id": 100 + number,
                "completed_by": {"id": 1, "email": "Ada"},
                "result": result,
                "was_cancelled": False,
                "created_at": "2026-03-09T22:16:08.728353Z",
                "lead_time": 4.25,
            }
            | changes
        ]
    path.write_text(json.dumps(tasks))
    return path


def answer(name: str, kind: str, values: list[str]) -> dict[str, Any]:
    value = {"text" if kind == "textarea" else kind: values}
    return {"from_name": name, "to_name": "prompt", "type": kind, "value": value, "id": "x"}


def fill_argilla(path: Path) -> Path:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for number, record in enumerate(records):
        said = {"choice": new_side(record["fields"]), "confidence": 3}
        if number == 1:
            said |= {"note": "=1+1", "principle": "p2"}
        record["responses"] = {q: [{"value": v, "user_id": "Ada"}] for q, v in said.items()}
    path.write_text("\n".join(json.dumps(record) for record in records))
    return path


FILL = {"csv": fill_csv, "label-studio": fill_label_studio, "argilla": fill_argilla}


@pytest.mark.parametrize("format", list(FILL))
def test_a_round_trip(store, format):
    path = written(store, format)
    text = path.read_text(encoding="utf-8-sig")
    assert not [secret for secret in SECRETS if secret in text]
    FILL[format](path)
    got = import_labels(store, path, kind="human")
    assert (got.actions_new, got.actions_known, got.skipped, got.empty) == (len(ITEMS), 0, 0, 0)
    assert [(a.name, a.kind) for a in got.annotators] == [("Ada", "human")]
    assert newest(store) == {one.item_id: one.pair.second for one in ITEMS}
    by_item = {a.item_id: a.annotation for a in Labels(store).actions()}
    assert {a.confidence for a in by_item.values()} == {3}
    assert {a.swapped for a in by_item.values()} == {True, False}
    second = by_item[ITEMS[1].item_id]
    assert (second.note, second.principle_id) == ("=1+1", "p2")
    assert second.seconds == (4.25 if format == "label-studio" else None)
    before = list(Labels(store).actions())
    again = import_labels(store, path, kind="human")
    assert (again.actions_new, again.actions_known) == (0, len(ITEMS))
    assert list(Labels(store).actions()) == before


def test_sides_are_drawn_anew_for_each_showing(store):
    shown = [showing_of(one) for one in ITEMS]
    assert {one.answer_a.startswith("New") for one in shown} == {True, False}
    many = [showing_of(item(ask(f"Number {i}?"))).answer_a.startswith("New") for i in range(400)]
    assert 160 < sum(many) < 240
    assert [showing_of(one) for one in ITEMS] == shown
    assert shown[11].prompt == "User: One?\n\nAssistant: 1.\n\nUser: Two?"


def test_the_labelling_config_fits_the_tasks(store):
    Labels(store).put_plan(plan(ask_refusals=True), ITEMS)
    path = written(store, "label-studio")
    view = ET.parse(path.with_suffix(".xml")).getroot()
    data = json.loads(path.read_text())[0]["data"]
    objects = {text.get("name"): text.get("value") for text in view.iter("Text")}
    assert objects == {name: f"${name}" for name in ("prompt", "answer_a", "answer_b")}
    assert {value[1:] for value in objects.values()} < data.keys()
    controls = {one.get("name"): one for one in view.iter() if one.get("toName")}
    assert controls.keys() == {"choice", "confidence", "refuses", "principle", "note"}
    assert {one.get("toName") for one in controls.values()} <= objects.keys()
    aliases = [choice.get("alias") for choice in controls["choice"]]
    assert aliases == ["a", "b", "tie", "both_bad", "skip"]
    assert [one.get("alias") for one in controls["principle"]] == ["p1", "p2"]


def test_refusals_are_turned_with_the_answers(store):
    shown = showing_of(ITEMS[0])
    side = "a" if shown.answer_a == ITEMS[0].pair.first else "b"
    row = label(ITEMS[0], side, key=shown.key, refuses=side)
    import_labels(store, lines(store.folder / "x.jsonl", row), kind="human")
    (action,) = Labels(store).actions()
    assert action.annotation.choice == "first"
    assert (action.annotation.first_refuses, action.annotation.second_refuses) == (True, False)


@pytest.mark.parametrize("mark", ["\ufeff", "ï»¿"])
def test_a_byte_order_mark_that_was_read_as_text(store, mark):
    path = written(store, "csv")
    text = path.read_text(encoding="utf-8-sig")
    path.write_text(mark + text, encoding="utf-8-sig")
    with pytest.raises(InputError, match=r"begins with a byte-order mark.*save it as UTF-8"):
        import_labels(store, path, kind="human")


def test_no_cell_is_a_formula_or_a_number(store):
    bad = [*"=+-@", "\t=1", "\r=1", "＝1"]
    odd = [
        replace(item(ask(text + "SUM(1)")), item_id=f"1234567890{i}") for i, text in enumerate(bad)
    ]
    odd.append(replace(item(ask("Fine?")), item_id="123456e789012345"))
    Labels(store).put_plan(plan(), odd)
    path = written(store, "csv")
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    assert all(row[1].startswith("'") for row in rows[1:-1])
    assert all(row[0].startswith("'1234567890") for row in rows[1:-1])
    assert rows[-1][:2] == ["'123456e789012345", "Fine?"]
    got = import_labels(store, fill_csv(path), kind="human")
    assert (got.actions_new, got.skipped) == (len(odd), 0)


def test_an_edited_label_wins_and_an_older_one_does_not(store):
    path = written(store, "label-studio")
    old = fill_label_studio(path).read_text()
    import_labels(store, path, kind="human")
    tie = [answer("choice", "choices", ["tie"])]
    fill_label_studio(path, result=tie, updated_at="2026-03-10T00:00:00Z")
    got = import_labels(store, path, kind="human")
    assert (got.actions_new, got.actions_known, got.older) == (len(ITEMS), 0, 0)
    assert set(choices(store).values()) == {"tie"}
    path.write_text(old)
    got = import_labels(store, path, kind="human")
    assert (got.actions_new, got.actions_known, got.older) == (0, 0, len(ITEMS))
    assert set(choices(store).values()) == {"tie"}


def test_without_times_the_last_import_counts(store):
    files = [
        lines(store.folder / f"{choice}.jsonl", label(ITEMS[0], "skip"), label(ITEMS[0], choice))
        for choice in ("first", "second")
    ]
    for file, choice in [(0, "first"), (0, "first"), (1, "second"), (1, "second"), (0, "first")]:
        got = import_labels(store, files[file], kind="human")
        assert got.older == 1
        assert list(choices(store).values()) == [choice]
    assert len(list(Labels(store).actions())) == 3


def test_names_that_differ_in_case_are_one_annotator(store):
    rows = [
        label(ITEMS[0], "first", annotator="Zoé"),
        label(ITEMS[0], "second", annotator="zoe\u0301"),
    ]
    path = lines(store.folder / "x.jsonl", *rows)
    got = import_labels(store, path, kind="human")
    assert (got.actions_new, got.older, len(got.annotators)) == (1, 1, 1)
    assert choices(store) == {ITEMS[0].item_id: "second"}
    again = import_labels(store, path, kind="human")
    assert (again.actions_new, again.actions_known) == (0, 1)
    assert len(list(Labels(store).actions())) == 1
    with pytest.raises(UsageError, match="'ZOÉ' is human in this run, not model"):
        refuse_other_kinds(Labels(store), ["ZOÉ"], "model")


def test_a_growing_file_does_not_undo_what_was_changed_elsewhere(store):
    path = lines(store.folder / "x.jsonl", label(ITEMS[0]))
    import_labels(store, path, kind="human")
    labels = Labels(store)
    (ada,) = labels.annotators()
    labels.act([Action("app-1", ada.id, ITEMS[0].item_id, "label", Annotation("tie"), 2e9)])
    lines(path, label(ITEMS[0]), label(ITEMS[1]))
    got = import_labels(store, path, kind="human")
    assert (got.actions_new, got.actions_known) == (1, 1)
    assert choices(store) == {ITEMS[0].item_id: "tie", ITEMS[1].item_id: "first"}


def test_times_and_optional_columns(store):
    row = label(ITEMS[0], "both bad", created="2026-03-09T22:16:08Z", seconds=3, flagged=True)
    import_labels(
        store, lines(store.folder / "x.jsonl", row, label(ITEMS[1], created=5.5)), kind="human"
    )
    by_item = {action.item_id: action for action in Labels(store).actions()}
    first = by_item[ITEMS[0].item_id]
    assert (first.created, by_item[ITEMS[1].item_id].created) == (1773094568.0, 5.5)
    assert first.annotation == Annotation("both_bad", seconds=3.0, flagged=True)


def test_skipped_tasks_and_practice(store):
    practice = replace(item(ask("Practice?")), known="first", why="It is.")
    Labels(store).put_plan(plan(), [*ITEMS, practice])
    path = written(store, "label-studio")
    assert practice.item_id not in path.read_text()
    fill_label_studio(path, was_cancelled=True, result=[], completed_by=7)
    got = import_labels(store, path, kind="human")
    assert [a.name for a in got.annotators] == ["Label Studio user 7"]
    assert set(choices(store).values()) == {"skip"}
    import_labels(store, lines(store.folder / "p.jsonl", label(practice)), kind="human")
    assert [a.item_id for a in Labels(store).actions(role="practice")] == [practice.item_id]


def test_unknown_items(store):
    path = store.folder / "x.jsonl"
    strangers = [label(ITEMS[0]) | {"item_id": f"stranger-{i}"} for i in range(5)]
    lines(path, *strangers)
    with pytest.raises(
        UsageError, match=r"got 'stranger-0', 'stranger-1', 'stranger-2' and 2 more"
    ):
        import_labels(store, path, kind="human")
    lines(path, *strangers, label(ITEMS[0]), label(ITEMS[1], ""))
    got = import_labels(store, path, kind="human")
    assert (got.actions_new, got.skipped, got.empty) == (1, 5, 1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"choice": "frist"}, "got the choice 'frist'.*first, second, tie.*Did you mean 'first'"),
        ({"choice": "a"}, "got the choice 'a'.*nobody knows which answer was A"),
        ({"choice": "first", "key": True}, "got the choice 'first'.*a, b, tie.*write 'a' or 'b'"),
        ({"choice": "a", "key": "0" * 16}, "got the key '0000000000000000', which does not belong"),
        ({"confidence": "4"}, "got the confidence '4'.*certain"),
        ({"principle": "p3"}, "got the principle 'p3'.*p1, p2"),
        ({"refuses": "perhaps"}, "got refuses: 'perhaps'"),
        ({"seconds": "soon"}, "got the time 'soon'"),
        ({"created": "yesterday"}, "got the time 'yesterday'"),
        (
            {"created": 1773094568000},
            "got the time '1773094568000', which is more than a day.*by 1000",
        ),
        ({"created": "2999-01-01"}, "got the time '2999-01-01', which is more than a day from now"),
        ({"annotator": ""}, "got a label without an annotator.*--annotator"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(store, row, message):
    if row.get("key") is True:
        row = row | {"key": showing_of(ITEMS[1]).key}
    path = lines(store.folder / "x.jsonl", label(ITEMS[0]), label(ITEMS[1]) | row)
    with pytest.raises(InputError, match=rf"x\.jsonl:2: (?s:{message})"):
        import_labels(store, path, kind="human")
    assert not list(Labels(store).actions())
    assert not Labels(store).annotators()


def test_files_that_hold_no_labels(store):
    path = store.folder / "x.json"
    for text, message in [
        ("[{]", "what is no JSON"),
        ("[1]", "got '1' in the list"),
        ('{"a": 1}', "got objects with a"),
        ('[{"data": {}}]', "'annotations'"),
        ('[{"data": {}, "annotations": [1]}]', "no object"),
        ('[{"data": {}, "annotations": [{"result": [{}]}]}]', "another form"),
        ('{"id": "x", "fields": {}, "responses": {"choice": [{"user_id": "u"}]}}', "another form"),
        ('{"item_id": "x"}', "holds no label"),
    ]:
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            import_labels(store, path, kind="human")
    sheet = store.folder / "x.csv"
    for text, message in [
        ("", "exactly one column 'item_id' and one 'choice'"),
        ("item_id;choice\nx;a", "with commas"),
        ("item_id,choice\nx", "x.csv:2: got 1 fields"),
        ('item_id,choice\nx,"a"b', "no CSV"),
        ("item_id,choice\nx,", "holds no label"),
    ]:
        sheet.write_text(text)
        with pytest.raises(InputError, match=message):
            import_labels(store, sheet, kind="human")
    with pytest.raises(InputError, match="which is no file"):
        import_labels(store, store.folder / "none.csv", kind="human")


def test_kinds_are_kept_apart(store):
    path = lines(store.folder / "x.jsonl", label(ITEMS[0]))
    import_labels(store, path, kind="model")
    assert not Labels(store).current(kind="human")
    both = lines(store.folder / "y.jsonl", label(ITEMS[1], annotator="bob"), label(ITEMS[1]))
    with pytest.raises(UsageError, match="'ada' is model in this run, not human"):
        import_labels(store, both, kind="human")
    assert [a.name for a in Labels(store).annotators()] == ["ada"]
    with pytest.raises(UsageError, match="labels by 2 annotators"):
        import_labels(store, both, kind="human", annotator="eve")
    got = import_labels(store, path, kind="human", annotator="Ada of the team")
    assert [a.name for a in got.annotators] == ["Ada of the team"]
    assert len(Labels(store).current(kind="human")) == 1


def test_a_filled_sheet_is_not_overwritten(store):
    path = written(store, "csv")
    assert export_items(store, path, "csv").items == len(ITEMS)
    fill_csv(path)
    with pytest.raises(UsageError, match=r"csv\.csv is there already.*--out"):
        export_items(store, path, "csv")
    with pytest.raises(UsageError, match="Did you mean 'csv'"):
        export_items(store, path, "cvs")  # type: ignore[arg-type]


def test_without_a_plan(tmp_path):
    with RunStore.open(tmp_path / "run", durable=False) as store:
        for format in FILL:
            with pytest.raises(UsageError, match="no sampling plan"):
                written(store, format)


def test_the_commands(store):
    app = typer.Typer()
    app.command("export")(export)
    app.command("import")(import_)

    def call(*arguments: object) -> Any:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    folder = store.folder
    store.close()
    result = call("export", folder, "--format", "label-studio")
    assert result.exit_code == 0, result.output
    file = folder / "validation/items-label-studio.json"
    assert f"13 items in {file}, {file.with_suffix('.xml')}" in result.output
    fill_label_studio(file)
    result = call("import", folder, file)
    assert result.exit_code == 2
    assert "--kind" in result.output
    result = call("import", folder, file, "--kind", "simulated", "--annotator", "Bot")
    assert result.exit_code == 0, result.output
    assert "Bot (simulated)" in result.output
    assert result.output.count("13\n") == 1
    assert call("import", folder / "none", file, "--kind", "human").exit_code == 1
    assert not (folder / "none").exists()
