"""A comparison of training methods on one model, one set of data and one machine."""

from cai.train.compare.comparison import compare
from cai.train.compare.plan import METHODS, parse_methods
from cai.train.compare.report import Comparison, Table, tables

__all__ = ["METHODS", "Comparison", "Table", "compare", "parse_methods", "tables"]
