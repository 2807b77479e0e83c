"""The watch itself: looks now and then, remembers the best weights, says when to end."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Any

import orjson
import torch
from safetensors.torch import load_file, save_file

from cai.hashing import unit_interval
from cai.train.ppo.rollout import generate, texts_of
from cai.train.rewards.text import repetition
from cai.train.watch.verdict import Look, alarms, mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cai.train.examples import PromptExample
    from cai.train.log import TrainLog
    from cai.train.rewards.base import Combined, Reward
    from cai.train.settings import GenerateConfig, WatchConfig

__all__ = ["Action", "Watch"]

_FROM_ROWS = ("kl", "entropy", "completion_length", "repetition")
_AT_ONCE = 16
_SECONDS_BETWEEN_LINES = 10.0


class Action(Enum):
    """What the training has to do after a look."""

    GO_ON = "go on"
    STOP = "stop"
    ROLL_BACK = "roll back"


class Watch:
    """Looks at a policy in training every so many steps.

    Args:
        config: what is watched.
        tokenizer: of the policy.
        proxy: the reward that is trained on.
        gold: an independent reward; None when there is none.
        refusal: scores from 0 to 1 whether an answer refuses; None when there is no such thing.
        prompts: of dev, answered at each look.
        generate: how the policy answers.
        longest_prompt: in tokens.
        seed: of the answers; they are the same whenever the weights are.
        folder: of the training; the watch keeps `watch.json` and `best/` there.
        log: gets a row with what each look found.
        say: is told of alarms.
    """

    def __init__(
        self,
        config: WatchConfig,
        tokenizer: Any,
        proxy: Combined,
        *,
        gold: Combined | None,
        refusal: Reward | None,
        prompts: Sequence[PromptExample],
        generate: GenerateConfig,
        longest_prompt: int,
        seed: int,
        folder: Path,
        log: TrainLog,
        say: Callable[[str], None],
    ) -> None:
        self.config, self.folder = config, folder
        self.gold, self.refusal = gold, refusal
        self.looks: list[Look] = []
        self.best: Look | None = None
        self.notes: list[str] = []
        self.rolled_back = 0
        self._tokenizer, self._proxy, self._prompts = tokenizer, proxy, tuple(prompts)
        self._generate, self._longest, self._seed = generate, longest_prompt, seed
        self._log, self._say = log, say
        self._bad_in_a_row = 0
        self._told = 0.0
        self._sums: dict[str, list[float]] = defaultdict(list)

    @property
    def kl_factor(self) -> float:
        """What the weight of the divergence has been multiplied by: 2 for each time back."""
        return float(2**self.rolled_back)

    def resume(self, step: int) -> None:
        """Go on after this step: what was seen later belongs to an abandoned end."""
        path = self.folder / "watch.json"
        if not path.is_file():
            return
        state = orjson.loads(path.read_bytes())
        self.looks = [_look(look) for look in state["looks"] if look["step"] <= step]
        # The best weights are on disk, also when they are of a step that will come again.
        self.best = _look(state["best"]) if state["best"] else None
        self.notes, self.rolled_back = state["notes"], state["rolled_back"]
        self._bad_in_a_row = state["bad_in_a_row"]

    def begin(self, model: Any) -> None:
        """Look before the first step."""
        if not self.looks:
            self._take(self._see(0, model), model)
            self._save()

    def after(self, step: int, model: Any, row: Mapping[str, float], *, total: int) -> Action:
        """Take the figures of a step, and look when it is time.

        Args:
            step: optimiser steps so far.
            model: the policy, without what training has wrapped around it.
            row: of the log.
            total: steps of the whole training; after the last there is a look in any case.
        """
        self._tell(step, total, row)
        last = step >= total
        for name in _FROM_ROWS:
            if name in row:
                self._sums[name].append(row[name])
        before = self.looks[-1].step if self.looks else 0
        if step <= before or (step - before < self.config.every and not last):
            return Action.GO_ON
        look = self._see(step, model)
        bad = alarms(look, self._first(), self.best or look, self.config)
        self._take(look, model)
        self._bad_in_a_row = self._bad_in_a_row + 1 if bad else 0
        action = self._act(step, bad, last)
        self._save()
        return action

    def restore(self, model: Any) -> bool:
        """Put the best weights back; returns whether there are any.

        Processes that have not watched themselves take what the main process has kept.
        """
        path = self.folder / "best" / "weights.safetensors"
        if not path.is_file():
            return False
        model.load_state_dict(load_file(path), strict=False)
        return True

    def finish(self, model: Any) -> None:
        """Leave the best weights in the model when they are to be kept."""
        if self.config.keep_best and self.best and self.looks[-1].step != self.best.step:
            self.restore(model)
            self._note(f"The model is that of step {self.best.step}, which the gold liked best.")
            self._save()

    def summary(self) -> tuple[str, ...]:
        """What was seen, and what could not be, in sentences."""
        lines = []
        if self.gold is None:
            lines.append(
                "Gold: none, so nobody knows whether the reward was hacked. Name an independent "
                "reward model or judge under `watch.gold`."
            )
        elif self.best is not None:
            curve = ", ".join(f"{mean(look.gold):.3g} at step {look.step}" for look in self.looks)
            best = f"{mean(self.best.gold):.3g} at step {self.best.step}"
            lines.append(f"Gold on {len(self._prompts)} dev prompts: {curve}. Best: {best}.")
        if self.refusal is None:
            lines.append("Refusals: not measured; name a classifier under `watch.refusal`.")
        else:
            ends = self.looks[0], self.looks[-1]
            first, last = (look.figures["refusal"] for look in ends)
            lines.append(f"Rate of refusals: {first:.3g} before, {last:.3g} at the end.")
        return (*lines, *(self.notes or ["No alarm."]))

    def close(self) -> None:
        """Give back what gold and refusal rewards hold."""
        for reward in (self.gold, self.refusal):
            close = getattr(reward, "close", None)
            if close is not None:
                close()

    def _first(self) -> Look:
        """The earliest look with figures of rows: before the first step there are none."""
        for look in self.looks:
            if "completion_length" in look.figures:
                return look
        return Look(0)

    def _see(self, step: int, model: Any) -> Look:
        figures = {name: mean(values) for name, values in self._sums.items()}
        self._sums.clear()
        if self.gold is None and self.refusal is None:
            return Look(step, figures=figures)
        texts, tokens = self._answers(model)
        messages = [prompt.messages for prompt in self._prompts]
        figures |= {
            "completion_length": tokens,
            "repetition": mean([repetition(text) for text in texts]),
        }
        if self.refusal is not None:
            figures["refusal"] = mean(self.refusal.score(messages, texts))
        if self.gold is None:
            return Look(step, figures=figures)
        proxy, gold = (tuple(r.score(messages, texts)) for r in (self._proxy, self.gold))
        return Look(step, proxy, gold, figures)

    def _answers(self, model: Any) -> tuple[list[str], float]:
        """Fresh answers and their mean length in tokens; the training's draws stay as they are."""
        texts, lengths = [], []
        # The same seed at every look: prompts are compared with themselves, with less left to luck.
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(unit_interval("watch", self._seed) * 2**31))
            for start in range(0, len(self._prompts), _AT_ONCE):
                part = self._prompts[start : start + _AT_ONCE]
                answers = generate(model, self._tokenizer, part, self._generate, self._longest)
                texts += texts_of(answers, self._tokenizer)
                lengths += answers.mask.sum(-1).tolist()
        return texts, mean(lengths)

    def _take(self, look: Look, model: Any) -> None:
        self.looks.append(look)
        row = {f"watch/{name}": value for name, value in look.figures.items()}
        if look.gold:
            row |= {"watch/gold": mean(look.gold), "watch/proxy": mean(look.proxy)}
            if self.best is None or mean(look.gold) > mean(self.best.gold):
                self.best = look
                self._keep(model)
        if row:
            self._log.append(step=look.step, **row)

    def _keep(self, model: Any) -> None:
        folder = self.folder / "best"
        folder.mkdir(parents=True, exist_ok=True)
        weights = {
            name: parameter.detach().cpu().contiguous()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }
        part = folder / "weights.part"
        save_file(weights, part)
        part.replace(folder / "weights.safetensors")

    def _act(self, step: int, bad: list[str], last: bool) -> Action:
        if not bad:
            return Action.GO_ON
        self._note(f"Step {step}: {'; '.join(bad)}.")
        if self._bad_in_a_row < self.config.patience or self.config.action == "report" or last:
            return Action.GO_ON
        self._bad_in_a_row = 0
        if self.config.action == "rollback" and self.rolled_back < self.config.rollbacks:
            self.rolled_back += 1
            at = self.best.step if self.best else 0
            self._note(
                f"Step {step}: back to the weights of step {at}, with {self.kl_factor:g} times the "
                "weight of the divergence."
            )
            return Action.ROLL_BACK
        self._note(f"Step {step}: the training was ended.")
        return Action.STOP

    def _tell(self, step: int, total: int, row: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._told > _SECONDS_BETWEEN_LINES:
            self._told = now
            names = ("reward", "kl", "entropy", "completion_length")
            figures = ", ".join(f"{name} {row[name]:.4g}" for name in names if name in row)
            self._say(f"step {step} of {total}: {figures}")

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._say(text)

    def _save(self) -> None:
        state = {
            "looks": [asdict(look) for look in self.looks],
            "best": asdict(self.best) if self.best else None,
            "notes": self.notes,
            "rolled_back": self.rolled_back,
            "bad_in_a_row": self._bad_in_a_row,
        }
        part = self.folder / "watch.json.part"
        part.write_bytes(orjson.dumps(state))
        part.replace(self.folder / "watch.json")


def _look(state: dict[str, Any]) -> Look:
    return Look(state["step"], tuple(state["proxy"]), tuple(state["gold"]), state["figures"])
