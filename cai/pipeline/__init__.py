"""A whole run from one config: generate, check, validate, train, evaluate, report.

```
from cai import load_config
from cai.pipeline import Desk, carry_out

carry_out(Desk(load_config("cai.yaml")))
```

Start it again after a stop, or after a change: a stage whose inputs are the same is left as it is.
"""

from cai.pipeline.desk import Desk, Watcher
from cai.pipeline.plan import PlannedStage, plan_stages
from cai.pipeline.run import Outcome, carry_out
from cai.pipeline.stages import Stage, make_stages, select_stages

__all__ = [
    "Desk",
    "Outcome",
    "PlannedStage",
    "Stage",
    "Watcher",
    "carry_out",
    "make_stages",
    "plan_stages",
    "select_stages",
]
