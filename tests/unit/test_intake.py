from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cai.intake
from cai.content import content_dir
from cai.errors import InputError
from cai.intake import PromptsSummary, count_prompts, read_prompts
from cai.intake.hh_rlhf import parse_dialogue
from cai.intake.rows import prompt_of_row
from cai.records import Message, Prompt

SHARED = Path(__file__).parents[3] / "shared" / "data"


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def texts(path: str | Path, format: Any = "auto") -> list[str]:
    return [prompt.messages[-1].content for prompt in read_prompts(path, format)]


def error_of(path: str | Path, format: Any = "auto") -> str:
    with pytest.raises(InputError) as caught:
        list(read_prompts(path, format))
    with pytest.raises(InputError) as counted:
        count_prompts(path, format)
    assert str(caught.value) == str(counted.value)
    return str(caught.value)


def test_the_package_exports_what_it_says():
    assert sorted(cai.intake.__all__) == [
        "PromptFormat",
        "PromptsSummary",
        "count_prompts",
        "read_prompts",
    ]
    assert all(hasattr(cai.intake, name) for name in cai.intake.__all__)


def test_jsonl_reads_texts_messages_and_tags(tmp_path):
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello", "name": "ignored"},
        {"role": "user", "content": "Bye"},
    ]
    path = write(
        tmp_path / "a.jsonl",
        {"prompt": "  one \n", "tags": ["x", "y", "x"], "other": 1},
        {"messages": turns, "tags": " p, q ,,p"},
        {"prompt": turns, "tags": None},
        {"prompt": None, "messages": turns[1:2]},
        {"prompt": "wins", "messages": [{"role": "assistant", "content": "ignored"}]},
    )
    conversation = tuple(Message(t["role"], t["content"]) for t in turns)  # type: ignore[arg-type]
    assert list(read_prompts(path)) == [
        Prompt((Message("user", "  one \n"),), ("x", "y"), "a.jsonl:1"),
        Prompt(conversation, ("p", "q"), "a.jsonl:2"),
        Prompt(conversation, (), "a.jsonl:3"),
        Prompt((Message("user", "Hi"),), (), "a.jsonl:4"),
        Prompt((Message("user", "wins"),), (), "a.jsonl:5"),
    ]


def test_reading_is_lazy_and_repeats_are_kept(tmp_path):
    path = write(tmp_path / "a.jsonl", {"prompt": "a"}, {"prompt": "a"}, {"nothing": 1})
    prompts = read_prompts(str(path))
    assert [next(prompts).source, next(prompts).source] == ["a.jsonl:1", "a.jsonl:2"]
    with pytest.raises(InputError, match=r"a\.jsonl:3: got a row with the keys 'nothing'"):
        next(prompts)


def test_byte_order_mark_crlf_blank_lines_and_no_last_line_end(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"prompt": "caf\xc3\xa9"}\r\n\r\n  \n{"prompt": "b"}')
    assert [(p.messages[0].content, p.source) for p in read_prompts(path)] == [
        ("café", "a.jsonl:1"),
        ("b", "a.jsonl:4"),
    ]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl", "A.JSONL.GZ"])
def test_gzip_is_known_by_its_bytes(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b'{"prompt": "a"}\n'))
    assert texts(path) == ["a"]


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ({}, ["no keys", "'prompt'", "'messages'"]),
        ({"turns": ["a"]}, ["'turns'", "Rename"]),
        ({str(i): i for i in range(20)}, ["'11' and 8 more"]),
        ({"prompt": 3}, ["type number", "a text"]),
        ({"prompt": True}, ["type boolean"]),
        ({"prompt": {"a": 1}}, ["type object"]),
        ({"prompt": " \n "}, ["'prompt' that is empty"]),
        ({"prompt": []}, ["no message in 'prompt'"]),
        ({"messages": "hi"}, ["'messages' of type text", "under 'prompt'"]),
        ({"messages": ["hi"]}, ["'messages[0]' of type text"]),
        ({"messages": [{"from": "human", "value": "x"}]}, ["'from', 'value'", "'role'"]),
        ({"messages": [{"role": "usr", "content": "x"}]}, ["'usr'", "Did you mean 'user'?"]),
        ({"messages": [{"role": 7, "content": "x"}]}, ["the role 7"]),
        ({"messages": [{"role": "r" * 99, "content": "x"}]}, ["rrr..."]),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, ["of type list"]),
        ({"messages": [{"role": "user", "content": None}]}, ["of type null"]),
        ({"messages": [{"role": "user", "content": ""}]}, ["'messages[0].content' that is empty"]),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]},
            ["system turn at 'messages[1]'", "first"],
        ),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
            ["a last turn of 'assistant'", "ends with a user turn"],
        ),
        ({"messages": [{"role": "system", "content": "a"}]}, ["a last turn of 'system'"]),
        ({"prompt": "a", "tags": 3}, ["'tags' of 3", "commas"]),
        ({"prompt": "a", "tags": ["a", 1]}, ["'tags' of ['a', 1]"]),
    ],
)
def test_a_broken_row_says_where_what_and_how(tmp_path, row, parts):
    message = error_of(write(tmp_path / "a.jsonl", {"prompt": "fine"}, row))
    assert message.startswith(f"{tmp_path / 'a.jsonl'}:2: got ")
    assert "Allowed: " in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b'{"prompt": "a"', ["at column", "one whole JSON object per line"]),
        (b"just words", ["'just words'", "format 'txt'"]),
        (b'[{"prompt": "a"}]', ["without a list"]),
        (b'{"prompt": "\\ud800 x"}', ["half of a surrogate pair, \\ud800", "valid Unicode"]),
        (b'{"prompt": "\\ud83d\\ude00 \\udc00"}', ["half of a surrogate pair, \\udc00"]),
        (b'{"prompt": "\xff"}', ["byte 0xff at offset 12", "UTF-8"]),
    ],
)
def test_a_line_that_is_no_object(tmp_path, line, parts):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\n{"prompt": "a"}\n' + line + b"\n")
    message = error_of(path)
    assert message.startswith(f"{path}:3: got ")
    for part in parts:
        assert part in message


def test_half_a_surrogate_pair_from_elsewhere():
    with pytest.raises(InputError, match=r"a\.jsonl:7: got half of a surrogate pair, \\udfff"):
        prompt_of_row({"prompt": "x\udfff"}, (Path("a.jsonl"), 7))


def test_a_whole_surrogate_pair_is_one_character(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"prompt": "\\ud83d\\ude00"}')
    assert texts(path) == ["\U0001f600"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert "holds no prompt" in error_of(tmp_path / name)


def test_a_header_alone_is_an_empty_file(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,tags\n")
    assert "holds no prompt" in error_of(tmp_path / "a.csv")


def test_csv_with_quotes_line_breaks_tags_and_other_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(
        b'\xef\xbb\xbfid, prompt ,tags\r\n1,"one, ""two""\r\nthree","x,y"\r\n\r\n2,four,\r\n'
    )
    assert list(read_prompts(path)) == [
        Prompt((Message("user", 'one, "two"\r\nthree'),), ("x", "y"), "a.csv:2"),
        Prompt((Message("user", "four"),), (), "a.csv:5"),
    ]


@pytest.mark.parametrize(
    ("content", "line", "parts"),
    [
        ("text,id\na,1\n", 1, ["the columns 'text', 'id'", "exactly one column 'prompt'"]),
        ("prompt;tags\na;b\n", 1, ["'prompt;tags'"]),
        ("prompt,prompt\na,b\n", 1, ["exactly one"]),
        ("prompt,id\na,1\nb, c, 2\n", 3, ["3 fields", "2 fields", "double quotes"]),
        ('prompt\nfine\n"open\nend\n', 3, ["unexpected end of data"]),
        ('prompt\n"a"b\n', 2, ["no CSV"]),
        ("prompt,id\n,1\n", 2, ["'prompt' that is empty"]),
        ("prompt\n" + "x" * 200_000 + "\n", 2, ["131"]),
    ],
)
def test_broken_csv(tmp_path, content, line, parts):
    path = tmp_path / "a.csv"
    path.write_text(content)
    message = error_of(path)
    assert message.startswith(f"{path}:{line}: got ")
    for part in parts:
        assert part in message


def test_txt(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b'\xef\xbb\xbf one \r\n\r\n{"prompt": 1}\nlast')
    assert [(p.messages[0].content, p.source) for p in read_prompts(path)] == [
        ("one", "a.txt:1"),
        ('{"prompt": 1}', "a.txt:3"),
        ("last", "a.txt:4"),
    ]
    path.write_bytes(b"fine\n\xe9t\xe9\n")
    assert error_of(path).startswith(f"{path}:2: got byte 0xe9 at offset 0")


def write_parquet(path: Path, row_group_size: int = 2, **columns: Any) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


def test_parquet_with_prompts_tags_and_messages(tmp_path):
    path = write_parquet(
        tmp_path / "a.parquet",
        prompt=["a", "b", "c"],
        tags=[["x"], None, []],
        extra=[1, 2, 3],
    )
    assert list(read_prompts(path)) == [
        Prompt((Message("user", "a"),), ("x",), "a.parquet:1"),
        Prompt((Message("user", "b"),), (), "a.parquet:2"),
        Prompt((Message("user", "c"),), (), "a.parquet:3"),
    ]
    talk = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    path = write_parquet(tmp_path / "b.parquet", messages=[talk], prompt=[None])
    assert [p.messages for p in read_prompts(path)] == [
        (Message("system", "s"), Message("user", "u"))
    ]


def test_broken_parquet(tmp_path):
    import pyarrow as pa

    path = write_parquet(tmp_path / "a.parquet", text=["a"])
    assert "the columns 'text'. Allowed: 'prompt'" in error_of(path)
    path = write_parquet(tmp_path / "b.parquet", prompt=["a", "b", None])
    assert error_of(path).startswith(f"{path}:3: got a row with the keys 'prompt'")
    (tmp_path / "c.parquet").write_text("not parquet at all")
    assert "no Parquet file" in error_of(tmp_path / "c.parquet")
    raw = pa.StringArray.from_buffers(
        1, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff")
    )
    path = write_parquet(tmp_path / "d.parquet", prompt=raw)
    assert error_of(path).startswith(f"{path}:1: got a text with byte 0xff at offset 1")
    path = write_parquet(tmp_path / "e.parquet", prompt=pa.array([], pa.string()))
    assert "holds no prompt" in error_of(path)


def test_parquet_over_many_row_groups(tmp_path):
    words = [f"prompt {i}" for i in range(2500)]
    path = write_parquet(tmp_path / "a.parquet", row_group_size=700, prompt=words)
    prompts = list(read_prompts(path))
    assert [p.messages[0].content for p in prompts] == words
    assert [p.source for p in prompts] == [f"a.parquet:{i}" for i in range(1, 2501)]


@pytest.mark.parametrize("name", ["a.json", "a", "a.tsv", "a.gz"])
def test_an_unknown_name_needs_a_format(tmp_path, name):
    path = write(tmp_path / name, {"prompt": "a"})
    assert f"Cannot tell the format of {name}" in error_of(path)
    assert texts(path, "jsonl") == ["a"]
    assert texts(path, "txt") == ['{"prompt": "a"}']


def test_an_unknown_format(tmp_path):
    path = write(tmp_path / "a.jsonl", {"prompt": "a"})
    assert "Did you mean 'jsonl'?" in error_of(path, "json")


def test_a_missing_file_lists_near_names(tmp_path):
    write(tmp_path / "prompts.jsonl", {"prompt": "a"})
    message = error_of(tmp_path / "promts.jsonl")
    assert "does not exist" in message
    assert f"Similar names in {tmp_path}: prompts.jsonl." in message
    assert "No file in" in error_of(tmp_path / "zzz")
    assert "The folder" in error_of(tmp_path / "no" / "prompts.jsonl")
    assert "no regular file" in error_of(tmp_path)


def test_a_missing_file_is_noticed_at_once(tmp_path):
    with pytest.raises(InputError):
        read_prompts(tmp_path / "nothing.jsonl")


def test_a_damaged_gzip_file(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    whole = gzip.compress(b'{"prompt": "a"}\n' * 1000)
    path.write_bytes(whole[:-12])
    assert "gzip file is damaged or cut short" in error_of(path)
    path.write_bytes(whole[:10] + b"\x07" + whole[11:])
    assert "gzip file is damaged" in error_of(path)


def test_an_unreadable_file(tmp_path, monkeypatch):
    path = write(tmp_path / "a.jsonl", {"prompt": "a"})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "cannot be read (Permission denied)" in error_of(path)


def test_starter_means_the_prompts_that_ship(tmp_path, monkeypatch):
    folder = tmp_path / "prompts" / "starter"
    folder.mkdir(parents=True)
    write(folder / "starter.jsonl", {"prompt": "shipped"})
    monkeypatch.setattr("cai.intake.read.content_dir", lambda _: tmp_path / "prompts")
    monkeypatch.chdir(tmp_path)
    assert [p.source for p in read_prompts("starter")] == ["starter.jsonl:1"]
    assert "does not exist" in error_of("Starter")
    (tmp_path / "starter").write_text("my own\n")
    assert texts("starter", "txt") == ["my own"]


def test_the_shipped_starter_prompts_can_be_read():
    if not (content_dir("prompts") / "starter" / "starter.jsonl").exists():
        pytest.skip("the starter prompts are not there")
    assert count_prompts("starter").rows > 0


def test_the_summary_counts_rows_and_different_prompts(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"a\nb\na\na\n c\n"))
    assert count_prompts(path) == PromptsSummary(
        5, 3, hashlib.sha256(path.read_bytes()).hexdigest()
    )


def dialogue(*turns: tuple[str, str]) -> str:
    return "".join(f"\n\n{who}: {said}" for who, said in turns)


def test_hh_prompts_are_found_by_the_first_row(tmp_path):
    shared = (("Human", "Hi: there"), ("Assistant", "Say: Human: what?"), ("Human", "a\n\nb: c"))
    row = {
        "chosen": dialogue(*shared, ("Assistant", "yes")),
        "rejected": dialogue(*shared, ("Assistant", "no")),
        "tags": "t",
    }
    assert list(read_prompts(write(tmp_path / "a.jsonl", row))) == [
        Prompt(
            (
                Message("user", "Hi: there"),
                Message("assistant", "Say: Human: what?"),
                Message("user", "a\n\nb: c"),
            ),
            ("t",),
            "a.jsonl:1",
        )
    ]
    both = write(tmp_path / "b.jsonl", {"prompt": "plain", **row})
    assert texts(both) == ["plain"]
    assert texts(both, "hh-rlhf") == ["a\n\nb: c"]


def test_hh_turns_of_one_role_in_a_row(tmp_path):
    answer_in_two = dialogue(("Human", "q"), ("Assistant", "a"), ("Assistant", "b"))
    merged_before = dialogue(
        ("Human", "q"), ("Human", "r"), ("Assistant", "a"), ("Assistant", ""), ("Human", "s")
    )
    path = write(
        tmp_path / "a.jsonl",
        {"chosen": answer_in_two},
        {"chosen": merged_before + "\n\nAssistant: end"},
        {"chosen": dialogue(("Human", "q"), ("Assistant", "a"), ("Human", "cut off"))},
    )
    assert [p.messages for p in read_prompts(path)] == [
        (Message("user", "q"),),
        (Message("user", "q\n\nr"), Message("assistant", "a"), Message("user", "s")),
        (Message("user", "q"),),
    ]


@pytest.mark.parametrize(
    ("chosen", "part"),
    [
        (7, "without a text under 'chosen'"),
        ("no speaker", "the dialogue 'no speaker'"),
        ("\n\nHuman: no answer", "the dialogue"),
        ("\n\nAssistant: alone", "the dialogue"),
        ("words first \n\nHuman: q\n\nAssistant: a", "begins with 'Human:'"),
        ("\n\nHuman: \n\nAssistant: a", "'messages[0].content' that is empty"),
    ],
)
def test_broken_hh_rows(tmp_path, chosen, part):
    good = {"chosen": dialogue(("Human", "q"), ("Assistant", "a"))}
    path = write(tmp_path / "a.jsonl", good, {"chosen": chosen})
    message = error_of(path)
    assert message.startswith(f"{path}:2: got ")
    assert part in message


NASTY = st.lists(
    st.sampled_from(
        ["Human:", "Assistant:", "\n", ": ", "é", "\n\n", "x", "Human: ", " A", "\n\n:"]
    ),
    min_size=1,
    max_size=8,
).map("".join)
SAID = (NASTY | st.text(min_size=1)).filter(
    lambda text: (
        text == text.strip()
        and text != ""
        and not any(f"\n\n{who}:" in "\n\n" + text for who in ("Human", "Assistant"))
    )
)
# A turn may begin with a speaker's name, because its own speaker stands before it.
LEADING = SAID | SAID.map(lambda text: "Human: " + text)


@given(st.lists(LEADING, min_size=1, max_size=7))
def test_a_composed_dialogue_parses_into_its_turns(said):
    turns = [("Human" if i % 2 == 0 else "Assistant", text) for i, text in enumerate(said)]
    assert [(m.role, m.content) for m in parse_dialogue(dialogue(*turns))] == [
        ({"Human": "user", "Assistant": "assistant"}[who], text) for who, text in turns
    ]


@given(st.lists(LEADING, min_size=1, max_size=7).filter(lambda said: len(said) % 2 == 1))
def test_a_conversation_survives_json(tmp_path_factory, said):
    roles = ["user", "assistant"]
    turns = [{"role": roles[i % 2], "content": text} for i, text in enumerate(said)]
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    path.write_text(json.dumps({"messages": turns}), encoding="utf-8")
    (prompt,) = read_prompts(path)
    assert [{"role": m.role, "content": m.content} for m in prompt.messages] == turns


@pytest.mark.skipif(not SHARED.exists(), reason="the public data is not beside the checkout")
def test_public_files():
    path = SHARED / "hh-rlhf" / "harmless-base-test-dev.jsonl.gz"
    prompts = list(read_prompts(path))
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert len(prompts) == len(rows) == 1156
    for prompt, row in zip(prompts, rows, strict=True):
        assert row["chosen"].startswith(f"\n\nHuman: {prompt.messages[0].content}")
        for other in (row["chosen"], row["rejected"]):
            assert f"\n\nHuman: {prompt.messages[-1].content}\n\nAssistant:" in other
    assert count_prompts(SHARED / "xstest" / "xstest_prompts_dev.csv").rows > 200
    assert "'turns'" in error_of(SHARED / "mt-bench" / "question.jsonl")
