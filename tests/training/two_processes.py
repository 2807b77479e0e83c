"""PPO in one of two processes; started by torchrun."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.training.toy import ppo

ppo(Path(sys.argv[1]), steps=120, rollouts=32).train()
