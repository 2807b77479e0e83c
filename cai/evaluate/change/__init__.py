"""How much the figures of two models differ, each with its interval, from result files alone."""

from cai.evaluate.change.find import Sided, changes
from cai.evaluate.change.records import Basis, Change, Reading, headline
from cai.evaluate.change.unpaired import unpaired

__all__ = ["Basis", "Change", "Reading", "Sided", "changes", "headline", "unpaired"]
