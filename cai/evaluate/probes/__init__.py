"""Probes of habits: bending to the user, being sure without reason, and dodging questions."""

from cai.evaluate.probes.report import probes_result
from cai.evaluate.probes.run import PROBES, Probes, Probing, probe

__all__ = ["PROBES", "Probes", "Probing", "probe", "probes_result"]
