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


def load() -> None:
    """Import every module of checks, which registers them."""
    for module in _MODULES:
        import_module(f"cai.quality.checks.{module}")
