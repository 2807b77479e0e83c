"""Split hh-rlhf comparisons: prompts to train on, prompts that stay unseen, and labelled pairs.

    python prepare.py harmless-base-test.jsonl.gz

writes three files beside this one. `training.jsonl.gz` has the prompts of the run. The others come
from the side of the comparisons that the reward model of `reward-model.yaml` never learned from:
`labelled.jsonl.gz` is all of it, and `unseen.jsonl.gz` the prompts of the evaluation, none of which
is in `training.jsonl.gz`. Long dialogues are left out, because two CPU cores would take a day.
"""

import argparse
import gzip
import json
from pathlib import Path

from cai.train import TrainConfig
from cai.train.data import kind_of, load_data

HERE = Path(__file__).parent
SHORT, LONGER = 400, 900
"""Most characters of a prompt to train on, and of one to evaluate on."""

parser = argparse.ArgumentParser()
parser.add_argument("comparisons", type=Path, help="hh-rlhf, as .jsonl.gz")
parser.add_argument("--training", type=int, default=120, help="prompts to train on")
parser.add_argument("--unseen", type=int, default=200, help="prompts to evaluate on")
args = parser.parse_args()

with gzip.open(args.comparisons, "rt", encoding="utf-8") as file:
    rows = [json.loads(line) for line in file]

# The reward model's own split, which is by hash of the prompt: half of it is held out.
source = {"file": str(args.comparisons), "origin": "human", "held_out_share": 0.5}
config = TrainConfig.model_validate({"data": [source]})
held_out = load_data(kind_of("rm", config), config).held_out


def letters(*texts):
    """A dialogue without its spaces, which readers strip here and there."""
    return "".join("".join(texts).split())


def prompt(row):
    """Everything before the last answer."""
    return row["chosen"].rpartition("\n\nAssistant:")[0]


speakers = {"user": "Human:", "assistant": "Assistant:"}
unseen_by_the_reward_model = {
    letters(*(speakers[turn.role] + turn.content for turn in pair.prompt)) for pair in held_out
}


def write(name, chosen):
    """Write comparisons as they were."""
    with gzip.open(HERE / name, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in chosen)
    print(f"{name}: {len(chosen)} comparisons")


training = [row for row in rows if len(prompt(row)) <= SHORT][: args.training]
labelled = [row for row in rows if letters(prompt(row)) in unseen_by_the_reward_model]
taken = {prompt(row) for row in training}
unseen = [row for row in labelled if len(prompt(row)) <= LONGER and prompt(row) not in taken]
write("training.jsonl.gz", training)
write("labelled.jsonl.gz", labelled)
write("unseen.jsonl.gz", unseen[: args.unseen])
