"""The Parquet schemas of the layouts; the JSON lines have the same columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

__all__ = ["LAYOUT_SCHEMAS", "messages_type"]

_Columns = list[tuple[str, "pa.DataType"]]


def messages_type() -> pa.DataType:
    """A list of turns."""
    import pyarrow as pa

    return pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def _ultrafeedback() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            *_texts("prompt", "prompt_id"),
            *[(name, messages_type()) for name in ("chosen", "rejected", "messages")],
            *[(name, pa.float64()) for name in ("score_chosen", "score_rejected")],
        ]
    )


def _kto() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", messages_type()),
            ("completion", messages_type()),
            ("label", pa.bool_()),
            *_texts("id", "prompt_id", "source"),
        ]
    )


def _reward() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            *[(name, messages_type()) for name in ("prompt", "chosen", "rejected")],
            *[(name, pa.float64()) for name in ("p", "margin")],
            *_texts("id", "prompt_id", "source", "kind"),
        ]
    )


def _rankings() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", messages_type()),
            ("ranking", pa.list_(pa.string())),
            ("scores", pa.list_(pa.float64())),
            *_texts("id", "prompt_id", "source"),
            _tags(),
        ]
    )


def _ratings() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", messages_type()),
            ("answer", pa.string()),
            ("rating", pa.float64()),
            ("compared_with", pa.int64()),
            *_texts("id", "prompt_id", "source"),
            _tags(),
        ]
    )


def _edits() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", messages_type()),
            *_texts("original", "revision", "critique", "principle", "principle_id"),
            ("sample", pa.int64()),
            ("round", pa.int64()),
            *_texts("id", "prompt_id", "source"),
            _tags(),
        ]
    )


def _alpaca() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(_texts("instruction", "input", "output"))


def _prompts() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([("prompt", messages_type()), *_texts("prompt_id"), _tags()])


def _texts(*names: str) -> _Columns:
    import pyarrow as pa

    return [(name, pa.string()) for name in names]


def _tags() -> tuple[str, pa.DataType]:
    import pyarrow as pa

    return "tags", pa.list_(pa.string())


LAYOUT_SCHEMAS: Mapping[str, Callable[[], pa.Schema]] = {
    "ultrafeedback": _ultrafeedback,
    "kto": _kto,
    "reward": _reward,
    "rankings": _rankings,
    "ratings": _ratings,
    "edits": _edits,
    "alpaca": _alpaca,
    "rl-prompts": _prompts,
}
"""By table. Functions, so that pyarrow is loaded only when a Parquet file is written."""
