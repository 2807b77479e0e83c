"""The Parquet schemas of the exported tables; the JSON lines have the same columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.formats.schema import LAYOUT_SCHEMAS, messages_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

__all__ = ["SCHEMAS"]


def _sft() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("messages", messages_type()),
            ("id", pa.string()),
            ("prompt_id", pa.string()),
            ("source", pa.string()),
            ("sample", pa.int64()),
            ("round", pa.int64()),
            ("principle_ids", pa.list_(pa.string())),
            ("tags", pa.list_(pa.string())),
            ("constitution", pa.string()),
            ("constitution_hash", pa.string()),
            ("model", pa.string()),
            ("plan", pa.string()),
            ("request_id", pa.string()),
        ]
    )


def _preferences() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", messages_type()),
            ("chosen", messages_type()),
            ("rejected", messages_type()),
            ("p", pa.float64()),
            ("p_calibrated", pa.float64()),
            ("margin", pa.float64()),
            ("id", pa.string()),
            ("prompt_id", pa.string()),
            ("kind", pa.string()),
            ("chosen_name", pa.string()),
            ("rejected_name", pa.string()),
            *_pedigree(),
        ]
    )


def _undecided() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", messages_type()),
            ("first", messages_type()),
            ("second", messages_type()),
            ("p", pa.float64()),
            ("outcome", pa.string()),
            ("note", pa.string()),
            ("id", pa.string()),
            ("prompt_id", pa.string()),
            ("kind", pa.string()),
            ("first_name", pa.string()),
            ("second_name", pa.string()),
            *_pedigree(),
        ]
    )


def _pedigree() -> list[tuple[str, pa.DataType]]:
    import pyarrow as pa

    order = pa.struct(
        [
            ("principle_ids", pa.list_(pa.string())),
            ("order", pa.string()),
            ("outcome", pa.string()),
            ("p_shown_first", pa.float64()),
            ("mass", pa.float64()),
            ("bounded", pa.bool_()),
            ("votes", pa.int32()),
            ("request_id", pa.string()),
            ("more_request_ids", pa.list_(pa.string())),
        ]
    )
    return [
        ("source", pa.string()),
        ("principle_ids", pa.list_(pa.string())),
        ("tags", pa.list_(pa.string())),
        ("constitution", pa.string()),
        ("constitution_hash", pa.string()),
        ("judge", pa.string()),
        ("plan", pa.string()),
        ("orders", pa.list_(order)),
    ]


SCHEMAS: Mapping[str, Callable[[], pa.Schema]] = {
    "sft": _sft,
    "preferences": _preferences,
    "undecided": _undecided,
    **LAYOUT_SCHEMAS,
}
"""Functions, so that pyarrow is loaded only when a Parquet file is written."""
