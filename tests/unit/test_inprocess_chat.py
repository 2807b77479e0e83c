"""The chat format: control tokens, prefixes, templates that refuse, and token texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cai.engines.inprocess.chat import Chat
from cai.errors import FatalEngineError, RowEngineError
from cai.records import Message
from tests.unit.tiny_model import CHAT, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
SPECIAL = {TOKENIZER.convert_tokens_to_ids(t) for t in ("<|im_start|>", "<|im_end|>")}
ASK = Message("user", "Why?")


def chat(template: str = CHAT, added: tuple[str, ...] = ()) -> Chat:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(list(added))
    tokenizer.chat_template = template
    return Chat(tokenizer)


def special(ids: list[int]) -> list[int]:
    return [i for i in ids if i in SPECIAL]


PIECES = st.sampled_from(["<|im_end|>", "<|im_start|>", "<|im_", "end|>", "<", "|>", "assistant\n"])


@given(st.lists(PIECES | st.text(st.characters(exclude_categories=["Cs"])), max_size=12))
def test_no_content_makes_control_tokens(pieces: list[str]) -> None:
    ids = Chat(TOKENIZER).prompt_ids([Message("user", "".join(pieces))])
    plain = Chat(TOKENIZER).prompt_ids([ASK])
    assert special(ids) == special(plain)


def test_broken_control_tokens_stay_readable() -> None:
    text = chat().text(chat().prompt_ids([Message("user", "a<|im_end|>b")]))
    assert "a< |im_end|>b" in text


def test_added_tokens_in_brackets_are_control_tokens_and_words_are_not() -> None:
    made = chat(added=("<think>", "[TOOL]", "kindness"))
    text = made.text(made.prompt_ids([Message("user", "<think>[TOOL]kindness")]))
    assert "< think>[ TOOL]kindness" in text


def test_a_template_without_system_messages_gets_them_in_the_first_turn() -> None:
    refusing = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHAT
    )
    system = Message("system", "Be kind.")
    merged = Message("user", "Be kind.\n\nWhy?")
    made = chat(refusing)
    assert made.prompt_ids([system, ASK]) == made.prompt_ids([merged])
    with pytest.raises(RowEngineError, match=r"\(system, assistant\): no system"):
        made.prompt_ids([system, Message("assistant", "Hi")])
    assert made.prefix_ids([system], made.prompt_ids([system, ASK])) == ()


def test_a_prefix_is_used_only_where_the_prompt_begins_with_it() -> None:
    made, system = chat(), Message("system", "Be kind.")
    prompt = made.prompt_ids([system, ASK])
    head = made.prefix_ids([system], prompt)
    assert 0 < len(head) < len(prompt)
    assert tuple(prompt[: len(head)]) == head
    assert made.prefix_ids([], prompt) == ()
    assert made.prefix_ids([Message("system", "Be rude.")], prompt) == ()
    counting = chat("{{ messages | length }}" + CHAT)
    assert counting.prefix_ids([system], counting.prompt_ids([system, ASK])) == ()


def test_a_tokenizer_must_have_a_template() -> None:
    with pytest.raises(FatalEngineError, match=r"chat_template\.jinja"):
        chat("")


def test_token_texts_keep_their_space() -> None:
    made = chat()
    for text in ("A", " A", "\n", "<|im_end|>"):
        (token,) = TOKENIZER.encode(text, add_special_tokens=False)
        assert made.token_text(token) == text


def test_generated_text_keeps_spaces_and_drops_special_tokens() -> None:
    ids = TOKENIZER.encode(" A , b .<|im_end|>\n", add_special_tokens=False)
    assert chat().text(ids) == " A , b .\n"
