"""There and back: what a layout can hold is the same afterwards, to the byte for real files."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cai.constitution import load_constitution
from cai.constitution.exchange import (
    LAYOUTS,
    chats_of,
    export_constitution,
    import_constitution,
    questions_of,
    read_source,
)
from cai.errors import InputError
from tests.unit.exchange_helpers import (
    CHAT,
    GENERATED,
    ICAI,
    PAPER,
    SWARM,
    TRAITS,
    constitution,
    imported,
)

ROOT = Path(__file__).parents[2]
REAL = Path(
    os.environ.get("CAI_TEST_CONSTITUTIONS", ROOT.parent / "shared" / "data" / "constitutions")
)
"""Published constitutions, which are not part of this repository."""


@dataclass
class Trip:
    """An import, its export to the same layout, and the import of that."""

    first: object
    text: str
    second: object
    warnings: tuple


def there_and_back(file, layout, folder, **options):
    """Import a file, write it to YAML, export that, and import what was exported."""
    first = import_constitution(file, **options)
    (folder / "c.yaml").write_text(first.yaml("x"), encoding="utf-8")
    loaded = load_constitution(folder / "c.yaml")
    (folder / "chats.jsonl").write_text(first.chat_lines() or "\n", encoding="utf-8")
    (folder / "asked.jsonl").write_text(first.question_lines() or "\n", encoding="utf-8")
    exported = export_constitution(
        loaded,
        layout,
        order=[p.id for p in first.file.principles],
        chats=chats_of(read_source(folder / "chats.jsonl")) if first.chats else (),
        questions=questions_of(read_source(folder / "asked.jsonl")) if first.questions else {},
    )
    again = folder / f"again{file.suffix}"
    again.write_text(exported.text, encoding="utf-8")
    second = import_constitution(again, **options)
    return Trip(first, exported.text, second, exported.warnings)


def real(name):
    file = REAL / name
    if not file.is_file():
        pytest.skip(f"{name} is not there")
    return file


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize(
    ("name", "layout", "principles"),
    [
        ("nemo-aligner/CritiqueRevisionInstructions.json", "cai-paper", 16),
        ("llm-swarm/constitution_anthropic.json", "llm-swarm", 16),
        ("llm-swarm/constituion_grok.json", "llm-swarm", 2),
        ("open-character/hand-written-goodness.txt", "open-character", 15),
        ("open-character/hand-written-sarcasm.txt", "open-character", 10),
        ("open-character/few-shot-goodness.jsonl", "open-character-jsonl", 15),
        ("open-character/few-shot-sarcasm.jsonl", "open-character-jsonl", 10),
    ],
)
def test_published_files_come_back(tmp_path, name, layout, principles, complete):
    file = real(name)
    trip = there_and_back(file, layout, tmp_path, complete=complete)
    assert len(trip.first.file.principles) == principles
    assert trip.second.constitution.hash == trip.first.constitution.hash
    assert trip.second.chats == trip.first.chats
    assert trip.second.questions == trip.first.questions
    original = file.read_text(encoding="utf-8")
    if name.endswith(".jsonl"):
        parsed = [list(map(json.loads, text.splitlines())) for text in (original, trip.text)]
    else:
        parsed = [json.loads(original), json.loads(trip.text)]
    assert parsed[0] == parsed[1]
    if "grok" not in name:  # its author did not put blanks after colons
        assert trip.text == original


def test_a_published_file_of_few_shot_samples_is_no_constitution():
    with pytest.raises(InputError, match="few-shot samples"):
        import_constitution(real("nemo-aligner/few_shot_samples_example.json"))


@pytest.mark.parametrize(
    ("content", "name", "layout"),
    [
        (PAPER, "x.json", "cai-paper"),
        (SWARM, "x.json", "llm-swarm"),
        (TRAITS, "x.txt", "open-character"),
        ("\n".join(map(json.dumps, GENERATED)), "x.jsonl", "open-character-jsonl"),
        (ICAI, "x.json", "icai"),
        ("Be kind.\nBe true.\n", "x.txt", "text"),
    ],
)
def test_every_layout_comes_back(tmp_path, content, name, layout):
    imported(tmp_path, content, name)
    trip = there_and_back(tmp_path / name, layout, tmp_path)
    assert trip.second.constitution.hash == trip.first.constitution.hash
    assert trip.second.chats == trip.first.chats
    assert trip.second.questions == trip.first.questions
    if layout in ("cai-paper", "llm-swarm", "open-character"):
        assert json.loads(trip.text) == content


# Whatever letters there are, but no control characters, and no blanks around lines.
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60).map(
    str.strip
)
LINE = LINE.filter(bool)
MARKS = st.lists(st.sampled_from(list("*_`[]()<>#+-=~!&\\|:;.1a ")), min_size=1, max_size=20)
LINE = st.one_of(LINE, MARKS.map("".join).map(str.strip).filter(bool))
TEXT = st.lists(LINE, min_size=1, max_size=3).map("\n".join)
SLUG = st.from_regex(r"[a-z0-9]{1,6}([.-][a-z0-9]{1,6}){0,2}", fullmatch=True)
PRINCIPLE = st.fixed_dictionaries(
    {"id": SLUG, "text": TEXT, "critique": TEXT, "revise": TEXT, "judge": TEXT},
    optional={
        "tags": st.lists(SLUG, max_size=3, unique=True).map(tuple),
        "weight": st.floats(0.01, 1000),
        "note": TEXT,
    },
)
PRINCIPLES = st.lists(PRINCIPLE, min_size=1, max_size=5, unique_by=lambda p: p["id"])

CARRIED = {
    "cai-paper": ("id", "critique", "revise"),
    "llm-swarm": ("critique", "revise"),
    "open-character": ("text",),
    "open-character-jsonl": ("text",),
    "markdown": ("id", "text", "critique", "revise", "judge", "tags", "weight", "note"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exchange")


def back(whole, layout, folder):
    exported = export_constitution(whole, layout)
    file = folder / "x"
    file.write_text(exported.text, encoding="utf-8")
    return import_constitution(file, layout=layout.removesuffix("-jsonl")), exported


@pytest.mark.parametrize("layout", CARRIED)
@given(principles=PRINCIPLES)
@settings(max_examples=40)
def test_what_a_layout_can_hold_survives(layout, principles, folder):
    whole = constitution(*principles)
    got, exported = back(whole, layout, folder)
    fields = CARRIED[layout]

    def said(some):
        return {tuple(getattr(p, field) for field in fields) for p in some}

    assert said(got.file.principles) == said(whole.principles)
    named = " ".join(exported.warnings)
    assert not any(f" {field} of " in named for field in fields)
    if layout == "markdown":
        assert got.constitution.hash == whole.hash


@given(texts=st.lists(TEXT, min_size=1, max_size=5))
@settings(max_examples=40)
def test_plain_text_holds_texts_on_one_line(texts, folder):
    whole = constitution(*({"id": f"p{i}", "text": text} for i, text in enumerate(texts)))
    exported = export_constitution(whole, "text")
    if any("cannot hold these texts" in warning for warning in exported.warnings):
        assert any(set(text) <= set("*_=- \n") for text in texts)
        return
    got, _ = back(whole, "text", folder)
    assert {p.text for p in got.file.principles} == {" ".join(text.split()) for text in texts}


@given(asked=st.lists(LINE.filter(lambda x: not x.endswith((".", "?"))), min_size=1, max_size=5))
@settings(max_examples=40)
def test_icai_holds_what_its_questions_say(asked, folder):
    whole = constitution(
        *(
            {"id": f"p{i}", "text": f"The answer is {one}.", "judge": f"Which answer is {one}?"}
            for i, one in enumerate(dict.fromkeys(asked))
        )
    )
    got, _ = back(whole, "icai", folder)
    said = {(p.text, p.judge) for p in whole.principles}
    assert {(p.text, p.judge) for p in got.file.principles} == said


@pytest.mark.parametrize("layout", LAYOUTS)
@given(principles=PRINCIPLES)
@settings(max_examples=20)
def test_a_second_trip_changes_nothing(layout, principles, folder):
    # A text of rules such as --- alone is nothing that plain text could hold.
    assume(layout != "text" or any(set(p["text"]) - set("*_=- \n") for p in principles))
    once, _ = back(constitution(*principles), layout, folder)
    twice, exported = back(once.constitution, layout, folder)
    assert twice.constitution.hash == once.constitution.hash
    lost = [warning for warning in exported.warnings if warning.startswith("Not kept")]
    assert all(" source of " in f" {warning}" for warning in lost)


def test_an_export_has_the_very_frames_of_the_paper():
    whole = constitution({"id": "a", "text": "t", "critique": "Say.", "revise": "Do."})
    assert export_constitution(whole, "cai-paper").text == (
        '{"a": {"prompt": ["\\n\\nCritiqueRequest: Say.\\n\\nCritique:"], '
        '"edit_request": "\\n\\nRevisionRequest: Do.\\n\\nRevision:"}}'
    )


def test_an_export_says_what_it_cannot_carry():
    full = {
        "id": "a.b",
        "text": "The answer is kind.",
        "critique": "Say.",
        "revise": "Do.",
        "judge": "Which answer is kinder?",
        "tags": ("care",),
        "weight": 3.0,
        "applies_to": ["x"],
        "propositions": [{"text": "It is kind."}],
        "framing": "positive",
    }
    whole = constitution(
        full, {"id": "c", "text": "Bare."}, preamble="Be good.", priorities=("a.b",)
    )
    no_place = "Not kept, as the layout has no place for it:"
    paper = export_constitution(whole, "cai-paper").warnings
    always = "applies_to of a.b; propositions of a.b; framing of a.b."
    lost = f"{no_place} text of a.b; judge of a.b; tags of a.b; weight of a.b; {always}"
    assert paper == (
        "1 principle left out, as incomplete or repeated: c.",
        f"{no_place} preamble, priorities.",
        lost,
    )
    markdown = export_constitution(whole, "markdown").warnings
    assert markdown == (f"{no_place} preamble, priorities.", f"{no_place} {always}")
    text = export_constitution(whole, "text").warnings
    assert "2 ids not kept: this layout has none, and an import makes new ones from the words." in (
        text
    )


def test_an_export_needs_something_to_write():
    bare = constitution({"id": "a", "text": "Bare.", "critique": "Say."})
    for layout in ("cai-paper", "llm-swarm"):
        with pytest.raises(InputError, match=r"mine@1\.0\.0: no principle has both"):
            export_constitution(bare, layout)


def test_questions_and_chats_of_others_are_named():
    whole = constitution({"id": "a", "text": "Kind.", "critique": "Say.", "revise": "Do."})
    asked = {"a": [("additional_questions", "More?")], "z": [("questions", "Whose?")]}
    warnings = export_constitution(whole, "open-character", questions=asked).warnings
    assert any(w.startswith("1 additional question left out") for w in warnings)
    assert any(w.startswith("1 trait without questions") for w in warnings)
    assert "1 question whose tag names no principle left out." in warnings
    assert any("system_chat" in w for w in export_constitution(whole, "llm-swarm").warnings)


def test_icai_turns_texts_into_requests_where_the_question_does_not_fit():
    whole = constitution(
        {"id": "a", "text": "The answer is clear.", "judge": "Which answer would you trust?"},
        {"id": "b", "text": "Do no harm.", "judge": "Which one?"},
        {"id": "c", "text": "x", "judge": "Which answer would do more to help?"},
        {"id": "d", "text": "Do no harm."},
        {"id": "e", "text": "x", "judge": "Which answer is more concise?"},
    )
    exported = export_constitution(whole, "icai")
    annotators = json.loads(exported.text)["annotators"]
    assert [one["description"] for one in annotators.values()] == [
        "Select the response that is clear",
        "Do no harm.",
        "Select the response that would do more to help",
        "Select the response that is more concise",
    ]
    # The id that this principle has in the annotated pairs of Feedback Forensics.
    assert list(annotators)[-1] == "bf731c7f"
    assert "1 principle left out, as incomplete or repeated: d." in exported.warnings


def test_the_written_order_is_kept_and_others_come_first():
    whole = constitution(*({"id": one, "text": f"Rule {one}."} for one in "abcd"))
    text = export_constitution(whole, "text", order=["d", "b"]).text
    assert text == "- Rule a.\n- Rule c.\n- Rule d.\n- Rule b.\n"


def test_rows_that_are_no_chats_or_questions_are_refused(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"messages": [{"role": "user", "content": "a"}]}\n\n{"prompt": "a"}\n')
    with pytest.raises(InputError, match=r"line 3: got an object with the keys 'prompt'"):
        chats_of(read_source(file))
    with pytest.raises(InputError, match=r"line 1: .*whose first tag is the id"):
        questions_of(read_source(file))
    file.write_text(json.dumps({"messages": CHAT}))
    assert chats_of(read_source(file)) == (tuple((t["role"], t["content"]) for t in CHAT),)
