"""The checks. Each module registers its own; `load` imports them in the order of a report."""

from __future__ import annotations

from importlib import import_module

__all__ = ["load"]

_MODULES = (
    "broken",
    "duplicates",
    "near_duplicates",
    "contradictions",
    "contamination",
    "length",
    "inversion",
    "refusals",
    "boilerplate",
    "leaks",
    "collapse",
    "truncation",
    "languages",
    "pii",
    "representation",
)


def load() -> list[str]:
    """Import every module of checks, which registers them; returns their names in order."""
    return [import_module(f"cai.quality.checks.{module}").__name__ for module in _MODULES]
