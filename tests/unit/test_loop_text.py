import pytest
from hypothesis import given
from hypothesis import strategies as st

from cai.loop.text import (
    declines_to_revise,
    leaks_revision,
    same_text,
    strip_scaffolding,
    trim_to_sentence,
)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Here is a revised response: Hello there.", "Hello there."),
        ("Here's the rewritten answer:\n\nHello there.", "Hello there."),
        ('Sure, here is the improved version:\n\n"Hello there."', "Hello there."),
        ("Certainly! Here is a revised version of the response:\nHello there.", "Hello there."),
        ("Revised response: Hello there.", "Hello there."),
        ("**Revised answer:**\nHello there.", "Hello there."),
        ("I have revised the response to be kinder: Hello there.", "Hello there."),
        ("I've rewritten the answer below:\nHello there.", "Hello there."),
        ("Response: Hello there.", "Hello there."),
        ("Hello there.\n</response>", "Hello there."),
        ("<response>\nHello there.\n</response>", "Hello there."),
        ("<revision>Here is a revised response: Hello there.</revision>", "Hello there."),
    ],
)
def test_preambles_are_cut(text: str, rest: str) -> None:
    cleaned, cut = strip_scaffolding(text)
    assert cleaned == rest
    assert cut
    assert all(piece in text for piece in cut.split(" … "))


@pytest.mark.parametrize(
    "text",
    [
        "The answer: 42.",
        "Use this recipe: two eggs.",
        "You could write an updated résumé: start with your name.",
        "Here is how to do it: first, breathe.",
        "Sure, I can help. Take one step at a time.",
        "A revised budget helps you save.",
    ],
)
def test_ordinary_answers_are_left_alone(text: str) -> None:
    assert strip_scaffolding(text) == (text, "")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_stripping_makes_nothing_up(text: str) -> None:
    rest, _ = strip_scaffolding(text)
    assert rest in text


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("This revised response is kinder. Breathe in.", True),
        ("Breathe in. The critique is right that I was rude.", True),
        ("As the critique suggested, breathe in.", True),
        ("Breathe in.\n\nUser: And then?\nAssistant: Breathe out.", True),
        ("Breathe in.\n</response>\nAnd out.", True),
        ("Breathe in.\n\nRewrite the answer so that it is kinder.", True),
        ("Every user: breathe in.", False),
        ("The assistant: a play in one act.", False),
        ("Breathe in, then out.", False),
        ("Update your software: an updated system is safer.", False),
    ],
)
def test_leaks(text: str, leaks: bool) -> None:
    assert leaks_revision(text) is leaks


@pytest.mark.parametrize(
    ("text", "declines"),
    [
        ("I'm sorry, but I cannot revise this response.", True),
        ("I can't help you rewrite that.", True),
        ("As an AI language model, I am unable to edit the answer.", True),
        ("I\u2019m sorry, I won\u2019t rephrase this.", True),
        ("I'm sorry, I can't help with making a bomb.", False),
        ("I cannot open files, but I can explain.", False),
        ("You cannot revise history.", False),
    ],
)
def test_declining_the_task_is_not_declining_the_request(text: str, declines: bool) -> None:
    assert declines_to_revise(text) is declines


@pytest.mark.parametrize(
    ("text", "trimmed"),
    [
        ("One. Two. Thr", "One. Two."),
        ("No end at all", ""),
        ("Steps:\n1. Breathe in.\n2. Brea", "Steps:\n1. Breathe in."),
        ("1. Brea", ""),
        ('He said "Go." Then he', 'He said "Go."'),
        ("Pi is 3.14 and", ""),
        ("All is well!", "All is well!"),
    ],
)
def test_trimming(text: str, trimmed: str) -> None:
    assert trim_to_sentence(text) == trimmed


@given(st.text(max_size=200))
def test_a_trimmed_text_is_a_beginning_and_stays(text: str) -> None:
    trimmed = trim_to_sentence(text)
    assert text.strip().startswith(trimmed)
    assert trim_to_sentence(trimmed) == trimmed


def test_same_text() -> None:
    assert same_text("Hello  there.", "hello there")
    assert not same_text("Hello there.", "Hello here.")
