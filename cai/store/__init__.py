"""The run store: what was asked, what was answered, what came of it."""

from cai.store.access import Purpose, rows_for
from cai.store.run import Admitted, RunStore, StageTotals, StoredCall

__all__ = ["Admitted", "Purpose", "RunStore", "StageTotals", "StoredCall", "rows_for"]
