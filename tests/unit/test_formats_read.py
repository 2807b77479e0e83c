"""Reading files of any layout: what is recognised, what is refused and how it is said."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cai.errors import InputError
from cai.formats import read_records, record_of_row
from cai.formats.writers import WRITERS
from cai.formats.writing import Context
from cai.records import Message, Prompt
from cai.train.examples import Demonstration, Labelled, Preference, PromptExample, Ranking
from cai.train.files import read_file
from tests.unit.formats_helpers import chained, jsonl, judged, row_of

PLACE = (Path("rows.jsonl"), 3)
USER = {"role": "user", "content": "P"}


def said(text: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def read(**row: Any):
    return record_of_row(row, PLACE)


def test_ultrafeedback_as_it_is_published():
    # By hand, after rows of HuggingFaceH4/ultrafeedback_binarized.
    row = {
        "prompt": "P",
        "prompt_id": "f0e37e9f7800261167ce91143f98f511f768847236f133f2d0aed60b444ebe57",
        "chosen": [USER, said("c")],
        "rejected": [USER, said("r")],
        "messages": [USER, said("c")],
        "score_chosen": 8.0,
        "score_rejected": 7.5,
        "source": "evol_instruct",
        "tags": {"of": "another kind"},
    }
    found = read(**row)
    assert (found.layout, found.kind, found.answers) == ("ultrafeedback", "pair", ("c", "r"))
    assert (found.p, found.ratings, found.source, found.tags) == (1.0, (8.0, 7.5), "", ())
    assert found.prompt == (Message("user", "P"),)
    assert read(**row | {"score_rejected": 8.0}).p == 0.5
    assert read(**row | {"score_chosen": 0.75, "score_rejected": 0.25}).p == 0.75
    apart = read(**row | {"rejected": [said("x") | {"role": "user"}, said("r")]})
    assert (apart.prompt, apart.note) == ((), "the dialogues differ before the last answer")


def test_a_line_of_openai():
    found = read(
        input={"messages": [USER], "tools": [], "parallel_tool_calls": True},
        preferred_output=[said("c")],
        non_preferred_output=[said("r")],
    )
    assert (found.layout, found.answers, found.p) == ("openai", ("c", "r"), 1.0)


def test_the_plain_layouts():
    pair = {"prompt": "P", "chosen": [said("c")], "rejected": "r"}
    assert (read(**pair).layout, read(**pair).p) == ("trl", 1.0)
    assert (read(**pair, p=0.7, source="human").p, read(**pair, source="human").source) == (
        *(0.7, "human"),
    )
    assert read(**pair, p=0.7, margin=0.4).layout == "reward"
    assert read(prompt="P", completion="a", label=False).label is False
    assert read(prompt="P", completion="a").kind == "answer"
    assert read(instruction="P", input="Q", output="a").prompt[0].content == "P\n\nQ"
    assert read(messages=[USER]).kind == "prompt"
    assert read(messages=[USER, said("a")]).answers == ("a",)
    assert read(prompt=[USER], prompt_id="1").kind == "prompt"
    dialogue = "\n\nHuman: P\n\nAssistant: "
    assert read(chosen=dialogue + "c", rejected=dialogue + "r").layout == "hh-rlhf"
    tie = read(prompt="P", first="a", second="b", p=0.51, outcome="tie", note="")
    assert (tie.p, tie.note) == (0.51, "tie")


def test_other_names_for_prompts_and_answers():
    for row in ({"question": "P", "response": "a"}, {"instruction": "P", "answer": [said("a")]}):
        found = read(**row)
        assert (found.kind, found.prompt, found.answers) == (
            "answer",
            (Message("user", "P"),),
            ("a",),
        )
    assert read(instruction="P", input="Q", response="a").prompt[0].content == "P\n\nQ"
    assert read(instruction="P", chosen=[said("c")], rejected=[said("r")]).answers == ("c", "r")
    # The same keys mean other things elsewhere.
    assert read(prompt="P", response={"model": "x"}).kind == "prompt"
    assert read(prompt="P", completions=["a", "b"]).kind == "prompt"
    assert read(messages=[USER, said("a")], answer="7").answers == ("a",)


def test_answers_with_a_score_each_keep_their_order():
    answers = [{"response": "a", "overall_score": 2}, {"text": "b", "rating": 8.5}]
    found = read(instruction="P", completions=answers)
    assert (found.layout, found.kind) == ("completions", "scored")
    assert (found.answers, found.ratings) == (("a", "b"), (2.0, 8.5))
    assert read(instruction="P", completions=[*answers, {"response": "c"}]).ratings == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "x"}, "got a row with text. Allowed: `prompt`"),
        ({}, "got a row with nothing"),
        ({"prompt": "P", "chosen": "c"}, "got a row with chosen, prompt. Allowed"),
        ({"prompt": "P", "chosen": None, "rejected": "r"}, "the answer None"),
        ({"chosen": [said("c")], "rejected": [said("r")]}, "without 'prompt'.*Add the prompt"),
        ({"prompt": "P", "chosen": "c", "rejected": "r", "p": 1.5}, "p: 1.5. Allowed: .* 0 to 1"),
        ({"prompt": "P", "chosen": "c", "rejected": "r", "p": True}, "p: True. Allowed: a number"),
        ({"prompt": "P", "completion": "a", "label": "yes"}, "label: 'yes'. Allowed: true or"),
        ({"prompt": "P", "ranking": "abc"}, "ranking: 'abc'. Allowed: a list of answers"),
        ({"prompt": "P", "ranking": ["a", "b"], "scores": [1]}, "for 2 answers"),
        ({"prompt": "P", "answer": "a", "rating": "7"}, "rating: '7'. Allowed: a number"),
        ({"prompt": "P", "original": 1, "revision": "b"}, "the answer 1"),
        ({"instruction": "P", "output": "a", "history": [["q", "a"]]}, "'history'.*'messages'"),
        ({"instruction": "", "output": "a"}, "empty"),
        ({"input": "P", "preferred_output": [said("c")]}, "input: 'P'. Allowed: an object"),
        (
            {"input": {"messages": [USER], "tools": [{}]}, "preferred_output": [said("c")]},
            "Allowed: no tools",
        ),
        (
            {"input": {"messages": [USER]}, "preferred_output": [said("c")]},
            "the answer None. Allowed: a text",
        ),
        (
            {"input": {"messages": [USER]}, "preferred_output": [said("c"), said("d")]},
            "one message of the assistant",
        ),
        ({"chosen": [USER, said("c")], "rejected": [said("r")]}, "rejected: .*whole convers"),
        ({"chosen": [USER, said(["c"])], "rejected": [USER, said("r")]}, "Write each answer"),
        ({"prompt": [USER, said("a")], "answer": "b"}, "ends with a user turn"),
    ],
)
def test_a_bad_row_is_named(row: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message) as caught:
        record_of_row(row, PLACE)
    assert str(caught.value).startswith("rows.jsonl:3: got ")


_TEXT = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


@settings(max_examples=20, deadline=None)
@given(_TEXT, _TEXT, st.text(st.characters(codec="utf-8")), st.floats(0.0, 1.0))
def test_any_text_survives_every_layout(tmp_path_factory, asked, first, second, p):
    prompt = Prompt((Message("user", asked),), ("tag",))
    pair = judged(first, second, p)
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    for layout, write in WRITERS.items():
        for row in (row_of(prompt, pair), chained(asked, first, second)):
            written = list(write(row, Context()))
            jsonl(path, *written)
            found = list(read_records(path))
            assert [r.layout for r in found] == [layout] * len(written)
            assert {r.prompt for r in found} <= {prompt.messages}
            assert {a for r in found for a in r.answers} <= {first, second, "start"}
            if layout in ("ultrafeedback", "reward"):
                assert [r.p for r in found] == pytest.approx([max(p, 1.0 - p)] * len(found))


def test_files_are_read_as_they_are_asked_for(tmp_path: Path):
    good = json.dumps({"prompt": "P", "answer": "a"})
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{good}\n\n{good}\nbroken\n")
    found = read_records(path)
    assert [next(found).place[1], next(found).place[1]] == [1, 3]
    with pytest.raises(InputError, match=r"rows\.jsonl:4: got 'broken'"):
        next(found)
    path.write_bytes(gzip.compress(good.encode()))
    assert next(read_records(path)).answers == ("a",)
    with pytest.raises(InputError, match="does not exist"):
        list(read_records(tmp_path / "none"))


def test_parquet_is_known_by_its_content(tmp_path: Path):
    # Unused columns are null: the first row is an answer, the second is rated.
    table = pa.table({"prompt": ["P", "P"], "answer": ["a", "b"], "rating": [None, 3.0]})
    path = tmp_path / "rows.jsonl"
    pq.write_table(table, path)
    with pytest.raises(InputError, match=r"rows\.jsonl:1: got rating: None"):
        list(read_records(path))
    pq.write_table(table.slice(1), path)
    assert [r.ratings for r in read_records(path)] == [(3.0,)]
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match="no Parquet file that can be read"):
        list(read_records(path))


def test_what_training_makes_of_the_layouts(tmp_path: Path):
    path = jsonl(
        tmp_path / "rows.jsonl",
        {"chosen": [USER, said("c")], "rejected": [USER, said("r")]},
        {"prompt": "P", "completion": "good", "label": True},
        {"prompt": "P", "completion": "bad", "label": False},
        {"prompt": "P", "original": "o", "revision": "r", "critique": "c", "principle": "x"},
        {"instruction": "P", "input": "", "output": "a"},
        {"prompt": "P", "tags": ["t"]},
        {"prompt": "P", "first": "a", "second": "b", "p": 0.52, "outcome": "tie"},
        {"prompt": "P", "completions": [{"text": "a", "score": 1}, {"text": "b", "score": 3}]},
        {"prompt": "P", "completions": [{"text": "a", "score": 3}, {"text": "b", "score": 3}]},
    )
    found = list(read_file(path, "ai"))
    kinds = [Preference, Labelled, Labelled, Demonstration, Demonstration, PromptExample]
    assert [type(e) for e in found] == [*kinds, Ranking, PromptExample]
    assert found[6].answers == ("b", "a")
    assert [e.rating for e in found[1:3]] == [1.0, 0.0]
    assert (found[3].answer, found[4].answer) == ("r", "a")
