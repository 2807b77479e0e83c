"""A trained reward model as a reward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.records import Message

__all__ = ["LearnedReward"]


class LearnedReward:
    """The output of a sequence-classification model, read at the last real token of the answer.

    The scale is the model's own: differences are log-odds, and only they have a meaning.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        max_length: int = 512,
        batch_size: int = 16,
        name: str = "model",
    ) -> None:
        """Wrap a loaded model; it is put into evaluation mode, and its weights stay as they are.

        Args:
            model: with one output, as `cai.train.models.load_reward_model` gives it.
            tokenizer: of the model.
            max_length: most tokens of prompt and answer, as when the model was trained.
            batch_size: answers that are computed at once.
            name: column in logs.
        """
        from cai.train.tokens import Encoder

        self.name = name
        self._model = model.eval()
        self._encoder = Encoder(tokenizer, max_length)
        self._pad = tokenizer.pad_token_id
        self._batch_size = batch_size

    @classmethod
    def load(cls, path: Path | str, **options: Any) -> Self:
        """Open a folder that `cai train rm` wrote.

        Args:
            path: the folder.
            options: as for the class.

        Raises:
            FatalEngineError: there is no such model, or it cannot run here.
        """
        from cai.train.models import load_reward_model
        from cai.train.settings import ModelConfig

        loaded = load_reward_model(ModelConfig(name=str(path)))
        return cls(loaded.model, loaded.tokenizer, **options)

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """See `Reward.score`; in batches of answers of about the same length."""
        import torch

        from cai.train.models import rewards_of
        from cai.train.tokens import pad_right

        rows = [self._encoder.pair(p, c) for p, c in zip(prompts, completions, strict=True)]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]) + len(rows[i][1]))
        device = next(self._model.parameters()).device
        scores = [0.0] * len(rows)
        with torch.inference_mode():
            for start in range(0, len(order), self._batch_size):
                chosen = order[start : start + self._batch_size]
                batch = pad_right([rows[i] for i in chosen], self._pad)
                ids, mask = (batch[k].to(device) for k in ("input_ids", "attention_mask"))
                found = rewards_of(self._model, ids, mask).tolist()
                for i, value in zip(chosen, found, strict=True):
                    scores[i] = value
        return scores
