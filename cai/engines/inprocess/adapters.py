"""Folders that a training wrote, as models that an engine can open.

`cai train` leaves a whole model. A checkpoint of a training with adapters holds the adapters alone;
they are folded into the weights that they were made for, once, in the user's cache.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from cai.engines.embedded import cache_dir
from cai.engines.inprocess.identity import digest_of, locate
from cai.errors import MissingExtraError, UsageError
from cai.hashing import short_id

__all__ = ["whole_model"]

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def whole_model(folder: Path, where: str) -> Path:
    """The folder itself when it holds a whole model, and one with the adapters folded in otherwise.

    Args:
        folder: there is such a folder.
        where: what an error calls it, such as `--subject a=models/dpo`.

    Raises:
        FatalEngineError: the model that the adapters were made for cannot be loaded.
        MissingExtraError: peft is not installed.
        UsageError: the folder holds no model that answers; the message names those within it.
    """
    if (folder / "config.json").is_file():
        return folder
    if all((folder / name).is_file() for name in _ADAPTER_FILES):
        return _folded(folder, where)
    within = sorted(
        path.parent.relative_to(folder).as_posix()
        for name in ("config.json", _ADAPTER_FILES[0])
        for depth in ("*", "*/*")
        for path in folder.glob(f"{depth}/{name}")
    )
    seen = f" Within it are: {', '.join(within[:8])}." if within else ""
    raise UsageError(
        f"{where}: the folder {folder} holds no model. Allowed is one with config.json and "
        f"*.safetensors, or with {' and '.join(_ADAPTER_FILES)}, as cai train writes them.{seen} "
        "Of a training that is not finished, name checkpoints/checkpoint-N; ppo writes a model "
        "only at its end."
    )


def _folded(folder: Path, where: str) -> Path:
    from importlib.util import find_spec

    import orjson

    try:
        said: Any = orjson.loads((folder / _ADAPTER_FILES[0]).read_bytes())
        base, task = said["base_model_name_or_path"], said["task_type"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        base = task = None
    if not isinstance(base, str) or not base:
        raise UsageError(
            f"{where}: {folder / _ADAPTER_FILES[0]} does not say what it adapts. It needs "
            "base_model_name_or_path and task_type, as peft writes them."
        )
    if task != "CAUSAL_LM":
        raise UsageError(
            f"{where}: the adapters in {folder} are for the task {task}, and give no answers. "
            "Allowed is CAUSAL_LM: name the folder of a policy, not of a reward model."
        )
    if find_spec("peft") is None:
        raise MissingExtraError("a folder of adapters", "train")
    at, local = locate(base)
    own = digest_of(folder / name for name in _ADAPTER_FILES)
    weights = digest_of(sorted(Path(at).glob("*.safetensors"))) if local else base
    ready = cache_dir() / "models" / f"folded-{short_id([own, weights])}"
    if not ready.is_dir():
        _fold(folder, base, ready)
    return ready


def _fold(folder: Path, base: str, ready: Path) -> None:
    """Write the base with the adapters in its weights; the folder appears as a whole."""
    import transformers
    from peft import PeftModel

    from cai.engines.inprocess.loading import Source, load, quiet

    loaded = load(Source(base, dtype="float32", device="cpu"))
    ready.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".folding-", dir=ready.parent))
    try:
        with quiet():
            adapted: Any = PeftModel.from_pretrained(loaded.model, str(folder))
            adapted.merge_and_unload().save_pretrained(work / "model", safe_serialization=True)
            tokenizer = loaded.tokenizer
            if (folder / "tokenizer_config.json").is_file():
                tokenizer = transformers.AutoTokenizer.from_pretrained(
                    str(folder), local_files_only=True
                )
            tokenizer.save_pretrained(work / "model")
        try:
            (work / "model").replace(ready)
        except OSError:
            # A folder that is not empty cannot be replaced: another process was faster.
            if not ready.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
