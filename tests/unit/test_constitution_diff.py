import pytest

from cai.constitution.diff import BUMPS, apply, diff, facts, needed_bump, word_diff
from cai.errors import ConfigError
from tests.unit.constitution_helpers import (
    WORDINGS,
    build,
    plain,
)


def one(**changes):
    return build(plain("a.a", **changes))


def told(before, after):
    return [(fact.kind, fact.bump, fact.sentence) for fact in facts(diff(before, after))]


QUOTED = {"text": "t", "weight": 1}
CASES = [
    ({}, {"text": "else"}, "wording", "Reworded 'a.a' (text)."),
    ({}, {"text": "x", "judge": "y"}, "wording", "Reworded 'a.a' (text, judge)."),
    ({}, {"critique": ""}, "use removed", "Took the wording for 'critique' from 'a.a'."),
    ({"judge": ""}, {"judge": "j"}, "use added", "Gave 'a.a' a wording for 'judge'."),
    ({}, {"weight": 2.5}, "weight", "Gave 'a.a' the weight 2.5 in place of 1."),
    ({"tags": ["x"]}, {"tags": ["x", "y"]}, "tag added", "Tagged 'a.a' with y."),
    ({"tags": ["x", "y"]}, {"tags": ["y"]}, "tag removed", "Took from 'a.a' the tags x."),
    (
        {"tags": ["x", "y"]},
        {"tags": ["y", "x"]},
        "layout",
        "Wrote 'tags' of 'a.a' in another order.",
    ),
    (
        {},
        {"applies_to": {"none": ["x"]}},
        "applies_to",
        "Made 'a.a' a principle for prompts with none of x; before, for all prompts.",
    ),
    (
        {"applies_to": ["x", "y"]},
        {"applies_to": ["y", "x"]},
        "layout",
        "Wrote 'applies_to' of 'a.a' in another order.",
    ),
    (
        {},
        {"rubric": [{"score": 1, "text": "bad"}]},
        "rubric level added or removed",
        "Added what scores stand for in 'a.a': 1.",
    ),
    (
        {"rubric": [{"score": 1, "text": "bad"}]},
        {},
        "rubric level added or removed",
        "Removed what scores stand for in 'a.a': 1.",
    ),
    (
        {"rubric": [{"score": 1, "text": "bad"}]},
        {"rubric": [{"score": 1, "text": "poor"}]},
        "wording",
        "Reworded what scores stand for in 'a.a': 1.",
    ),
    (
        {"rubric": [{"score": 1, "text": "bad"}, {"score": 10, "text": "good"}]},
        {"rubric": [{"score": 1, "text": "good"}, {"score": 10, "text": "bad"}]},
        "rubric level moved",
        "Texts of 'a.a' stand for other scores: 1, 10.",
    ),
    ({}, {"propositions": [QUOTED]}, "proposition added", "Added 1 proposition to 'a.a'."),
    ({"propositions": [QUOTED]}, {}, "proposition removed", "Removed 1 proposition from 'a.a'."),
    (
        {"propositions": [QUOTED]},
        {"propositions": [{"text": "u"}]},
        "wording",
        "Reworded 1 proposition of 'a.a'.",
    ),
    (
        {"propositions": [QUOTED]},
        {"propositions": [{"text": "t", "weight": 2}]},
        "proposition weight",
        "Changed the weight of 1 proposition of 'a.a'.",
    ),
    (
        {"propositions": [QUOTED]},
        {"propositions": [{"text": "t", "weight": -1}]},
        "proposition sign",
        "Turned the sign of 1 proposition of 'a.a'.",
    ),
    (
        {"propositions": [QUOTED]},
        {"propositions": [{"text": "t", "weight": 0}]},
        "proposition sign",
        "Turned the sign of 1 proposition of 'a.a'.",
    ),
    (
        {"propositions": [QUOTED, {"text": "u"}]},
        {"propositions": [{"text": "u"}, QUOTED]},
        "layout",
        "Wrote 'propositions' of 'a.a' in another order.",
    ),
    (
        {},
        {"examples": [{"prompt": "p", "better": "b", "worse": "w"}]},
        "examples",
        "Changed the examples of 'a.a'.",
    ),
    (
        {"examples": [{"prompt": "p", "better": "b", "worse": "w"}]},
        {"examples": [{"prompt": "p", "better": "w", "worse": "b"}]},
        "examples swapped",
        "In an example of 'a.a' the better and the worse answer changed places.",
    ),
    (
        {},
        {"note": "n", "source": "s", "framing": "positive"},
        "notes",
        "Changed what people read about 'a.a' (framing, source, note).",
    ),
]


@pytest.mark.parametrize(("before", "after", "kind", "sentence"), CASES)
def test_each_change_of_a_principle_is_told_with_its_bump(before, after, kind, sentence):
    old, new = one(**before), one(**after)
    assert told(old, new) == [(kind, BUMPS[kind], sentence)]
    assert diff(old, new).same_meaning == (kind in ("layout", "notes") and old.hash == new.hash)
    assert apply(old, diff(old, new)) == new


def test_the_table_of_bumps_covers_every_kind():
    tested = {kind for _, _, kind, _ in CASES}
    whole = {"principle added", "principle removed", "principle renamed", "priorities"}
    assert tested | whole | {"aggregate", "origin"} == set(BUMPS)
    assert set(BUMPS.values()) == {"patch", "minor", "major"}


def test_added_removed_and_renamed_principles():
    before = build(plain("a.a"), plain("b.b"), plain("c.c", weight=2))
    moved = {**plain("c.c", weight=3), "id": "d.d"}
    after = build(plain("a.a"), moved, plain("e.e", text="A long text. " * 50))
    change = diff(before, after)
    assert [p.id for p in change.added] == ["e.e"]
    assert [p.id for p in change.removed] == ["b.b"]
    assert [(c.before.id, c.after.id, c.renamed) for c in change.changed] == [("c.c", "d.d", True)]
    sentences = {kind: sentence for kind, _, sentence in told(before, after)}
    assert sentences["principle removed"] == "Removed 'b.b'."
    assert sentences["principle renamed"] == "Renamed 'c.c' to 'd.d'."
    assert sentences["weight"] == "Gave 'd.d' the weight 3 in place of 2."
    assert sentences["principle added"].startswith("Added 'e.e': A long text.")
    assert len(sentences["principle added"]) < 200
    assert needed_bump(change) == "major"
    assert apply(before, change) == after


def test_other_words_under_another_id_are_no_rename():
    after = {**plain("a.a", critique="other"), "id": "z.z"}
    change = diff(one(), build(after))
    assert ([p.id for p in change.added], [p.id for p in change.removed]) == (["z.z"], ["a.a"])


def test_two_principles_with_the_same_words_are_renamed_one_by_one():
    same = dict.fromkeys(WORDINGS, "same")
    before = build({"id": "a.a", **same}, {"id": "b.b", **same})
    after = build({"id": "c.c", **same}, {"id": "d.d", **same}, {"id": "e.e", **same})
    change = diff(before, after)
    assert [(c.before.id, c.after.id) for c in change.changed] == [("a.a", "c.c"), ("b.b", "d.d")]
    assert [p.id for p in change.added] == ["e.e"]
    assert apply(before, change) == after


@pytest.mark.parametrize(
    ("before", "after", "kind", "said"),
    [
        ({}, {"summary": "else"}, "wording", "Reworded the constitution's summary."),
        ({}, {"preamble": "p"}, "wording", "Reworded the constitution's preamble."),
        ({}, {"aggregate": "worst"}, "aggregate", "by 'worst' in place of 'what a config says'."),
        ({}, {"priorities": ("a.a",)}, "priorities", "Changed the priorities. What goes first: a"),
        ({"priorities": ("a.a",)}, {"priorities": ("a.*",)}, "layout", "priorities in another way"),
        ({}, {"priorities": ("*",)}, "layout", "Wrote the priorities in another way."),
        (
            {"origins": {"a.a": "own", "b.b": "own"}},
            {"origins": {"a.a": "family x", "b.b": "family x"}},
            "origin",
            "Took 2 principles from 'family x' in place of 'own'.",
        ),
        ({}, {"origins": {"a.a": "own"}}, "origin", "Took 'a.a' from 'own' in place of 'nowhere'."),
    ],
)
def test_each_change_of_the_whole_is_told_with_its_bump(before, after, kind, said):
    parts = (plain("a.a"), plain("b.b"))
    old, new = build(*parts, **before), build(*parts, **after)
    [(found, bump, sentence)] = told(old, new)
    assert (found, bump) == (kind, BUMPS[kind])
    assert said in sentence
    assert apply(old, diff(old, new)) == new


def test_a_tag_that_changes_the_order_is_a_change_of_priorities():
    parts = {"priorities": ("tag:x",)}
    old = build(plain("a.a", tags=["x"]), plain("b.b", tags=["y"]), **parts)
    new = build(plain("a.a", tags=["x"]), plain("b.b", tags=["y", "x"]), **parts)
    assert [kind for kind, _, _ in told(old, new)] == ["tag added", "priorities"]


def test_one_more_principle_alone_does_not_reorder():
    old = build(plain("a.a"), plain("c.c"), priorities=("a.*",))
    new = build(plain("a.a"), plain("a.b"), plain("c.c"), priorities=("a.*",))
    assert [kind for kind, _, _ in told(old, new)] == ["principle added"]


def test_name_and_version_only_say_what_the_rest_is_called():
    change = diff(one(), one().model_copy(update={"name": "other", "version": "2.0.0"}))
    assert (change.empty, change.identical, needed_bump(change)) == (True, False, None)
    assert diff(one(), one()).identical


@pytest.mark.parametrize(
    ("onto", "said"),
    [
        (build(plain("a.a", text="changed")), "principle 'a.a' is not as it is in mine@1.0.0"),
        (build(plain("b.b")), "principle 'a.a' is not"),
        (build(plain("a.a"), summary="else"), "'summary' is not"),
        (build(plain("a.a"), plain("n.n")), "principle 'n.n' is not"),
        (build(plain("a.a"), origins={"a.a": "x"}), "the origin of 'a.a' is not"),
    ],
)
def test_changes_are_applied_to_what_they_were_taken_from(onto, said):
    after = build(
        plain("a.a", weight=2), plain("n.n"), summary="new", origins={"a.a": "own", "n.n": "own"}
    )
    with pytest.raises(ConfigError, match=said):
        apply(onto, diff(one(), after))


def test_changes_fit_a_constitution_that_differs_elsewhere():
    onto = build(plain("a.a"), plain("z.z"), preamble="p")
    changed = apply(onto, diff(one(), one(weight=2)))
    assert changed == build(plain("a.a", weight=2), plain("z.z"), preamble="p")
    assert changed.hash != onto.hash


@pytest.mark.parametrize(
    ("before", "after", "marked"),
    [
        ("Which is safer?", "Which is safest?", "Which is [safer|safest]?"),
        ("Which is safer now?", "Which is much calmer now?", "Which is [safer|much calmer] now?"),
        ("one", "", "[one|]"),
        ("", "", ""),
        ("a b", "a  b", "a[ |  ]b"),
        ("same", "same", "same"),
        ("a, b", "a; b", "a[,|;] b"),
    ],
)
def test_words_are_compared_one_by_one(before, after, marked):
    runs, text = list(word_diff(before, after)), ""
    while runs:
        run = runs.pop(0)
        if run.kind == "same":
            text += run.text
            continue
        added = (
            runs.pop(0).text if run.kind == "removed" and runs and runs[0].kind == "added" else ""
        )
        pair = (run.text, added) if run.kind == "removed" else ("", run.text)
        text += "[{}|{}]".format(*pair)
    assert text == marked


def test_very_long_texts_are_replaced_as_a_whole():
    kinds = [run.kind for run in word_diff("word " * 2000, "word " * 2000 + "more")]
    assert kinds == ["removed", "added"]
