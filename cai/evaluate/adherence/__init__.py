"""How far the answers of models follow each principle of a constitution, one answer at a time."""

from cai.evaluate.adherence.measure import check_judge, measure
from cai.evaluate.adherence.records import Checked, Reading
from cai.evaluate.adherence.report import adherence_result

__all__ = ["Checked", "Reading", "adherence_result", "check_judge", "measure"]
