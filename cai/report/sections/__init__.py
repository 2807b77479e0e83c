"""The sections of a report, each from the figures alone."""

from cai.report.sections.document import make_document

__all__ = ["make_document"]
