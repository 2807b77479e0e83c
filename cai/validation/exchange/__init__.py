"""Items out to other tools for labelling, labels back in; and published comparisons."""

from cai.validation.exchange.exporting import Exported, ExportFormat, export_items
from cai.validation.exchange.importing import ImportFormat, import_labels
from cai.validation.exchange.keep import GivenLabel, Imported, keep_labels
from cai.validation.exchange.published import (
    Comparison,
    PairFormat,
    Published,
    Vote,
    annotator_names,
    generators_of,
    keep_published,
    read_comparisons,
)

__all__ = [
    "Comparison",
    "ExportFormat",
    "Exported",
    "GivenLabel",
    "ImportFormat",
    "Imported",
    "PairFormat",
    "Published",
    "Vote",
    "annotator_names",
    "export_items",
    "generators_of",
    "import_labels",
    "keep_labels",
    "keep_published",
    "read_comparisons",
]
