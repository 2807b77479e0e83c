"""How the watch sits in the trainers: after an update of PPO, and as a callback of TRL's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from cai.train.watch.watcher import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.train.log import TrainLog
    from cai.train.ppo import PPOTrainer
    from cai.train.watch.watcher import Watch

__all__ = ["TRLWatch", "watch_ppo"]


def watch_ppo(watch: Watch) -> Callable[[int, PPOTrainer, dict[str, float]], bool]:
    """What `PPOTrainer` takes as `after_update`."""

    def look(number: int, trainer: PPOTrainer, row: dict[str, float]) -> bool:
        step = int(row["step"])
        total = step // number * trainer.updates
        found = watch.after(step, trainer.policy, row, total=total)
        action = _agreed(found, trainer.accelerator)
        if action is Action.ROLL_BACK and watch.restore(trainer.policy):
            trainer.optimizer.state.clear()
            trainer.controller.weight *= 2.0
        return action is Action.STOP

    return look


class TRLWatch(TrainerCallback):
    """The watch as a callback of TRL's online trainers.

    `trainer` is set after the trainer was made: a callback is made first.
    """

    def __init__(self, watch: Watch, log: TrainLog) -> None:
        """Look at what the log's last row says, after each step."""
        self._watch = watch
        self._log = log
        self.trainer: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Look before the first step; take up the weight of the divergence after a resume."""
        self._watch.begin(self._policy)
        self.trainer.beta *= self._watch.kl_factor

    def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Look after a step."""
        if "reward" not in rest["logs"]:
            return
        step, total, row = state.global_step, state.max_steps, self._log.rows[-1]
        found = self._watch.after(step, self._policy, row, total=total)
        action = _agreed(found, self.trainer.accelerator)
        if action is Action.ROLL_BACK and self._watch.restore(self._policy):
            self.trainer.optimizer.state = defaultdict(dict)
            self.trainer.beta *= 2.0
        elif action is Action.STOP:
            control.should_training_stop = True

    @property
    def _policy(self) -> Any:
        return self.trainer.accelerator.unwrap_model(self.trainer.model)


def _agreed(action: Action, accelerator: Any) -> Action:
    """What the main process found: all processes must do the same."""
    if accelerator.num_processes == 1:
        return action
    from accelerate.utils import broadcast_object_list

    told = [action.value]
    broadcast_object_list(told)
    return Action(told[0])
