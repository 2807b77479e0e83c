"""What all sections of a config have in common.

Fields marked as run-time (`RUNTIME`) say how a run is carried out and may change freely between
two starts of the same run. All others say what is asked, and a stored run holds on to them.

A field that came later than the first stored runs is marked `ADDED`. Its default is what those runs
did, so it only counts as asked where it differs: an old run goes on under a newer toolkit.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ADDED", "RUNTIME", "Fraction", "Section"]

RUNTIME: dict[str, Any] = {"x-runtime": True}
"""Marks a field (or a whole section) that does not change what is asked."""

ADDED: dict[str, Any] = {"x-added": True}
"""Marks a field (or a whole section) whose default is how things were before it was there."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """Immutable; unknown keys are errors; the text under a field describes it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )
