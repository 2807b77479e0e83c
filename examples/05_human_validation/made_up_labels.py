"""Labels by nobody, to see what comes after labelling. Never do so in a run that matters.

    python examples/05_human_validation/made_up_labels.py runs/validated made-up.jsonl
    cai validate import runs/validated made-up.jsonl --kind human

The three annotators do not exist. They say what the judge said, each but for one pair in twenty, so
the gate finds a judge that agrees with people. Whoever imports them as labels by people has
validated nothing.
"""

import argparse
import json
from pathlib import Path

import cai
from cai.validation import Labels

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("run", type=Path, help="folder of the run, for which a sample was drawn")
parser.add_argument("labels", type=Path, help="file to write")
args = parser.parse_args()

NOTE = "made up by a script, nobody's opinion"
OTHER = {"first": "second", "second": "first", "tie": "first"}

with cai.RunStore.read(args.run) as store:
    items = Labels(store).items()
with args.labels.open("w", encoding="utf-8") as file:
    for number, item in enumerate(items):
        verdict = item.pair.verdict
        said = verdict.outcome if verdict is not None and verdict.outcome in OTHER else "tie"
        for place in (1, 2, 3):
            label = {
                "item_id": item.item_id,
                "annotator": f"made-up-{place}",
                "choice": OTHER[said] if number % 20 == place else said,
                "note": NOTE,
            }
            file.write(json.dumps(label) + "\n")
print(f"Wrote {args.labels}: {NOTE}.")
