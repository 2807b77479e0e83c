"""The questions of the alignment tax, and the checks of instructions."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cai.content import content_dir
from cai.errors import ConfigError
from cai.evaluate.tax.checks import passes
from cai.evaluate.tax.content import AREAS, CHANCE, Check, read_tax

CONTENT = read_tax()
FILES = {file.area: file for file in CONTENT.options}
assert CONTENT.instructions
REQUESTS = {item.id: item for item in CONTENT.instructions.items}

# Of each request an answer that follows it, and one that does not.
ANSWERS = {
    "yes-or-no": ("No.", "No, it is not."),
    "one-word-colour": ("Blue", "The colour blue"),
    "three-words": ("Deep, blue, endless.", "The sea is very deep."),
    "under-twenty": ("A vehicle with two wheels.", "word " * 20),
    "at-least-fifty": ("leaf " * 50, "leaf " * 49),
    "starts-dear": ("Dear Mr Holm, the tap drips.", "Hello, the tap drips."),
    "starts-sure": ("A map shows the way.", "Maps show the way."),
    "ends-thanks": ("Come at four. See you soon!\n", "See you soon! Bye."),
    "json-person": ('{"name": "Ada", "age": 36}', 'Sure: {"name": "Ada", "age": 36}'),
    "json-city": ('{"city": "Oslo", "country": "Norway"}', '{"city": "Oslo"}'),
    "json-book": ('{"title": "T", "author": "A", "year": 1}', '["title", "author", "year"]'),
    "three-bullets": ("- fig\n- pear\n- plum", "- fig\n- pear"),
    "numbered-two": ("1. cat\n2. dog", "cat and dog"),
    "digits-only": ("7", "7 days"),
    "capitals": ("DOGS LIKE WALKS.", "DOGS like WALKS."),
    "lower-case": ("the rain falls.", "The rain falls."),
    "no-commas": ("The pot is hot. The tap drips. The cat sleeps.", "Pots, pans and a cat."),
    "no-word-very": (
        "The mountain is high. Every path is steep.",
        "It is very high and steep now.",
    ),
    "use-two-words": ("The Lantern lit the river.", "The lantern lit the road."),
    "contains-sum": ("The shop sells 42 hats.", "The shop sells hats."),
    "question-mark": ("How far is the moon?", "The moon is far."),
    "quotes": ('"Grow together."', "Grow together."),
    "two-paragraphs": ("Tea is hot.\n\nIt is green.", "Tea is hot.\nIt is green."),
    "comma-list": ("leek, kale, beet, pea", "leek, kale, beet, pea, corn"),
}


def test_every_area_has_as_many_items_and_none_comes_twice():
    counts = {area: sum(a == area for a, _ in CONTENT.keys) for area in AREAS}
    assert set(counts.values()) == {24}
    questions = [item.question for file in CONTENT.options for item in file.items]
    questions += [item.ask for item in REQUESTS.values()]
    assert len(set(questions)) == len(questions)
    assert CHANCE["code"] == 0.25
    assert CHANCE["instructions"] == 0


@pytest.mark.parametrize("area", sorted(FILES))
def test_the_right_option_of_the_examples_takes_each_letter_once(area: str):
    assert sorted(one.answer for one in FILES[area].examples) == [0, 1, 2, 3]


CODE = [item for item in FILES["code"].items if item.question.startswith("What does this print?")]


@pytest.mark.parametrize("item", CODE, ids=lambda item: item.id)
def test_python_prints_the_right_option(item: Any):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(item.question.partition("\n\n")[2], {})
    assert printed.getvalue().strip() == item.options[0]


def test_the_code_that_prints_was_nearly_all():
    assert len(CODE) >= 20


SUMS = {
    "sum-small": 17 + 26,
    "sum-three": 8 + 15 + 9,
    "minus-small": 52 - 18,
    "minus-hundred": 100 - 37,
    "times-small": 7 * 8,
    "times-two-digits": 14 * 6,
    "divide-even": 96 // 8,
    "divide-rest": 29 % 6,
    "half-of": 130 // 2,
    "percent-ten": 250 // 10,
    "percent-off": 80 * 3 // 4,
    "eggs": 6 * 9,
    "change": 20 - 13.5,
    "train-speed": 240 // 3,
    "share-cake": 35 // 5,
    "metres": 240,
    "grams": 4000 // 500,
    "square-room": 5 * 5,
    "fence": 2 * (8 + 3),
    "negative": 4 - 9,
    "next-in-row": 24 * 2,
    "largest": max(0.9, 0.35, 0.089, 0.51),
    "quarter": 60 * 3 // 4,
}


def test_sums_are_right():
    given = {item.id: item.options[0] for item in FILES["arithmetic"].items}
    assert given.pop("minutes") == "21:15"
    assert {name: float(text) for name, text in given.items()} == SUMS


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_an_answer_that_follows_passes_and_one_that_does_not_fails(name: str):
    follows, fails = ANSWERS[name]
    assert passes(REQUESTS[name].checks, follows)
    assert not passes(REQUESTS[name].checks, fails)
    assert not passes(REQUESTS[name].checks, "")


def test_deeply_nested_json_is_only_wrong():
    assert not passes([Check.model_validate({"json": ["a"]})], "[" * 200_000)


def test_a_limit_spreads_over_areas_and_a_larger_one_adds():
    small, large = CONTENT.first(9), CONTENT.first(20)
    assert len(small.keys) == 9
    assert {area for area, _ in small.keys} == set(AREAS)
    assert set(small.keys) < set(large.keys)
    assert len({small.hash, large.hash, CONTENT.hash}) == 3


def test_a_folder_of_ones_own_and_only_some_areas(tmp_path: Path):
    packaged = (content_dir("prompts") / "tax" / "code.yaml").read_text()
    (tmp_path / "code.yaml").write_text(packaged)
    assert len(read_tax(["code"], tmp_path).keys) == 24
    (tmp_path / "code.yaml").write_text(packaged.replace("area: code", "area: reading"))
    with pytest.raises(ConfigError, match="named after the file"):
        read_tax(["code"], tmp_path)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"regex": "("}, "no regular expression"),
        ({"max_words": 3, "min_words": 1}, "one key, got min_words, max_words"),
        ({}, "one key, got none"),
        ({"words": 3}, "words"),
    ],
)
def test_a_check_that_is_none_is_refused(tmp_path: Path, check: dict[str, Any], said: str):
    file = {"format": 1, "area": "instructions", "summary": "S"}
    items = [{"id": "one", "ask": "Say it.", "checks": [check]}]
    (tmp_path / "instructions.yaml").write_text(json.dumps({**file, "items": items}))
    with pytest.raises(ConfigError, match=said):
        read_tax(["instructions"], tmp_path)
