"""The prompt of a case that is written down: a text, or messages that wait for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["asked_schema", "one_user_turn", "require_waiting"]


def one_user_turn(value: Any) -> Any:
    """The same data, with a prompt that is a text made one message of the user."""
    if isinstance(value, dict) and isinstance(value.get("prompt"), str):
        return {**value, "prompt": ({"role": "user", "content": value["prompt"]},)}
    return value


def require_waiting(case_id: str, roles: Sequence[str]) -> None:
    """Refuse a prompt that does not wait for an answer.

    Args:
        case_id: named in the message.
        roles: of the messages, in their order.

    Raises:
        ValueError: the last message is not the user's, or one after the first is of the system.
    """
    if not roles or roles[-1] != "user" or "system" in roles[1:]:
        raise ValueError(
            f"case '{case_id}': a prompt ends with a message of the user, and only the first "
            f"message may be of the system; got the roles {listed(roles)}. Correct the prompt"
        )


def asked_schema(core: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
    """The schema of a model whose `prompt` may be a text, too."""
    section = handler.resolve_ref_schema(handler(core))
    prompt = section["properties"]["prompt"]
    told = {key: prompt.pop(key) for key in ("title", "description") if key in prompt}
    text = {"type": "string", "pattern": r"\S"}
    section["properties"]["prompt"] = {**told, "anyOf": [text, prompt]}
    return section
