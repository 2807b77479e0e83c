"""The pages about Python: each package of `cai`, with what its `__all__` names."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lists import contents
from pydantic import BaseModel
from sphinx.ext.autodoc.mock import mock

from cai.config.section import Section

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

__all__ = ["MOCKED", "write_api"]

# The site is built without the extras; what is imported at the top of a module is stood in for.
MOCKED = [
    "accelerate",
    "datasets",
    "matplotlib",
    "peft",
    "ray",
    "safetensors",
    "starlette",
    "torch",
    "transformers",
    "trl",
    "uvicorn",
    "vllm",
]

# Modules that are public beside the packages: their names turn up in every signature.
_MODULES = ("cai.errors", "cai.records", "cai.content")


def write_api(root: Path, folder: Path) -> None:
    """Write a page for each public package, and one that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    with mock(MOCKED):
        _write(root, folder)


def _write(root: Path, folder: Path) -> None:
    names = sorted({*_packages(root), *_MODULES})
    homes = _homes(names)
    lines = ["# Python", "", "What each package of `cai` exports.", ""]
    lines += ["| package | holds |", "| --- | --- |"]
    for name in names:
        module = import_module(name)
        (folder / f"{name}.rst").write_text(_page(module, homes), encoding="utf-8")
        lines.append(f"| [`{name}`]({name}.rst) | {_summary(module)} |")
    lines.append(contents(names))
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


def _packages(root: Path) -> list[str]:
    """All packages that export something; the command line has pages of its own."""
    found = []
    for path in sorted((root / "cai").rglob("__init__.py")):
        name = ".".join(path.parent.relative_to(root).parts)
        if name.startswith("cai.cli") or "_content" in name:
            continue
        if getattr(import_module(name), "__all__", ()):
            found.append(name)
    return found


def _homes(names: list[str]) -> dict[int, str]:
    """Where each object is described: in the first package that exports it, but not in `cai`."""
    homes: dict[int, str] = {}
    for name in sorted(names, key=lambda name: (name == "cai", name.count("."), name)):
        module = import_module(name)
        for symbol in module.__all__:
            homes.setdefault(id(getattr(module, symbol)), name)
    return homes


def _page(module: ModuleType, homes: dict[int, str]) -> str:
    name = module.__name__
    lines = [
        name,
        "=" * len(name),
        "",
        f".. automodule:: {name}",
        "   :no-members:",
        "   :no-index:",
        "",
    ]
    elsewhere, settings = [], []
    for symbol in module.__all__:
        thing = getattr(module, symbol)
        home = homes[id(thing)]
        if inspect.ismodule(thing):
            elsewhere.append(f"- :doc:`{symbol} <{thing.__name__}>`")
        elif home != name and (inspect.isclass(thing) or inspect.isroutine(thing)):
            elsewhere.append(f"- :py:obj:`{symbol} <{home}.{symbol}>`")
        elif inspect.isclass(thing) and issubclass(thing, Section):
            settings.append(f"``{symbol}``")
        else:
            lines += [f".. {_directive(thing)}:: {name}.{symbol}", *_options(thing), ""]
    if settings:
        lines += ["Sections of config files, described in :doc:`/config/index`:", ""]
        lines += [", ".join(settings) + ".", ""]
    if elsewhere:
        lines += ["Described elsewhere:", "", *elsewhere, ""]
    return "\n".join(lines)


def _directive(thing: Any) -> str:
    if inspect.isclass(thing):
        return "autoexception" if issubclass(thing, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(thing) else "autodata"


def _options(thing: Any) -> list[str]:
    if not inspect.isclass(thing):
        return ["   :no-value:"] if not inspect.isroutine(thing) else []
    options = ["   :members:"]
    if issubclass(thing, BaseModel):
        options.append("   :exclude-members: model_config, model_post_init")
    return options


def _summary(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
