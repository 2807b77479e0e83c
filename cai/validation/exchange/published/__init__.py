"""Published comparisons: two answers to a prompt, and which one people chose."""

from cai.validation.exchange.published.comparison import Comparison, Published, Vote
from cai.validation.exchange.published.files import (
    FORMATS,
    PairFormat,
    compared_rows,
    read_comparisons,
)
from cai.validation.exchange.published.keep import (
    annotator_names,
    generators_of,
    keep_published,
)

__all__ = [
    "FORMATS",
    "Comparison",
    "PairFormat",
    "Published",
    "Vote",
    "annotator_names",
    "compared_rows",
    "generators_of",
    "keep_published",
    "read_comparisons",
]
