"""Near-duplicates without comparing everything with everything."""

from __future__ import annotations

from cai.quality.near.index import NearIndex

__all__ = ["NearIndex"]
