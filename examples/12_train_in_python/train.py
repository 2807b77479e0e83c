"""From a constitution to pairs, to a reward model, and to three policies, on one machine.

    python examples/12_train_in_python/train.py
    python examples/12_train_in_python/train.py --prompts 12 --steps 2  # as CI runs it

It trains the embedded model, on a GPU if there is one. The policies of PPO and GRPO are each
watched by the reward of the other.
"""

import argparse
from pathlib import Path

import cai
from cai.train import TrainConfig, train

parser = argparse.ArgumentParser()
parser.add_argument("--prompts", type=int, default=132)
parser.add_argument("--steps", type=int, default=20)
args = parser.parse_args()

path = Path(__file__).with_name("config.yaml")
run = cai.Generation(cai.load_config(path, {"prompts.limit": args.prompts}))
print(sum(1 for _ in run.pairs()), "pairs")


def learn(method, **sections):
    """Train on the run, whose labels no people have validated, and print what came of it."""
    training = {"max_steps": args.steps, "batch_size": 8, "learning_rate": 1e-5}
    data = [{"run": run.folder.as_posix()}]
    sections |= {"data": data, "output": f"models/{method}", "training": training, "gate": "report"}
    result = train(method, TrainConfig.model_validate(sections), say=print)
    print(method, result.dev, *result.watch, sep="\n  ")


constitution = [{"kind": "constitution", "config": str(path)}]
reward_model = [{"kind": "model", "path": "models/rm"}]
learn("rm")
learn("dpo")
learn("ppo", rewards=reward_model, watch={"gold": constitution}, ppo={"rollouts": 8})
learn("grpo", rewards=constitution, watch={"gold": reward_model}, grpo={"group_size": 4})
