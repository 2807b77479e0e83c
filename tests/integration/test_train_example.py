"""The example that trains, in its smallest form: from a constitution to three policies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cai

ROOT = Path(cai.__file__).parent.parent


def test_from_a_constitution_to_three_policies(tmp_path: Path):
    script = ROOT / "examples/12_train_in_python/train.py"
    done = subprocess.run(
        [sys.executable, script, "--prompts", "12", "--steps", "2"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    records = {
        name: json.loads((tmp_path / f"models/{name}/training.json").read_text())
        for name in ("rm", "dpo", "ppo", "grpo")
    }
    assert all((tmp_path / f"models/{name}/model.safetensors").is_file() for name in records)
    # The pairs are those of the run, made under the constitution that the config names.
    [source] = records["dpo"]["sources"]
    assert source["constitution"].startswith("harmless-helpful@")
    assert source["train"] > 0
    rows = [
        json.loads(line)
        for line in (tmp_path / "models/grpo/log.jsonl").read_text().splitlines()
        if "reward/constitution" in line
    ]
    assert len(rows) == 2
    assert all(0.0 < row["reward/constitution"] < 1.0 for row in rows)
    # Each of the two online policies was looked at by the reward of the other.
    assert "Gold on" in records["ppo"]["watch"][0]
    assert "Gold on" in records["grpo"]["watch"][0]
