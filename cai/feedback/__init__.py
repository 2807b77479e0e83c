"""Feedback of a deployment becomes training data, a queue for people and drafts of cases.

```
from cai.feedback import import_feedback

done = import_feedback([Path("feedback.jsonl")], Path("runs/feedback"))
```
"""

from __future__ import annotations

from cai.feedback.forms import Edit, Feedback, Report, Thumbs
from cai.feedback.run import Imported, import_feedback, read_account
from cai.feedback.settings import Settings

__all__ = [
    "Edit",
    "Feedback",
    "Imported",
    "Report",
    "Settings",
    "Thumbs",
    "import_feedback",
    "read_account",
]
