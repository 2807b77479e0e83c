"""Checkpoints over time: a ledger of their evaluations, and whether the newest got worse.

```
from pathlib import Path
from cai.drift import Ledger, watch

verdict = watch(Ledger(Path("drift")))
print(verdict.regressions, verdict.roll_back)
```
"""

from cai.drift.entry import Entry, entry_of
from cai.drift.ledger import Ledger
from cai.drift.settings import Tolerances, Watched
from cai.drift.verdict import Against, Verdict, watch

__all__ = [
    "Against",
    "Entry",
    "Ledger",
    "Tolerances",
    "Verdict",
    "Watched",
    "entry_of",
    "watch",
]
