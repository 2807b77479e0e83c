"""Foreign files become samples; what cannot be read becomes a finding with its place."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cai.errors import InputError, UsageError
from cai.quality import Turn, open_source, read_samples
from cai.quality.rows import sample_of
from tests.unit.quality_helpers import find, pair, write

ASK = [{"role": "user", "content": "Hi?"}]
SAY = {"role": "assistant", "content": "Hello."}
RUDE = {"role": "assistant", "content": "No."}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi?", "chosen": "Hello.", "rejected": "No."},
        {"prompt": ASK, "chosen": [SAY], "rejected": [RUDE]},
        {"chosen": [*ASK, SAY], "rejected": [*ASK, RUDE]},
        {"prompt": "Hi?", "chosen": [*ASK, SAY], "rejected": [*ASK, RUDE], "score_chosen": 8.0},
        {
            "chosen": "\n\nHuman: Hi?\n\nAssistant: Hello.",
            "rejected": "\n\nHuman: Hi?\n\nAssistant: No.",
        },
        {"prompt": "Hi?", "chosen": "Hello.", "rejected": "No.", "p": 0.9},
        {"prompt": "Hi?", "ranking": ["Hello.", "No."]},
        {"input": {"messages": ASK}, "preferred_output": [SAY], "non_preferred_output": [RUDE]},
        {
            "instruction": "Hi?",
            "completions": [
                {"response": "Hello.", "overall_score": 8},
                {"response": "No.", "overall_score": 2.5},
            ],
        },
    ],
)
def test_comparisons_of_all_formats_are_one_thing(row: dict[str, object]):
    sample = sample_of(row, 0, "f:1")
    assert sample.problem == ""
    assert (sample.kind, sample.target, sample.others) == ("comparison", "Hello.", ("No.",))
    assert sample.prompt == (Turn("user", "Hi?"),)


def test_a_p_below_one_half_turns_the_label_and_one_half_has_none():
    assert sample_of(pair("a", "b", "c", p=0.2), 0, "").target == "c"
    undecided = sample_of(pair("a", "b", "c", p=0.5), 0, "")
    assert undecided.target is None and undecided.others == ()


@pytest.mark.parametrize(
    ("row", "kind", "target", "ratings"),
    [
        ({"messages": [*ASK, SAY]}, "demonstration", "Hello.", ()),
        ({"prompt": "Hi?", "completion": "Hello."}, "demonstration", "Hello.", ()),
        ({"prompt": "Hi?", "original": "No.", "revision": "Hello."}, "demonstration", "Hello.", ()),
        ({"prompt": "Hi?", "response": "Hello.", "label": "kind"}, "demonstration", "Hello.", ()),
        ({"prompt": "Hi?", "response": "Hello.", "score": 0.5}, "rating", None, (0.5,)),
        ({"prompt": "Hi?", "answer": "Hello.", "rating": 3}, "rating", None, (3.0,)),
        ({"prompt": "Hi?", "completion": "Hello.", "label": True}, "rating", "Hello.", (1.0,)),
        ({"prompt": "Hi?", "completion": "Hello.", "label": False}, "rating", None, (0.0,)),
    ],
)
def test_single_answers(row: dict[str, object], kind: str, target: str | None, ratings: object):
    sample = sample_of(row, 0, "")
    assert (sample.kind, sample.target, sample.ratings) == (kind, target, ratings)


def test_what_training_would_refuse_can_be_looked_at():
    tool = {"role": "tool", "content": [{"type": "text", "text": "4"}, {"type": "image_url"}]}
    sample = sample_of(
        {"messages": [*ASK, {"role": "assistant", "content": None}, tool, SAY]}, 0, ""
    )
    assert [(turn.role, turn.content) for turn in sample.prompt[1:]] == [
        ("assistant", ""),
        ("tool", "4"),
    ]
    assert sample.target == "Hello."
    assert sample_of(pair("a", [tool, SAY], [tool, RUDE]), 0, "").answers == ("Hello.", "No.")
    assert sample_of(pair("a", "b", "c", p=-3), 0, "").target == "c"


def test_pairs_without_a_winner_have_no_target():
    tie = {"prompt": "Hi?", "first": "Hello.", "second": "No.", "p": 0.6, "outcome": "tie"}
    even = {"chosen": [*ASK, SAY], "rejected": [*ASK, RUDE], "score_chosen": 7, "score_rejected": 7}
    for row in (tie, even):
        sample = sample_of(row, 0, "")
        assert (sample.kind, sample.target) == ("comparison", None)


def test_what_a_file_says_about_truncation_and_tags():
    sample = sample_of(pair("a", "b", "c", finish_reason=["length", "stop"], tags="x, y"), 0, "")
    assert sample.truncated == (True, False) and sample.tags == ("x", "y")


@pytest.mark.parametrize(
    "row",
    [
        "{broken",
        "[1]",
        {"text": "alone"},
        {"prompt": 7, "chosen": "a", "rejected": "b"},
        {"messages": ASK},
        {"chosen": [*ASK, SAY], "rejected": [{"role": "user", "content": "Other?"}, RUDE]},
        pair(" ", "a", "b"),
        pair("a", "", "b"),
    ],
)
def test_broken_rows_are_counted_with_their_place(tmp_path: Path, row: object):
    finding = find(tmp_path, "broken-rows", [pair("a", "b", "c"), row])
    assert (finding.count, finding.of, finding.level) == (1, 2, "error")
    assert finding.examples[0].place == "rows.jsonl:2" and list(finding.drops) == [1]


def test_good_rows_are_not_broken(tmp_path: Path):
    assert find(tmp_path, "broken-rows", [pair("a", "b", "c")]).level == "ok"


def test_gzip_and_parquet_give_the_same_samples(tmp_path: Path):
    rows = [pair(f"Question {i}?", "yes", "no") for i in range(3)]
    plain = write(tmp_path / "a.jsonl", rows)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    found = [
        [(s.id, s.prompt, s.answers) for s, _ in read_samples(open_source(tmp_path / name))]
        for name in ("a.jsonl", "b.jsonl.gz", "c.parquet")
    ]
    assert found[0] == found[1] == found[2] and len(found[0]) == 3


def test_lines_keep_their_bytes(tmp_path: Path):
    line = b'{ "prompt":"\\u00e4 \xc3\xa4", "chosen":"b",  "rejected":"c" }\r\n'
    (tmp_path / "a.jsonl").write_bytes(b"\n" + line)
    ((sample, data),) = read_samples(open_source(tmp_path / "a.jsonl"))
    assert data == line and sample.place == "a.jsonl:2"


def test_files_that_are_none_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        open_source(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="holds no run"):
        open_source(tmp_path)
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(InputError, match=r"Allowed: \.jsonl"):
        open_source(tmp_path / "a.doc")
    (tmp_path / "a.parquet").write_text("x")
    with pytest.raises(InputError, match="no Parquet file"):
        list(read_samples(open_source(tmp_path / "a.parquet")))
    write(tmp_path / "b.jsonl", [{"text": json.dumps("x")}])
    with pytest.raises(InputError, match="no row can be read"):
        list(read_samples(open_source(tmp_path / "b.jsonl")))
