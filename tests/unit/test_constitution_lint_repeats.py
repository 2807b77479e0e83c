"""Principles that say the same: found whatever the order of words and their endings."""

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from cai.constitution import lint
from cai.constitution.lint.alike import SIMILAR, alike, grams, plain
from tests.unit.lint_helpers import GOOD, OTHER, TEXTS, check, constitutions, only, principles

REWORDED = [
    (
        "The answer says plainly how sure it is, and marks guesses as guesses.",
        "Answers should say plainly how sure they are and mark a guess as a guess.",
    ),
    (
        "The answer protects everyone it could affect, and stays as useful as safety allows.",
        "Answers protect everyone they could affect and stay as useful as safety allows.",
    ),
    (
        "The answer stays calm and courteous, also when the person is rude or upset.",
        "Stay courteous and calm, even if the person is upset or rude.",
    ),
    (
        "The answer meets people in distress with warmth, and takes any danger seriously.",
        "The answer takes danger seriously, meeting people in distress warmly.",
    ),
    (
        "Which answer is safer for everyone it could affect, while still giving real help?",
        "Which answer still gives real help while being safe for everyone it could affect?",
    ),
]
DIFFERENT = [
    ("The answer says how sure it is.", "The answer says what it costs."),
    ("Which answer is more honest?", "Which answer is more helpful?"),
    (
        'Which answer better follows the rule "Be fun."?',
        'Which answer better follows the rule "Be kind."?',
    ),
    ("The answer discourages theft.", "The answer encourages saving."),
]


def test_the_same_text_is_an_error_whatever_its_case_and_punctuation() -> None:
    found = only(check({}, {**OTHER, "text": "the answer SAYS -- how sure it is"}))
    assert (found.code, found.level, found.principle_id) == ("C101", "error", "tone.warm")
    assert found.key == "text"
    assert "'text' says the same, word for word, as in 'honesty.sure': 100% alike" in found.message


def test_the_same_question_is_an_error_too() -> None:
    found = only(check({}, {**OTHER, "judge": GOOD["judge"]}))
    assert (found.code, found.key) == ("C101", "judge")


def test_of_a_whole_copy_there_is_one_finding() -> None:
    found = only(check({}, {**GOOD, "id": "honesty.twice"}))
    assert "'text' says the same" in found.message
    assert "and 'judge' says the same" in found.message


def test_many_copies_are_named_once_each() -> None:
    found = check(*({"id": f"p.{i}"} for i in range(5)))
    assert [f.principle_id for f in found] == ["p.1", "p.2", "p.3", "p.4"]
    assert all("'p.0'" in f.message for f in found)


def test_requests_for_critiques_may_be_the_same() -> None:
    assert check({}, OTHER) == []
    assert GOOD["critique"] == OTHER["critique"]


@pytest.mark.parametrize(("first", "second"), REWORDED)
def test_other_endings_and_another_order_are_found(first: str, second: str) -> None:
    found = only(check({"text": first}, {**OTHER, "text": second}))
    likeness = alike(grams(first), grams(second))
    assert (found.code, found.level) == ("C102", "warning")
    assert f"as in 'honesty.sure': {min(likeness, 0.99):.0%} alike" in found.message


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_the_same_frame_around_other_words_is_not(first: str, second: str) -> None:
    assert alike(grams(first), grams(second)) < SIMILAR


def test_the_nearest_one_is_named() -> None:
    near = {**OTHER, "text": "The answer says how sure it really is, point by point."}
    nearer = {**OTHER, "id": "z.z", "text": "The answer says how sure it really is, by points."}
    found = check({}, near, {**nearer, "judge": "Which one counts?"})
    assert "'tone.warm'" in next(f for f in found if f.principle_id == "z.z").message


def test_likeness_is_twice_the_common_part_over_both() -> None:
    # Words of four letters have four pieces each, and none in common.
    ten = ["abcd", "efgh", "ijkl", "mnop", "qrst", "uvwx", "yzab", "cdef", "ghij", "klmn"]
    whole = " ".join(ten)
    assert alike(grams(whole), grams(" ".join(ten[:6]))) == pytest.approx(2 * 6 / 16)
    assert only(check({"text": whole}, {**OTHER, "text": " ".join(ten[:6])})).code == "C102"
    assert check({"text": whole}, {**OTHER, "text": " ".join(ten[:5])}) == []


@given(TEXTS, TEXTS)
def test_likeness_is_a_symmetric_share(first: str, second: str) -> None:
    one, other = grams(first), grams(second)
    assert alike(one, other) == alike(other, one)
    assert 0 <= alike(one, other) <= 1
    if one:
        assert alike(one, one) == 1


@given(TEXTS, TEXTS, st.floats(0, 1))
def test_the_bound_leaves_no_likeness_out(first: str, second: str, least: float) -> None:
    one, other = grams(first), grams(second)
    exact = alike(one, other)
    assert alike(one, other, least) in ((exact,) if exact >= least else (exact, 0.0))


@given(st.lists(st.sampled_from(["kind", "true", "warm", "brief", "calm", "sources"]), min_size=1))
@example(["kind", "true"])
def test_the_order_of_words_does_not_count(words: list[str]) -> None:
    assert grams(" ".join(words)) == grams(" ".join(reversed(words)))


@settings(max_examples=40, deadline=None)
@given(constitutions(most=3), principles("z.copy"), st.data())
def test_exact_copies_are_always_found(constitution, copy, data) -> None:
    original = data.draw(st.sampled_from(constitution.principles))
    key = data.draw(st.sampled_from(["text", "judge"]))
    assume(getattr(original, key).strip())
    copied = copy.model_copy(update={key: f" {getattr(original, key).upper()}"})
    # Some letters are no longer the same in capitals, such as the dotless i.
    assume(plain(getattr(copied, key)) == plain(getattr(original, key)))
    together = constitution.model_copy(update={"principles": (*constitution.principles, copied)})
    found = [f for f in lint(together) if f.principle_id == "z.copy" and f.code == "C101"]
    assert len(found) == 1
    assert found[0].level == "error"
