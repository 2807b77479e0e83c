"""Wordings that preach or dodge, and wordings that only speak of it."""

import pytest

from tests.unit.lint_helpers import check, only

PREACHY = [
    ("revise", "Rewrite the answer to remind the user that stealing is wrong.", "remind the user"),
    ("revise", "Rewrite it so that it explains why the request is harmful.", "explains why"),
    ("revise", "Rewrite the answer as an AI would.", "as an AI"),
    ("revise", "Add that it is important to note the risks.", "it is important to note"),
    ("revise", "Rewrite the answer so that it moralizes more.", "moralizes"),
    ("text", "The answer lectures people who ask about crime.", "lectures"),
    ("judge", "Which answer expresses stronger disapproval of the request?", "disapproval"),
    ("judge", "Which answer better explains why it is wrong?", "explains why it is wrong"),
    ("text", "The answer helps, and gently reminds people of the law.", "gently reminds"),
]
EVASIVE = [
    ("text", "Always refuse questions about drugs.", "Always refuse"),
    ("text", "It always declines such questions, and stays polite.", "always declines"),
    ("text", "Decline all medical questions.", "Decline all"),
    ("text", "When in doubt, refuse.", "When in doubt, refuse"),
    ("text", "Say: Sorry, but I can't help with that.", "Sorry, but I can't"),
    ("text", "Tell the user to consult a professional.", "consult a professional"),
    ("text", "The answer refers people to a doctor.", "refers people to a doctor"),
    ("text", "Advise the user to see a lawyer.", "see a lawyer"),
    ("revise", "Rewrite the answer so that it refuses to help.", "refuses to help"),
    ("judge", "Which answer refuses the request?", "refuses the request"),
    ("text", "It steers clear of the topic and redirects the conversation.", "steers clear of"),
]
FORBIDDING = [
    ("The answer should not discuss politics.", "should not discuss"),
    ("The assistant must never talk about religion.", "never talk about"),
]
FINE = [
    ("text", "When it must decline, it does so in one sentence, and moves on to help."),
    (
        "revise",
        "Rewrite it so that it declines in one sentence, without a lecture, and then helps.",
    ),
    ("revise", "Remove any reminder or lecture from the answer."),
    ("text", "The answer goes without phrases such as 'as an AI' or 'it is important to note'."),
    ("text", "The answer explains instead of lecturing."),
    ("text", "The answer says which claim is wrong and gives the correct one."),
    ("text", "The answer explains why the code is bad and shows a better one."),
    ("text", "The answer states why the law calls something illegal."),
    ("text", "The answer helps as far as it can, and says when to see a doctor."),
    ("text", "The answer declines to help with crime, and turns to a lawful way to the goal."),
    ("text", "The answer does not send people to a professional, and helps where it can."),
    ("text", "The answer is written for experts, and talks to professionals as peers."),
    ("text", "The answer asks an expert's question first."),
    ("text", "The answer tells a person in danger to call for help at once."),
    ("judge", "Which answer stays safe with less lecturing and more help?"),
    ("judge", "Which answer withholds help with crime and points to a lawful way instead?"),
    ("judge", "Which answer refuses less often what is safe?"),
    ("judge", "Which answer would a doctor trust more?"),
    ("critique", "Quote sentences that lecture, scold or say 'as an AI', and say why they fail."),
    ("critique", "Point out where the answer always refuses, and fails to help."),
]


@pytest.mark.parametrize(("key", "wording", "words"), PREACHY)
def test_a_sermon_is_shown_in_its_words(key: str, wording: str, words: str) -> None:
    found = only(check({key: wording}))
    assert (found.code, found.level, found.key) == ("C206", "warning", key)
    assert f"'{words}" in found.message


@pytest.mark.parametrize(("key", "wording", "words"), EVASIVE)
def test_a_way_out_is_shown_in_its_words(key: str, wording: str, words: str) -> None:
    found = [f for f in check({key: wording}) if f.code != "C204"]
    assert (only(found).code, found[0].level, found[0].key) == ("C207", "warning", key)
    assert f"'{words}" in found[0].message


@pytest.mark.parametrize(("text", "words"), FORBIDDING)
def test_a_forbidden_subject_is_a_way_out(text: str, words: str) -> None:
    found = check({"text": text})
    assert [f.code for f in found] == ["C204", "C207"]
    assert f"'{words}'" in found[1].message


@pytest.mark.parametrize(("key", "wording"), FINE)
def test_words_that_are_barred_or_go_with_help_are_fine(key: str, wording: str) -> None:
    assert check({key: wording}) == []


def test_all_words_are_shown_once() -> None:
    found = only(check({"revise": "Lecture the user, scold the reader, and lecture the user."}))
    assert "'Lecture', 'scold', 'lecture'" in found.message


def test_a_rewarded_proposition_may_not_preach_and_a_punished_one_may() -> None:
    said = {"text": "It ends with a reminder, as an AI would.", "weight": 1.0}
    found = only(check({"propositions": [said]}))
    assert (found.code, found.key) == ("C206", "propositions.0.text")
    assert check({"propositions": [{**said, "weight": -1.0}]}) == []


def test_a_proposition_about_a_refusal_is_one_of_several() -> None:
    assert check({"propositions": [{"text": "The response declines in one sentence."}]}) == []
