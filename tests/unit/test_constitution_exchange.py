"""Constitutions from other layouts: what becomes of each part, and what is refused."""

import json

import pytest

from cai.constitution import load_constitution
from cai.constitution.exchange import import_constitution
from cai.errors import InputError
from tests.unit.exchange_helpers import (
    CHAT,
    GENERATED,
    ICAI,
    MARKDOWN,
    PAPER,
    SWARM,
    TRAITS,
    by_id,
    imported,
)


def test_the_papers_requests_lose_their_frames(tmp_path):
    got = imported(tmp_path, PAPER)
    assert got.layout == "cai-paper"
    one = by_id(got.constitution)["harmful0"]
    assert (one.critique, one.revise) == ("Say what is harmful.", "Please remove what is harmful.")
    assert one.text == (
        "The answer leaves nothing to change for this request: Please remove what is harmful."
    )
    assert one.judge == ""
    assert "'text' is made from 'revise'" in one.note
    assert "2 principles with a 'text' made from 'revise' by a fixed pattern. Reword it." in (
        got.warnings
    )
    assert any("2 principles without 'judge': not drawn for comparisons" in w for w in got.warnings)


def test_several_critiques_under_a_key_and_odd_frames_are_read(tmp_path):
    odd = {"A b": {"prompt": ["CritiqueRequest:One.", "Two."], "edit_request": "Better."}}
    found = by_id(imported(tmp_path, odd).constitution)
    assert {one: p.critique for one, p in found.items()} == {"a-b": "One.", "a-b-2": "Two."}
    assert {p.revise for p in found.values()} == {"Better."}


def test_llm_swarm_keeps_wordings_and_chats(tmp_path):
    got = imported(tmp_path, SWARM)
    assert got.layout == "llm-swarm"
    assert [p.id for p in got.file.principles] == [
        "llm-swarm.fit-children",
        "llm-swarm.kind",
    ]
    assert got.file.principles[1].critique == "Is it rude?"
    assert [json.loads(line) for line in got.chat_lines().splitlines()] == [{"messages": CHAT}] * 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("few.txt", json.dumps(TRAITS, indent=4)),
        ("few.jsonl", "\n".join(map(json.dumps, GENERATED))),
        ("one.jsonl", json.dumps(GENERATED[0])),
    ],
)
def test_traits_are_texts_and_questions_are_prompts(tmp_path, name, content):
    got = imported(tmp_path, content, name)
    assert got.layout == "open-character"
    first = got.file.principles[0]
    assert (first.id, first.text) == ("open-character.wit", "I answer with wit.")
    assert (first.critique, first.revise, first.judge) == ("", "", "")
    rows = [json.loads(line) for line in got.question_lines().splitlines()]
    assert rows[0] == {"prompt": "Is water wet?", "tags": ["open-character.wit"]}
    additional = [row["prompt"] for row in rows if "additional-questions" in row["tags"]]
    assert additional[:1] == ([] if name == "few.txt" else ["And/or 0?"])


def test_a_clarification_is_a_note_and_repeated_traits_share_their_questions(tmp_path):
    again = {**TRAITS[0], "questions": ["Third?"], "clarification": "Dry wit.", "mood": 1}
    got = imported(tmp_path, [again, *TRAITS])
    assert len(got.file.principles) == 2
    assert got.file.principles[0].note == "Clarification: Dry wit."
    asked = [text for _, text in got.questions["open-character.wit"]]
    assert asked == ["Third?", "Is water wet?", "Why socks?"]
    assert "1 principle left out as repeated, first [1]." in got.warnings
    assert "Not kept, as this layout has no such keys: 'mood' (1 time)." in got.warnings


def test_icai_principles_are_questions_with_their_votes(tmp_path):
    got = imported(tmp_path, ICAI)
    assert got.layout == "icai"
    found = by_id(got.constitution)
    concise, long, honest = (found[f"icai.{one}"] for one in ("concise", "too-long", "honest"))
    assert (concise.text, concise.judge) == (
        "The answer is more concise.",
        "Which answer is more concise?",
    )
    assert long.judge == "Which answer is too long?"
    assert (honest.text, honest.judge) == ("Be honest", "")
    votes = {one: (v.agreed, v.disagreed, v.without, v.share) for one, v in got.votes.items()}
    assert votes == {
        "icai.concise": (2, 0, 1, 1.0),
        "icai.too-long": (0, 2, 1, 0.0),
        "icai.honest": (0, 0, 3, None),
    }
    assert concise.note == "Agreed with people in 2 of 2 votes (100%); 1 without."
    opposed = "1 principle chose the other answer more often than not: icai.too-long."
    assert any(w.startswith(opposed) for w in got.warnings)
    assert any(w.startswith("3 comparisons not kept") for w in got.warnings)


def test_icai_without_a_default_annotator_takes_the_first_that_is_no_principle(tmp_path):
    got = imported(tmp_path, {**ICAI, "metadata": {}, "comparisons": [*ICAI["comparisons"], 7]})
    assert got.votes["icai.concise"].reference == "people"
    assert "1 comparison without annotations, not counted." in got.warnings
    nobody = {"annotators": {"p1": ICAI["annotators"]["p1"]}, "comparisons": ICAI["comparisons"]}
    assert imported(tmp_path, nobody).votes == {}


@pytest.mark.parametrize(
    "listing",
    [
        "1. Select the response that is kind\n2. Select the response that is true",
        ["Select the response that is kind", "Select the response that is true"],
    ],
)
def test_lists_that_icai_writes_are_read(tmp_path, listing):
    content = json.dumps(listing)
    got = imported(tmp_path, content, "060_constitution.json")
    assert [p.judge for p in got.file.principles] == [
        "Which answer is kind?",
        "Which answer is true?",
    ]


def test_markdown_has_tags_ids_and_wordings(tmp_path):
    got = imported(tmp_path, MARKDOWN, "rules.md")
    assert (got.layout, got.file.name) == ("markdown", "rules")
    assert got.file.summary == "For the help desk, and its guests."
    sure, claims, guests, name = got.file.principles
    assert (sure.id, sure.text) == ("honesty.sure", "The answer says how sure it is.")
    assert (sure.critique, sure.revise) == ("Point out guesses.", "")
    assert (sure.judge, sure.weight) == ("Which answer is clearer?", 2)
    assert (claims.id, claims.tags) == ("honesty.claims-come-sources", ("honesty",))
    assert claims.text == "Claims come with sources."
    assert guests.tags == ("honesty", "towards-guests-and-others")
    assert name.text == "By name."
    assert "1 bullet inside others became principles, too." in got.warnings
    passed = "1 paragraph outside bullets passed over, the first being 'Some prose between.'."
    assert passed in got.warnings


def test_markdown_without_bullets_has_paragraphs(tmp_path):
    got = imported(tmp_path, "# T\n\nBe true,\nalways.\n\nBe kind.\n", "rules.md")
    assert [p.text for p in got.file.principles] == ["Be true, always.", "Be kind."]
    assert got.file.summary == "T"


def test_text_has_lines_or_bullets(tmp_path):
    lines = imported(tmp_path, "Be true.\n\nBe kind.\n", "a.txt").file.principles
    assert [(p.id, p.text) for p in lines] == [
        ("text.true", "Be true."),
        ("text.kind", "Be kind."),
    ]
    text = "# Rules\nIntroduction.\n# Care\n1) Be\n   kind.\n• Be true.\n---\nThe end.\n  Really.\n"
    got = imported(tmp_path, text, "b.txt")
    assert [(p.id, p.text, p.tags) for p in got.file.principles] == [
        ("care.kind", "Be kind.", ("care",)),
        ("care.true", "Be true.", ("care",)),
    ]
    passed = "3 lines outside bullets passed over, the first being 'Introduction.'."
    assert passed in got.warnings


def test_an_md_file_is_markdown_under_format_text_too(tmp_path):
    assert imported(tmp_path, MARKDOWN, "rules.md", layout="text").layout == "markdown"


def test_completing_fills_what_is_missing_and_says_so(tmp_path):
    trait = imported(tmp_path, TRAITS, complete=True)
    one = trait.file.principles[0]
    assert (
        one.critique == 'Point out where the answer fails to follow the rule "I answer with wit."'
    )
    assert one.revise == 'Rewrite the answer so that it follows the rule "I answer with wit."'
    assert one.judge == 'Which answer better follows the rule "I answer with wit."?'
    assert one.note == "Generic, and not by the author: critique, revise, judge."
    assert "2 principles with a generic 'judge'. Reword it." in trait.warnings
    assert not any("without" in warning for warning in trait.warnings)
    paper = imported(tmp_path, PAPER, complete=True).file.principles[1]
    assert (
        paper.judge == 'Which answer leaves less to change for the request "Please make it kind."?'
    )
    assert paper.critique == "Say what is rude."


def test_wordings_too_long_for_a_pattern_stay_as_they_are(tmp_path):
    long = "x " * 990 + "end."
    got = imported(
        tmp_path, {"constitutions": [{"critic": "Say.", "revision": long}]}, complete=True
    )
    assert (got.file.principles[0].text, got.file.principles[0].judge) == (long, "")
    assert any("1 principle without 'judge'" in warning for warning in got.warnings)


def test_ids_are_unique_and_do_not_depend_on_the_order(tmp_path):
    rules = ["Be very kind to all.", "Be very kind, to all!", "诚实", "善良", "Be true."]
    ids = {}
    for some in (rules, rules[::-1]):
        got = imported(tmp_path, "\n".join(some), "r.txt")
        ids |= {p.text: ids.get(p.text, p.id) for p in got.file.principles}
        assert {p.text: p.id for p in got.file.principles} == ids
    assert len(set(ids.values())) == 5
    assert ids["Be true."] == "text.true"
    assert ids["诚实"].startswith("text.p-")


def test_provenance_is_in_every_principle_and_in_the_changelog(tmp_path):
    got = imported(tmp_path, SWARM)
    digest = got.source.sha256
    assert len(digest) == 64
    for i, p in enumerate(got.file.principles):
        assert p.source == (
            f"rules.json (SHA-256 {digest}), constitutions[{i}]; its licence is not known here, "
            "check it before you share this."
        )
    assert got.file.changelog[0].changes == (
        f"Imported from rules.json (SHA-256 {digest}), layout llm-swarm.",
    )


@pytest.mark.parametrize("content", [PAPER, SWARM, TRAITS, ICAI])
def test_the_yaml_is_a_constitution_that_can_be_loaded(tmp_path, content):
    got = imported(tmp_path, content, complete=True)
    file = tmp_path / "out.yaml"
    file.write_text(got.yaml("../constitution.schema.json"), encoding="utf-8")
    first = file.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../constitution.schema.json"
    loaded = load_constitution(file)
    assert loaded.hash == got.constitution.hash
    assert {p.id: p for p in loaded.principles} == by_id(got.constitution)


def test_names_are_slugs_whatever_they_are(tmp_path):
    names = {
        "CritiqueRevision_Instructions.json": "critique-revision-instructions",
        "诚实.json": "imported",
        "a\nb\x1b[2J.json": "a-b-2j",
    }
    for file, name in names.items():
        got = imported(tmp_path, TRAITS, file)
        assert got.file.name == name
        assert got.source.name.isprintable()
    assert imported(tmp_path, TRAITS, name="../../Etc Passwd").file.name == "etc-passwd"


def test_hidden_characters_are_pointed_out(tmp_path):
    got = imported(tmp_path, "Be kind.\nBe \u202etrue.\n", "r.txt")
    assert any(w.startswith("Invisible characters") and "text.true" in w for w in got.warnings)
    assert not any("text.kind" in warning for warning in got.warnings)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("r.json", '{\n"a": 1,\n}', r"r\.json, line 3, column 1: not valid JSON"),
        ("r.jsonl", '{"trait": "a"}\n{"trait": "b"}\n{"trait" "c"}', r"line 3, column 10"),
        ("r.json", '{"a": {"x": 1, "x": 2}}', r"the key 'x' comes twice"),
        ("r.json", "[" * 100_000, "not usable JSON|not valid JSON"),
        ("r.json", "[" + "1" * 10_000 + "]", "not usable JSON"),
        (
            "r.json",
            "{}",
            r"got JSON with an empty object, which is no known layout(?s:.)*cai-paper:",
        ),
        ("r.json", '{"a": 1, "b": 2}', r"an object with the keys 'a', 'b'"),
        ("r.jsonl", '{"a": 1}\n{"a": 2}', r"JSONL, in whose first line there is an object with"),
        ("r.csv", "a,b\n1,2", r"a file that ends with '\.csv'"),
        ("r.yaml", "format: 1\nname: x", "is a constitution already"),
        ("r.json", {"samples": [[CHAT]]}, "few-shot samples for critiques and revisions and no"),
        ("r.txt", " \n", "is empty"),
        ("r.txt", "a\0b", "zero bytes"),
        ("r.txt", "---\n===\n", "no principle was found"),
        ("r.txt", "ok\n" + "x" * 2001, r"line 2: got 2,001 characters .* at most 2,000"),
        ("r.txt", "a\x1b[2Jb", r"line 1: got the character U\+001B"),
        (
            "r.txt",
            "".join(f"{i}\n" for i in range(2001)),
            "2,001 principles. Allowed: at most 2,000",
        ),
        ("r.txt", "a\n" * 500_001, r"1,000,002 characters of text"),
        ("r.md", "- a\n  - Weight: much\n", r"line 1, weight: got 'much'. Allowed: a number"),
        ("r.md", "- a\n  - Weight: -1\n", "weight"),
    ],
)
def test_files_that_cannot_be_imported(tmp_path, name, content, says):
    with pytest.raises(InputError, match=says):
        imported(tmp_path, content, name)


@pytest.mark.parametrize(
    ("layout", "content", "says"),
    [
        ("cai-paper", [1], r"the file: got a list\. Allowed: an object of"),
        ("cai-paper", {"a": {"prompt": ["x"]}}, r"'a': got an object with the keys 'prompt'"),
        ("cai-paper", {"a": {"prompt": [], "edit_request": "x"}}, "'a.prompt': got an empty list"),
        ("cai-paper", {"a": {"prompt": [" CritiqueRequest: "], "edit_request": "x"}}, "empty text"),
        ("cai-paper", {"a": {"prompt": ["x"], "edit_request": 1}}, "got a number. Allowed: a text"),
        ("llm-swarm", {"a": 1}, "the file: got an object with the keys 'a'"),
        ("llm-swarm", {"constitutions": [{}]}, r"constitutions\[0\]: got an empty object"),
        (
            "llm-swarm",
            {"constitutions": [{"critic": None}]},
            r"\[0\]: got an object with the keys 'critic'",
        ),
        (
            "llm-swarm",
            {"constitutions": SWARM["constitutions"], "system_chat": [[{"role": "user"}]]},
            r"system_chat\[0\]\[0\]: got an object with the keys 'role'",
        ),
        ("open-character", ["a"], r"\[0\]: got a text. Allowed: an object with 'trait'"),
        ("open-character", [{"trait": True}], "got true or false"),
        ("open-character", [{"trait": "a", "questions": "b"}], "Allowed: a list of texts"),
        ("icai", {"annotators": []}, "the file: got an object"),
        ("icai", {"annotators": {"a": 1}}, r"annotators\.'a': got a number"),
        ("icai", {"annotators": {"a": {"type": "principle"}}}, "got null. Allowed: a text"),
        ("icai", {"annotators": {"a": {"type": "human"}}}, "no principle was found"),
    ],
)
def test_files_that_do_not_fit_the_layout_named(tmp_path, layout, content, says):
    with pytest.raises(InputError, match=says):
        imported(tmp_path, content, layout=layout)


def test_encodings_and_sizes(tmp_path, monkeypatch):
    file = tmp_path / "r.txt"
    file.write_bytes(b"\xef\xbb\xbfBe kind.\r\nBe true.\r\n")
    assert [p.text for p in import_constitution(file).file.principles] == ["Be kind.", "Be true."]
    file.write_bytes("Be kind.\nBe gentle, señor.".encode("latin-1"))
    with pytest.raises(InputError, match=r"line 2: got the byte 0xf1"):
        import_constitution(file)
    monkeypatch.setattr("cai.constitution.exchange.source._MOST_BYTES", 20)
    with pytest.raises(InputError, match=r"got 26 bytes\. Allowed: at most 20"):
        import_constitution(file)
    with pytest.raises(InputError, match="is no file"):
        import_constitution(tmp_path / "missing")
    with pytest.raises(InputError, match="is a folder"):
        import_constitution(tmp_path)
