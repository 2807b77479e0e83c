"""What a careful colleague would remark on in a constitution before it is used.

The rules that look at words know English; for that reason they warn and do not fail. Errors are
kept for what would spoil labels in any language. Every rule has a code, listed in `catalogue`.
"""

from cai.constitution.lint.catalogue import RULES, codes_of
from cai.constitution.lint.context import context_findings, questions
from cai.constitution.lint.coverage import Covered, coverage, coverage_findings
from cai.constitution.lint.finding import Finding, Rule
from cai.constitution.lint.places import Places
from cai.constitution.lint.reach import prompt_findings
from cai.constitution.lint.run import in_order, lint
from cai.constitution.lint.selectors import impossible
from cai.constitution.lint.taxonomy import Category, Taxonomy, load_taxonomy

__all__ = [
    "RULES",
    "Category",
    "Covered",
    "Finding",
    "Places",
    "Rule",
    "Taxonomy",
    "codes_of",
    "context_findings",
    "coverage",
    "coverage_findings",
    "impossible",
    "in_order",
    "lint",
    "load_taxonomy",
    "prompt_findings",
    "questions",
]
