"""The watch on online training: is the policy better, or has it only learnt to please the reward?

The reward that is trained on is a proxy. Under pressure it goes on rising while what it stands for
falls (Gao, Schulman and Hilton 2022, Scaling Laws for Reward Model Overoptimization,
arXiv:2210.10760, section 3). An independent gold reward shows it.
"""

from cai.train.watch.hooks import TRLWatch, watch_ppo
from cai.train.watch.opening import open_watch
from cai.train.watch.verdict import Look, alarms
from cai.train.watch.watcher import Action, Watch

__all__ = ["Action", "Look", "TRLWatch", "Watch", "alarms", "open_watch", "watch_ppo"]
