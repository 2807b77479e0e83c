"""The losses of TRL's trainers on the same batches: an upstream change shows here."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import LlamaForSequenceClassification

from cai.train.losses.preference import dpo, hinge, ipo, robust
from cai.train.losses.reward import bradley_terry, centring
from cai.train.models import answer_log_probs, rewards_of
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

PAIRS = {
    "prompt": ["Say a", "What is it?", "Hm"],
    "chosen": [" fine answer", " no", " yes, it is"],
    "rejected": [" bad", " a longer answer", " well"],
}


def arguments(kind: Any, folder: Path, **options: Any) -> Any:
    return kind(
        output_dir=str(folder),
        per_device_train_batch_size=3,
        use_cpu=True,
        bf16=False,
        report_to="none",
        dataset_num_proc=None,
        **options,
    )


@pytest.mark.parametrize("loss", ["sigmoid", "hinge", "ipo", "robust"])
def test_dpo_losses(loss: str, tmp_path: Path):
    trl = pytest.importorskip("trl")
    policy, reference = tiny_model(0), tiny_model(1)
    noise = 0.2 if loss == "robust" else 0.0
    args = arguments(*(trl.DPOConfig, tmp_path), beta=0.3, loss_type=[loss], label_smoothing=noise)
    trainer = trl.DPOTrainer(
        model=policy,
        ref_model=reference,
        args=args,
        train_dataset=Dataset.from_dict(PAIRS),
        processing_class=tiny_tokenizer(),
    )
    batch = next(iter(trainer.get_train_dataloader()))
    policy.eval()
    with torch.no_grad():
        theirs = trainer.compute_loss(policy, dict(batch))
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        rows = {**{k: batch[k] for k in ("input_ids", "attention_mask")}, "labels": labels}
        (ours, counts), (before, _) = (answer_log_probs(m, rows) for m in (policy, reference))
    ratios = ours - before
    h = ratios[:3] - ratios[3:]
    means = ratios / counts
    expected = {
        "sigmoid": dpo(h, torch.ones(3), 0.3),
        "hinge": hinge(h, 0.3),
        "ipo": ipo(means[:3] - means[3:], 0.3),
        "robust": robust(h, 0.3, noise),
    }[loss]
    assert theirs.item() == pytest.approx(expected.mean().item(), rel=1e-4)


def test_reward_model_loss(tmp_path: Path):
    trl = pytest.importorskip("trl")
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = "<|im_start|>"
    torch.manual_seed(0)
    config = tiny_model().config
    config.num_labels, config.pad_token_id = 1, tokenizer.pad_token_id
    model = LlamaForSequenceClassification(config)
    trainer = trl.RewardTrainer(
        model=model,
        args=arguments(trl.RewardConfig, tmp_path, center_rewards_coefficient=0.01),
        train_dataset=Dataset.from_dict(PAIRS),
        processing_class=tokenizer,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    model.eval()
    with torch.no_grad():
        theirs = trainer.compute_loss(model, dict(batch))
        rewards = rewards_of(model, batch["input_ids"], batch["attention_mask"])
    first, second = rewards.chunk(2)
    ours = bradley_terry(first, second, torch.ones(3)) + 0.01 * centring(first, second)
    assert theirs.item() == pytest.approx(ours.mean().item(), rel=1e-4)
