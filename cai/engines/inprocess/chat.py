"""From messages to token ids and from token ids to text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from cai.errors import FatalEngineError, RowEngineError
from cai.records import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Chat"]


class Chat:
    """Renders conversations with the tokenizer's chat template.

    Control tokens inside message contents are broken by a space after their first character
    (`< |im_end|>`), so that text which somebody else wrote can neither end a turn nor open one.
    A template that refuses system messages gets the system text at the head of the first user turn.

    Raises:
        FatalEngineError: the tokenizer has no chat template.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.chat_template:
            raise FatalEngineError(
                "the tokenizer has no chat template, and this engine answers conversations. Use "
                "an instruction-tuned model, or put a chat_template.jinja into the model's folder"
            )
        self._tokenizer = tokenizer
        self._control = _control_pattern(tokenizer)
        anchor = tokenizer.encode("a", add_special_tokens=False)[-1:]
        self._anchor: list[int] = list(anchor)
        self._anchor_text = self._decode(self._anchor)
        self._head_ids = lru_cache(maxsize=64)(self._encode_head)
        self.token_text = lru_cache(maxsize=65536)(self._token_text)

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation, up to where the assistant begins to answer.

        Raises:
            RowEngineError: the chat template refuses the conversation.
        """
        if not messages:
            raise RowEngineError("a request has no messages; it needs at least one user message")
        try:
            return self._encode(messages, generate=True)
        except TemplateError as error:
            roles = ", ".join(message.role for message in messages)
            raise RowEngineError(
                f"the model's chat template refuses a conversation of ({roles}): {error}. "
                "Most templates want user and assistant in turn, ending with user"
            ) from error

    def prefix_ids(self, messages: Sequence[Message], prompt: Sequence[int]) -> tuple[int, ...]:
        """Token ids of leading messages, if `prompt` really begins with them and goes on.

        Returns:
            An empty tuple when the template writes the messages differently on their own.
        """
        if not messages:
            return ()
        ids = self._head_ids(tuple(messages))
        usable = 0 < len(ids) < len(prompt) and tuple(prompt[: len(ids)]) == ids
        return ids if usable else ()

    def text(self, ids: Sequence[int]) -> str:
        """Text of generated ids, without special tokens and with all spaces kept."""
        return str(
            self._tokenizer.decode(
                list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def _token_text(self, token: int) -> str:
        # Decoded after another token, because some tokenizers drop a space at the very beginning.
        return self._decode([*self._anchor, token]).removeprefix(self._anchor_text)

    def _decode(self, ids: list[int]) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def _encode_head(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        try:
            return tuple(self._encode(messages, generate=False))
        except TemplateError:
            return ()

    def _encode(self, messages: Sequence[Message], *, generate: bool) -> list[int]:
        safe = [Message(m.role, self._broken(m.content)) for m in messages]
        try:
            text = self._render(safe, generate)
        except TemplateError:
            merged = _without_system(safe)
            if merged is None:
                raise
            text = self._render(merged, generate)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _render(self, messages: Sequence[Message], generate: bool) -> str:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        return str(
            self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=generate
            )
        )

    def _broken(self, text: str) -> str:
        if self._control is None:
            return text
        return self._control.sub(lambda hit: f"{hit[0][0]} {hit[0][1:]}", text)


def _control_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    """Matches special tokens, and added tokens in angle or square brackets (`<think>`)."""
    strings = set(tokenizer.all_special_tokens)
    for token in tokenizer.added_tokens_decoder.values():
        if token.special or re.fullmatch(r"<.+>|\[.+\]", token.content):
            strings.add(token.content)
    longest_first = sorted((s for s in strings if len(s) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _without_system(messages: Sequence[Message]) -> list[Message] | None:
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return None
    system, user, *rest = messages
    return [Message("user", f"{system.content}\n\n{user.content}"), *rest]
