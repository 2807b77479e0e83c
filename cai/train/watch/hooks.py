"""How the watch sits in the trainers: after an update of PPO, and as a callback of TRL's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from cai.train import processes
from cai.train.watch.watcher import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cai.train.log import TrainLog
    from cai.train.ppo import PPOTrainer
    from cai.train.watch.watcher import Watch

__all__ = ["TRLWatch", "watch_ppo"]


def watch_ppo(watch: Watch) -> Callable[[int, PPOTrainer, dict[str, float]], bool]:
    """What `PPOTrainer` takes as `after_update`."""

    def look(number: int, trainer: PPOTrainer, row: dict[str, float]) -> bool:
        step = int(row["step"])
        total = step // number * trainer.updates
        action = _seen(watch, step, trainer.policy, row, total)
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
        if processes.is_main():
            self._watch.begin(self._policy)
        self.trainer.beta *= self._watch.kl_factor

    def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Look after a step."""
        if "reward" not in rest["logs"]:
            return
        step, total, row = state.global_step, state.max_steps, self._log.rows[-1]
        action = _seen(self._watch, step, self._policy, row, total)
        if action is Action.ROLL_BACK and self._watch.restore(self._policy):
            self.trainer.optimizer.state = defaultdict(dict)
            self.trainer.beta *= 2.0
        elif action is Action.STOP:
            control.should_training_stop = True

    @property
    def _policy(self) -> Any:
        return self.trainer.accelerator.unwrap_model(self.trainer.model)


def _seen(watch: Watch, step: int, policy: Any, row: Mapping[str, float], total: int) -> Action:
    """What the main process finds: it alone looks, and all do the same."""
    found = Action.GO_ON
    if processes.is_main():
        found = watch.after(step, policy, row, total=total)
    return Action(processes.from_main(found.value))
