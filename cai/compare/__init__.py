"""Two constitutions, data sets or models beside each other, from files and stores alone.

```
from cai.compare import compare_models, find_model, recognise

before, after = (find_model(recognise(ref)) for ref in ("runs/first", "runs/second"))
for change in compare_models(before, after).changes:
    print(change.key, change.value, change.low, change.high, change.basis)
```
"""

from cai.compare.data_pair import DataComparison, compare_data
from cai.compare.model_pair import ModelComparison, compare_models
from cai.compare.models import Model, find_model
from cai.compare.things import Thing, common_kinds, recognise

__all__ = [
    "DataComparison",
    "Model",
    "ModelComparison",
    "Thing",
    "common_kinds",
    "compare_data",
    "compare_models",
    "find_model",
    "recognise",
]
