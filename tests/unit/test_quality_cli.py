"""`cai check` and `cai filter` on files and runs."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from cai.cli.check import check
from cai.cli.filter import filter_
from cai.errors import CaiError, InputError, StoreError, UsageError
from cai.quality import Report, check_source, known_checks
from tests.unit.quality_helpers import pair, write
from tests.unit.store_helpers import ask, fill, full_row

app = typer.Typer()
app.command("check")(check)
app.command("filter")(filter_)

HOSTILE = "\x1b[2J\x1b]0;title\x07[bold]x[/bold] \u202edrow \x9b31m\r\n| 99 error |\x00"
SECRET = "marker-of-held-out-text"
ROWS = [
    pair("What is bread made of?", "Flour.", "Sand."),
    pair("What is bread  made of?", "flour.", "sand."),
    pair("What is bread made of?", "Sand.", "Flour."),
    pair("Who wrote it?", "Nobody knows.", "I did."),
]


def cai(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, CaiError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def table(output: str) -> dict[str, list[str]]:
    lines = [re.split(r" {2,}", line.strip()) for line in output.splitlines()]
    return {line[0]: line[1:] for line in lines}


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_check_prints_findings_and_fails_at_errors(tmp_path: Path):
    file = write(tmp_path / "a.jsonl", ROWS)
    found = table(output := cai("check", file, code=1))
    assert found["exact-duplicates"] == ["warning", "1", "4", "25.00%", "1"]
    assert found["contradictions"] == ["error", "3", "4", "75.00%", "3"]
    assert found["truncation"][0] == "ok"
    assert "a.jsonl:2 and a.jsonl:1: What is bread made of?" in output
    assert "What to do: " in output and "contamination" not in found


@pytest.mark.parametrize(
    ("skip", "fail_on", "code"),
    [
        ("", "never", 0),
        ("contradictions", "error", 0),
        ("contradictions", "warning", 1),
        ("contradictions,exact-duplicates,length-bias", "warning", 0),
    ],
)
def test_the_exit_code_follows_fail_on(tmp_path: Path, skip: str, fail_on: str, code: int):
    file = write(tmp_path / "a.jsonl", ROWS)
    cai("check", file, "--skip", skip, "--fail-on", fail_on, code=code)


def test_only_names_the_checks(tmp_path: Path):
    file = write(tmp_path / "a.jsonl", ROWS)
    output = cai("check", file, "--only", "pii, truncation")
    assert "truncation" in output and "exact-duplicates" not in output


@pytest.mark.parametrize("option", ["--only", "--skip"])
def test_unknown_checks_give_the_nearest(tmp_path: Path, option: str):
    file = write(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(UsageError, match="Did you mean 'near-duplicates'"):
        cai("check", file, option, "near-duplicate")
    with pytest.raises(UsageError, match="Did you mean 'contradictions'"):
        cai("filter", file, "--drop", "contradiction", "--out", tmp_path / "b.jsonl")


def test_against_finds_leaks_and_json_holds_everything(tmp_path: Path):
    file = write(tmp_path / "a.jsonl", ROWS)
    items = write(tmp_path / "eval.jsonl", [{"question": "Who wrote it?"}])
    out = tmp_path / "findings.json"
    cai("check", file, "--against", items, "--json", out, "--fail-on", "never")
    data = json.loads(out.read_bytes())["file"]
    assert data["rows"] == 4 and data["kinds"] == {"comparison": 4}
    assert {f["check"] for f in data["findings"]} == set(known_checks()) - {"label-inversion"}
    (leak,) = (f for f in data["findings"] if f["check"] == "contamination")
    assert (leak["count"], leak["would_drop"], leak["level"]) == (1, 1, "error")
    assert leak["examples"] == [
        {"place": "a.jsonl:4", "other": "eval.jsonl:1", "text": "Who wrote it?"}
    ]


def test_a_scorer_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "my_quality_scores.py").write_text(
        "def flour(items):\n    return [float('flour' in a.lower()) for _, a in items]\n"
    )
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "a.jsonl", ROWS)
    output = cai("check", file, "--scorer", "my_quality_scores:flour", "--only", "label-inversion")
    assert table(output)["label-inversion"] == ["warning", "1", "4", "25.00%", "1"]


def test_hostile_text_is_inert(tmp_path: Path):
    rows = [pair(HOSTILE, HOSTILE, HOSTILE, tags=[HOSTILE]), pair(HOSTILE, "a", ""), HOSTILE]
    items = write(tmp_path / "eval.jsonl", [{"question": HOSTILE}])
    file = write(tmp_path / "a.jsonl", rows)
    output = cai("check", file, "--against", items, "--fail-on", "never")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", output)
    assert not any(line.startswith("| 99 error |") for line in output.splitlines())


def test_filter_keeps_the_bytes_and_says_why_others_go(tmp_path: Path):
    kept = b'{"prompt": "Who \\u00e4?",  "chosen":"b", "rejected":"c","x":1e3}\r\n'
    file = tmp_path / "a.jsonl"
    write(file, ROWS[:3])
    file.write_bytes(
        b"\n" + file.read_bytes() + kept + b'{"prompt":"z","chosen":"b","rejected":"c"}'
    )
    out = tmp_path / "clean.jsonl"
    output = cai("filter", file, "--drop", "exact-duplicates,contradictions", "--out", out)
    assert out.read_bytes() == kept + b'{"prompt":"z","chosen":"b","rejected":"c"}\n'
    dropped = lines(tmp_path / "clean.jsonl.dropped.jsonl")
    assert [row["place"] for row in dropped] == ["a.jsonl:2", "a.jsonl:3", "a.jsonl:4"]
    assert dropped[1]["check"] == "exact-duplicates" and dropped[1]["also"] == ["contradictions"]
    assert dropped[1]["reason"] == "repeats a.jsonl:2"
    assert "Kept 2 rows" in output and "Left out 3 rows" in output


def test_one_row_is_no_rows(tmp_path: Path):
    file = write(tmp_path / "a.jsonl", [ROWS[0], ROWS[0]])
    out = tmp_path / "clean.jsonl"
    output = cai("filter", file, "--drop", "exact-duplicates", "--out", out)
    assert "Kept 1 row in" in output and "Left out 1 row;" in output
    assert "clean.jsonl: 1 row (1 comparison)" in cai("check", out, "--fail-on", "never")


@pytest.mark.parametrize("name", ["nope.jsonl", "starter"])
def test_a_missing_file_is_a_file(tmp_path: Path, name: str):
    file = write(tmp_path / "a.jsonl", ROWS)
    missing = tmp_path / name
    for arguments in ([missing], [file, "--against", missing]):
        with pytest.raises(InputError, match=r"^The file .* does not exist\.") as caught:
            cai("check", *arguments)
        assert "'starter'" not in str(caught.value)


def test_a_filtered_file_has_nothing_left_to_drop(tmp_path: Path):
    file = write(tmp_path / "a.jsonl", ROWS)
    names = "exact-duplicates,near-duplicates,contradictions"
    cai("filter", file, "--drop", names, "--out", tmp_path / "b.jsonl")
    cai("filter", tmp_path / "b.jsonl", "--drop", names, "--out", tmp_path / "c.jsonl")
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "c.jsonl").read_bytes()


def test_filter_overwrites_nothing(tmp_path: Path):
    file = write(tmp_path / "a.jsonl", ROWS)
    for taken in ("b.jsonl", "c.jsonl.dropped.jsonl"):
        (tmp_path / taken).write_text("mine")
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        with pytest.raises(UsageError, match="exists already"):
            cai("filter", file, "--drop", "exact-duplicates", "--out", tmp_path / name)
    assert (tmp_path / "b.jsonl").read_text() == "mine"


@pytest.mark.parametrize(
    ("drop", "out", "match"),
    [
        ("length-bias", "b.jsonl", "no check of this name points at rows"),
        ("", "b.jsonl", "no check of this name"),
        ("contamination", "b.jsonl", "--against"),
        ("exact-duplicates", "none/b.jsonl", "does not exist"),
        ("exact-duplicates", "b.parquet", r"\.jsonl"),
    ],
)
def test_filter_refuses_what_it_cannot_do(tmp_path: Path, drop: str, out: str, match: str):
    file = write(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(UsageError, match=match):
        cai("filter", file, "--drop", drop, "--out", tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_failing_filter_leaves_no_file(tmp_path: Path):
    file = write(tmp_path / "a.jsonl", [{"text": "no format"}])
    with pytest.raises(InputError, match="no row can be read"):
        cai("filter", file, "--drop", "exact-duplicates", "--out", tmp_path / "b.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_source_that_changes_meanwhile_is_not_filtered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def grown(*arguments: Any, **more: Any) -> Report:
        report = check_source(*arguments, **more)
        return replace(report, rows=report.rows + 1)

    monkeypatch.setattr("cai.quality.filtering.check_source", grown)
    file = write(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(StoreError, match="changed while it was read"):
        cai("filter", file, "--drop", "exact-duplicates", "--out", tmp_path / "b.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_parquet_and_gzip_keep_their_form(tmp_path: Path):
    rows = pa.Table.from_pylist([row | {"n": i} for i, row in enumerate(ROWS)])
    pq.write_table(rows, tmp_path / "a.parquet")
    cai(
        "filter",
        tmp_path / "a.parquet",
        "--drop",
        "exact-duplicates",
        "--out",
        tmp_path / "b.parquet",
    )
    kept = pq.read_table(tmp_path / "b.parquet")
    assert kept.schema == rows.schema and kept.column("n").to_pylist() == [0, 2, 3]
    file = write(tmp_path / "a.jsonl", ROWS)
    cai("filter", file, "--drop", "exact-duplicates", "--out", tmp_path / "b.jsonl.gz")
    assert len(gzip.decompress((tmp_path / "b.jsonl.gz").read_bytes()).splitlines()) == 3


@pytest.fixture
def run(tmp_path: Path) -> Path:
    first = full_row(ask("Q0", "tag"), "Old.", "Newer text.")
    cut = replace(first.samples[0], outcome="truncated")
    rows = [
        (replace(first, samples=(cut, *first.samples[1:])), "train"),
        (full_row(ask("Q1"), "Old.", "I can't help with that."), "train"),
        (full_row(ask("Q2"), "Old.", "I can't help with this."), "dev"),
        (full_row(ask(SECRET), SECRET, SECRET + "!"), "held_out"),
    ]
    return fill(tmp_path / "run", rows)  # type: ignore[arg-type]


def test_a_run_is_checked_without_its_held_out_rows(run: Path, tmp_path: Path):
    out = tmp_path / "findings.json"
    output = cai("check", run, "--json", out, "--fail-on", "never")
    assert "4 rows (2 comparison, 2 demonstration)" in output
    assert table(output)["refusals"] == ["info", "2", "4", "50.00%", "1", "2"]
    assert SECRET not in output and SECRET not in out.read_text("utf-8")
    data = json.loads(out.read_bytes())
    assert (data["train"]["rows"], data["dev"]["rows"]) == (4, 2)
    (cut,) = (f for f in data["train"]["findings"] if f["check"] == "truncation")
    assert cut["figures"]["Rejected answers cut off"] == "1"


def test_a_run_is_filtered_to_rows_as_an_export_writes_them(run: Path, tmp_path: Path):
    from cai.store import RunStore
    from cai.store.export import export

    out = tmp_path / "clean.jsonl"
    cai("filter", run, "--drop", "refusals", "--out", out)
    with RunStore.read(run) as store:
        folder = export(store, tmp_path / "export", ["jsonl"]).folder
    exported = (folder / "preferences.jsonl").read_bytes().splitlines()
    assert out.read_bytes().splitlines() == exported[:1]
    (dropped,) = lines(tmp_path / "clean.jsonl.dropped.jsonl")
    assert dropped["check"] == "refusals" and dropped["id"] == json.loads(exported[1])["id"]
    cai(
        "filter", run, "--drop", "exact-duplicates", "--table", "sft", "--out", tmp_path / "s.jsonl"
    )
    assert len(lines(tmp_path / "s.jsonl")) == 2
