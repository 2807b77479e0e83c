"""The face of the package: what `cai` offers, and what it does not load to offer it."""

import importlib
import importlib.metadata
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import cai

ROOT = Path(cai.__file__).parent.parent
HEAVY = (
    *("torch", "transformers", "pydantic", "openai", "aiohttp", "pyarrow", "datasketch"),
    *("jinja2", "ruamel", "tenacity", "jsonschema", "semver", "numpy", "asyncio"),
)


def loaded_by(script: str) -> set[str]:
    """Top-level packages that a new process has loaded after the script."""
    listing = "print('\\n' + ' '.join({m.partition('.')[0] for m in sys.modules}))"
    code = f"import sys\n{script}\n{listing}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


def test_every_name_resolves():
    assert list(cai.__all__) == sorted(cai.__all__)
    assert dir(cai) == sorted(cai.__all__)
    for name in cai.__all__:
        assert getattr(cai, name) is not None
    namespace: dict[str, object] = {}
    exec("from cai import *", namespace)
    assert set(cai.__all__) <= set(namespace)


def test_names_come_from_their_own_rooms():
    assert cai.Config is importlib.import_module("cai.config").Config
    assert cai.__getattr__("engines") is cai.engines is importlib.import_module("cai.engines")
    assert cai.RunStore is importlib.import_module("cai.store").RunStore


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cai' has no attribute 'Generatoin'"):
        _ = cai.Generatoin
    assert not hasattr(cai, "Nothing")


def test_every_module_says_what_it_offers():
    for info in pkgutil.walk_packages(cai.__path__, "cai."):
        module = importlib.import_module(info.name)
        assert module.__doc__, info.name
        offered = getattr(module, "__all__", None)
        if offered is None:
            assert info.ispkg, info.name
            continue
        for name in offered:
            assert hasattr(module, name), f"{info.name}.{name}"


def test_import_cai_is_cheap():
    loaded = loaded_by("import cai")
    assert "cai" in loaded
    assert not loaded & {*HEAVY, "typer", "rich", "orjson"}


def test_help_is_cheap():
    script = (
        "sys.argv = ['cai', {}]\n"
        "from cai.cli import main\n"
        "try: main()\n"
        "except SystemExit as leaving: assert leaving.code == 0"
    )
    for arguments in ("'--help'", "'generate', '--help'", "'--version'"):
        loaded = loaded_by(script.format(arguments))
        assert "typer" in loaded
        # For the parameters of a command, typer itself needs pydantic.
        allowed = {"pydantic"} if "generate" in arguments else set()
        assert not (loaded & set(HEAVY)) - allowed, arguments


def test_the_version_is_the_one_of_the_distribution():
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert declared["project"]["version"] == cai.__version__
