"""Every layout: what an export writes in it, and that it reads back as the same."""

from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cai.cli.app import app
from cai.errors import UsageError
from cai.formats import LAYOUTS, Record, check_layouts, read_records
from cai.records import Message, Prompt
from cai.store import RunStore
from cai.store.export import export
from tests.unit.formats_helpers import (
    HOSTILE,
    chained,
    export_rows,
    hostile_row,
    judged,
    lines,
    row_of,
    single_turn,
)
from tests.unit.store_helpers import ask, fill, full_row

SECRET = "marker-of-held-out-text"
ALL = tuple(LAYOUTS)
TABLES = {table: name for name, facts in LAYOUTS.items() for table in facts.tables}
SYSTEM_AND_USER = (Message("system", HOSTILE), Message("user", HOSTILE))
# What the reader says of the first row of each table, beside prompt and tags: kind, answers, p.
NEW, OLD = HOSTILE + "2", HOSTILE + "1"
SAID = {
    "sft": ("answer", (NEW,), None),
    "preferences": ("pair", (NEW, OLD), 0.85),
    "undecided": ("pair", (OLD, "Other."), 0.5),
    "ultrafeedback": ("pair", (NEW, OLD), 0.85),
    "openai": ("pair", (NEW, OLD), 1.0),
    "kto": ("label", (NEW,), None),
    "reward": ("pair", (NEW, OLD), 0.85),
    "rankings": ("ranking", (NEW, OLD, "Other."), None),
    "ratings": ("rating", (NEW,), None),
    "edits": ("edit", (OLD, "Middle."), None),
    "rl-prompts": ("prompt", (), None),
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("hostile")
    return export_rows(run, [hostile_row()], layouts=ALL).folder


@pytest.mark.parametrize("table", SAID)
def test_hostile_text_comes_back_in_every_layout(hostile: Path, table: str):
    files = [hostile / f"{table}.jsonl"]
    if LAYOUTS[TABLES[table]].parquet:
        files.append(hostile / f"{table}.parquet")
        assert pq.read_table(files[1]).to_pylist() == lines(files[0])
    for path in files:
        first = next(read_records(path))
        assert (first.kind, first.answers) == SAID[table][:2]
        assert first.p == pytest.approx(SAID[table][2])
        assert (first.layout, first.place) == (TABLES[table], (path, 1))
        assert first.prompt == SYSTEM_AND_USER
        keeps_tags = table not in ("ultrafeedback", "openai", "kto", "reward")
        assert first.tags == (("tag",) if keeps_tags else ())


def records(folder: Path, table: str) -> list[Record]:
    return list(read_records(folder / f"{table}.jsonl"))


def test_the_columns_of_ultrafeedback(tmp_path: Path):
    folder = export_rows(
        tmp_path, [row_of(ask("Q"), judged("good", "bad", 0.8))], layouts=["ultrafeedback"]
    ).folder
    (found,) = lines(folder / "ultrafeedback.jsonl")
    chosen = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "good"}]
    assert found == {
        "prompt": "Q",
        "prompt_id": ask("Q").id,
        "chosen": chosen,
        "rejected": [chosen[0], {"role": "assistant", "content": "bad"}],
        "messages": chosen,
        "score_chosen": pytest.approx(0.8),
        "score_rejected": pytest.approx(0.2),
    }


def test_a_line_for_openai(tmp_path: Path):
    prompt = Prompt((Message("system", "Be kind."), Message("user", "Q")))
    rows = [row_of(prompt, judged("bad", "good", 0.1))]
    folder = export_rows(tmp_path, rows, layouts=["openai"]).folder
    # By hand, after the example in OpenAI's guide.
    assert lines(folder / "openai.jsonl") == [
        {
            "input": {
                "messages": [
                    {"role": "system", "content": "Be kind."},
                    {"role": "user", "content": "Q"},
                ],
                "tools": [],
                "parallel_tool_calls": True,
            },
            "preferred_output": [{"role": "assistant", "content": "good"}],
            "non_preferred_output": [{"role": "assistant", "content": "bad"}],
        }
    ]
    assert not list(folder.rglob("*.parquet"))


def test_an_answer_has_one_label_or_none(tmp_path: Path):
    pairs = (
        judged("a", "b", 0.9),
        judged("a", "c", 0.8),
        judged("b", "c", 0.7),
        judged("c", "d", 0.52),
    )
    result = export_rows(tmp_path, [row_of(ask("Q"), *pairs)], layouts=["kto"])
    # b won one comparison and lost another; c and d are a tie, which says nothing.
    labels = {r.answers[0]: r.label for r in records(result.folder, "kto")}
    assert labels == {"a": True, "c": False}
    (left,) = result.left_out
    assert (left.layout, left.split, left.count) == ("kto", "train", 1)
    assert "won one comparison and lost another" in left.reason


def test_edits_hold_every_round(tmp_path: Path):
    folder = export_rows(tmp_path, [chained("Q", "one", "two")], layouts=["edits"]).folder
    found = records(folder, "edits")
    assert [r.answers for r in found] == [("start", "one"), ("one", "two")]
    assert [r.critique for r in found] == ["critique 1", "critique 2"]
    assert [r.principle for r in found] == ["Principle 1.", "Principle 2."]


@pytest.mark.parametrize("sft", ["final", "all"])
def test_alpaca_has_no_place_for_conversations(tmp_path: Path, sft):
    turns = (Message("user", "a"), Message("assistant", "b"), Message("user", "c"))
    rows = [full_row(Prompt(turns)), hostile_row(), chained("Q", "one", "two")]
    result = export_rows(tmp_path, rows, layouts=["alpaca"], sft=sft)
    found = records(result.folder, "alpaca")
    answers = {"final": [("two",)], "all": [("one",), ("two",)]}
    assert [r.answers for r in found] == answers[sft]
    assert found[0].prompt == (Message("user", "Q"),)
    each = 1 if sft == "final" else 2
    assert {left.reason: left.count for left in result.left_out} == {
        "the prompt has several turns": each,
        "the prompt has a system turn": each,
    }


def test_held_out_rows_are_in_no_layout(tmp_path: Path):
    rows = [(full_row(ask(f"Q{s}", "tag")), s) for s in ("train", "dev")]
    rows += [
        (full_row(ask(f"{SECRET} {s}", SECRET), f"{SECRET} a", f"{SECRET} b"), s)
        for s in ("held_out", "quarantine")
    ]
    with RunStore.read(fill(tmp_path / "run", rows)) as store:
        result = export(store, layouts=ALL)
    for path in result.folder.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes()
            if path.suffix == ".parquet":
                assert SECRET not in str(pq.read_table(path).to_pylist())
    for table in TABLES:
        for prefix, question in (("", "Qtrain"), ("dev/", "Qdev")):
            found = list(read_records(result.folder / f"{prefix}{table}.jsonl"))
            assert {r.prompt[-1].content for r in found} == {question}, table


def test_layouts_of_an_earlier_export_do_not_stay(tmp_path: Path):
    run = fill(tmp_path, [(single_turn(1), "train")])
    with RunStore.read(run) as store:
        export(store, layouts=["kto", "openai"])
        folder = export(store, formats=("jsonl",)).folder
    assert {p.name for p in folder.glob("*.*")} == {
        *("sft.jsonl", "preferences.jsonl", "undecided.jsonl", "README.md", "manifest.json")
    }


def test_names_are_checked(tmp_path: Path):
    assert check_layouts(["kto", "trl", "kto"]) == ("trl", "kto")
    with pytest.raises(UsageError, match=r"Got the layout 'ultrafedback'.*Did you mean 'ultraf"):
        check_layouts(["ultrafedback"])
    with pytest.raises(UsageError, match=r"Got no layout\. Allowed: one or more of trl"):
        check_layouts([])
    with pytest.raises(UsageError, match=r"'openai' in Parquet alone.*--format jsonl"):
        export_rows(tmp_path, [], layouts=["trl", "openai"], formats=("parquet",))


def test_the_command(tmp_path: Path):
    run = fill(tmp_path / "run", [(hostile_row(), "train")])
    cli = CliRunner()
    wrong = cli.invoke(app, ["export", str(run), "--as", "rl-prompt"])
    assert isinstance(wrong.exception, UsageError)
    assert "Did you mean 'rl-prompts'?" in str(wrong.exception)
    shown = cli.invoke(app, ["export", str(run), "--as", "alpaca", "--as", "kto"])
    assert shown.exit_code == 0, shown.output
    assert "kto.parquet" in shown.stdout
    assert "the prompt has a system turn" in shown.stdout
    assert "preferences" not in shown.stdout


def test_rows_without_a_place_for_their_source_have_that_of_the_manifest(tmp_path: Path):
    rows = [row_of(ask("Q"), judged("good", "bad", 0.8)), chained("Q2", "one", "two")]
    folder = export_rows(tmp_path, rows, layouts=ALL).folder
    stated = {"ultrafeedback": "ai", "openai": "ai", "alpaca": "revision"}
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    assert manifest["sources"] == stated
    card = (folder / "README.md").read_text(encoding="utf-8")
    for table, source in stated.items():
        assert "source" not in lines(folder / f"{table}.jsonl")[0]
        assert f"no place for a `source`; it is `{source}`." in card
        for path in folder.glob(f"{table}.*"):
            assert {record.source for record in read_records(path)} == {source}
    # In dev/ they are the same; without the manifest nobody can tell.
    (folder / "dev").mkdir(exist_ok=True)
    deeper = (folder / "alpaca.jsonl").rename(folder / "dev/alpaca.jsonl")
    assert {record.source for record in read_records(deeper)} == {"revision"}
    alone = (folder / "openai.jsonl").rename(tmp_path / "openai.jsonl")
    assert {record.source for record in read_records(alone)} == {""}


@pytest.mark.parametrize(
    "manifest",
    [
        b"{",
        b"[]",
        b'{"kind": "other", "sources": {"openai": "ai"}}',
        b'{"kind": "constitutional-ai export"}',
        b'{"kind": "constitutional-ai export", "sources": ["openai"]}',
        b'{"kind": "constitutional-ai export", "sources": {"openai": "human"}}',
    ],
)
def test_a_manifest_that_says_nothing_of_a_source_is_passed_over(tmp_path: Path, manifest: bytes):
    (tmp_path / "manifest.json").write_bytes(manifest)
    path = tmp_path / "openai.jsonl"
    path.write_text('{"prompt": "Q", "chosen": "A", "rejected": "B"}\n', encoding="utf-8")
    (record,) = read_records(path)
    assert record.source == ""


def test_the_card_and_the_manifest_name_what_was_left_out(tmp_path: Path):
    folder = export_rows(tmp_path, [hostile_row()], layouts=["alpaca", "kto"]).folder
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| `alpaca` | train | the prompt has a system turn | 1 |" in card
    assert "- `kto`: single answers with a label" in card
    assert "`undecided`" not in card
    assert b'"left_out": [\n' in (folder / "manifest.json").read_bytes()
