"""Constitutions: written principles, loaded from YAML, checked, and given an identity."""

from cai.constitution.files import Family, Include
from cai.constitution.lint import Finding, lint
from cai.constitution.load import ConstitutionInfo, list_constitutions, load_constitution
from cai.constitution.models import Constitution
from cai.constitution.principle import Principle, Proposition

__all__ = [
    "Constitution",
    "ConstitutionInfo",
    "Family",
    "Finding",
    "Include",
    "Principle",
    "Proposition",
    "lint",
    "list_constitutions",
    "load_constitution",
]
