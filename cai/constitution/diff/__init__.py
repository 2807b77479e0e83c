"""What is different between two constitutions, and which new version that asks for."""

from cai.constitution.diff.compare import apply, diff
from cai.constitution.diff.facts import BUMPS, Bump, Fact, Kind, facts, needed_bump
from cai.constitution.diff.parts import selector_text
from cai.constitution.diff.plain import plain_diff
from cai.constitution.diff.records import Diff, FieldChange, OriginChange, PrincipleChange, Side
from cai.constitution.diff.words import Run, word_diff

__all__ = [
    "BUMPS",
    "Bump",
    "Diff",
    "Fact",
    "FieldChange",
    "Kind",
    "OriginChange",
    "PrincipleChange",
    "Run",
    "Side",
    "apply",
    "diff",
    "facts",
    "needed_bump",
    "plain_diff",
    "selector_text",
    "word_diff",
]
