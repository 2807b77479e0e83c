"""Data quality: what is wrong with the rows of a run or of someone else's file.

```
from cai.quality import Options, check_source, open_source

report = check_source(open_source(Path("pairs.jsonl")), Options(against=(Path("test.jsonl"),)))
```

A check of your own is a subclass of `Check` under the decorator `register`.
"""

from __future__ import annotations

from cai.quality.check import Check, Options, known_checks, register, select
from cai.quality.filtering import Filtered, filter_source
from cai.quality.opinions import ConfigJudge, Judge, SecondOpinion
from cai.quality.reading import Source, open_source, read_samples
from cai.quality.records import Example, Finding, Report, Sample, Turn
from cai.quality.run import check_samples, check_source

__all__ = [
    "Check",
    "ConfigJudge",
    "Example",
    "Filtered",
    "Finding",
    "Judge",
    "Options",
    "Report",
    "Sample",
    "SecondOpinion",
    "Source",
    "Turn",
    "check_samples",
    "check_source",
    "filter_source",
    "known_checks",
    "open_source",
    "read_samples",
    "register",
    "select",
]
