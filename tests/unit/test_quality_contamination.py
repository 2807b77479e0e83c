"""No planted evaluation item is missed, and nothing else is found."""

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cai.errors import InputError, UsageError
from tests.unit.quality_helpers import find, pair, write

RANDOM = random.Random(9)
WORDS = [f"term{i}" for i in range(400)]
ITEM = " ".join(f"Item{i}," for i in range(30))


def text(count: int = 40) -> str:
    return " ".join(RANDOM.choices(WORDS, k=count))


def leaks(folder: Path, rows: list[object], items: list[object], **options: int) -> set[int]:
    against = write(folder / "eval.jsonl", items)
    return set(find(folder, "contamination", rows, against=(against,), **options).drops)


@pytest.mark.parametrize("start", [0, 5, 17])
@pytest.mark.parametrize("key", ["prompt", "chosen", "rejected"])
def test_thirteen_words_anywhere_are_found(tmp_path: Path, start: int, key: str):
    part = " ".join(ITEM.split()[start : start + 13]).lower().replace(",", " -")
    row = pair(text(), text(), text()) | {key: f"{text(7)} {part} {text(7)}"}
    clean = pair(text(), text(), text())
    assert leaks(tmp_path, [clean, row, clean], [{"question": ITEM}]) == {1}


def test_twelve_words_are_not(tmp_path: Path):
    row = pair(" ".join(ITEM.split()[:12]), text(), text())
    assert leaks(tmp_path, [row], [{"question": ITEM}]) == set()
    assert leaks(tmp_path, [row], [{"question": ITEM}], ngram=12) == {0}


def test_no_ngram_spans_two_texts(tmp_path: Path):
    words = ITEM.split()
    row = pair(" ".join(words[:10]), " ".join(words[10:20]), " ".join(words[20:]))
    assert leaks(tmp_path, [row], [{"question": ITEM}]) == set()


def test_short_items_match_as_a_whole(tmp_path: Path):
    items = [{"question": "What is two plus two?"}, {"question": "Why?"}]
    rows = [
        pair("Tell me: what is two plus TWO, please", "4", "5"),
        pair("what is two plus three", "4", "5"),
        pair("why?", "Because.", "No."),
        pair("Why not today", "Because.", "No."),
    ]
    assert leaks(tmp_path, rows, items) == {0, 2}


def test_short_answers_choices_and_system_turns_are_no_items(tmp_path: Path):
    item = {
        "question": ITEM,
        "answer": "the capital of France",
        "choices": ["one of these things", "none of these things"],
        "messages": [
            {"role": "system", "content": "You are a helpful assistant"},
            {"role": "assistant", "content": "one of these things"},
        ],
    }
    row = pair("You are a helpful assistant", "It is the capital of France", "one of these things")
    assert leaks(tmp_path, [row], [item]) == set()


def test_each_file_is_reported(tmp_path: Path):
    first = write(tmp_path / "first.jsonl", [{"question": ITEM}, {"question": text(20)}])
    second = write(tmp_path / "second.txt", ["another question of some words"])
    rows = [pair(ITEM, "yes", "no"), pair("x another question of some words", "yes", "no")]
    finding = find(tmp_path, "contamination", rows, against=(first, second))
    figures = dict(finding.figures)
    assert figures["Against first.jsonl"] == "1 rows share words with at least 1 of 2 texts"
    assert "by a text of fewer than 13 words" in figures["Against second.txt"]
    assert finding.level == "error" and finding.examples[0].other == "first.jsonl:1"


def test_all_formats_of_evaluation_files(tmp_path: Path):
    rows = [{"question": ITEM}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.csv").write_text(f'question,n\n"{ITEM}",1\n')
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    write(tmp_path / "a.jsonl", [{"unknown": ITEM}])
    write(tmp_path / "b.jsonl", [{"chosen": f"\n\nHuman: {ITEM}\n\nAssistant: x", "rejected": ""}])
    for name in ("a.json", "a.csv", "a.parquet", "a.jsonl", "b.jsonl"):
        against = (tmp_path / name,)
        assert find(tmp_path, "contamination", [pair(ITEM, "a", "b")], against=against).count == 1


def test_what_cannot_be_read_is_refused(tmp_path: Path):
    empty = write(tmp_path / "empty.jsonl", [{"question": ""}])
    broken = write(tmp_path / "broken.jsonl", ["{"])
    for against, match in ((empty, "no evaluation item"), (broken, "got no JSON")):
        with pytest.raises(InputError, match=match):
            find(tmp_path, "contamination", [pair("a", "b", "c")], against=(against,))
    with pytest.raises(UsageError, match="--against"):
        find(tmp_path, "contamination", [pair("a", "b", "c")])


def test_an_item_at_the_start_of_a_text_is_not_laid_to_the_row_before(tmp_path: Path):
    rows = [pair("x1 x2", "y1", "y2"), pair("a b c", "y3", "y4")]
    items = [{"question": "a b c"}, {"question": "k l m n"}]
    assert leaks(tmp_path, rows, items, ngram=6) == {1}


@pytest.mark.parametrize("seed", range(8))
def test_nothing_differs_from_a_search_word_by_word(tmp_path: Path, seed: int):
    draw = random.Random(seed)
    few = [f"w{i}" for i in range(3)]

    def words(count: int) -> list[str]:
        return draw.choices(few, k=count)

    items = [words(draw.randint(3, 9)) for _ in range(12)]
    rows = [[words(draw.randint(1, 14)) for _ in range(3)] for _ in range(150)]
    grams = [(tuple(i[s : s + 6])) for i in items for s in range(max(1, len(i) - 5))]
    expected = {
        number
        for number, texts in enumerate(rows)
        for text in texts
        for gram in grams
        if any(tuple(text[s : s + len(gram)]) == gram for s in range(len(text)))
    }
    found = leaks(
        tmp_path,
        [pair(*(" ".join(text) for text in texts)) for texts in rows],
        [{"question": " ".join(item)} for item in items],
        ngram=6,
    )
    assert found == expected and 10 < len(found) < 150
