"""What alignment cost a model in what it could do before: the alignment tax."""

from cai.evaluate.tax.ask import Scored, ask_tax
from cai.evaluate.tax.content import AREAS, TaxSet, read_tax
from cai.evaluate.tax.gate import Verdict, judged_changes
from cai.evaluate.tax.harness import (
    harness_figures,
    read_harness,
    require_harness,
    run_harness,
    write_harness,
)
from cai.evaluate.tax.report import Change, tax_changes, tax_result

__all__ = [
    "AREAS",
    "Change",
    "Scored",
    "TaxSet",
    "Verdict",
    "ask_tax",
    "harness_figures",
    "judged_changes",
    "read_harness",
    "read_tax",
    "require_harness",
    "run_harness",
    "tax_changes",
    "tax_result",
    "write_harness",
]
