"""What a row of training data looks like: the layouts that exports write and that files hold.

A layout says which keys a row has; a file format (JSONL, Parquet) says how rows are stored.
"""

from __future__ import annotations

from cai.formats.bradley_terry import Comparison, connected, strengths, win_rates
from cai.formats.layouts import LAYOUTS, Layout, LayoutFacts, check_layouts
from cai.formats.ranks import Ranking, rank, ranking
from cai.formats.read import read_records
from cai.formats.recognise import record_of_row
from cai.formats.records import Record, RecordKind, RecordLayout

__all__ = [
    "LAYOUTS",
    "Comparison",
    "Layout",
    "LayoutFacts",
    "Ranking",
    "Record",
    "RecordKind",
    "RecordLayout",
    "check_layouts",
    "connected",
    "rank",
    "ranking",
    "read_records",
    "record_of_row",
    "strengths",
    "win_rates",
]
