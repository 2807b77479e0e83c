"""Constitutional AI and RLAIF: written principles in, revisions and preference pairs out.

The names below are loaded when they are first used, so `import cai` is cheap and needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cai import engines
    from cai.config import Config, JudgeConfig, LoopConfig, load_config
    from cai.constitution import Constitution, Principle, load_constitution
    from cai.errors import CaiError
    from cai.intake import read_prompts
    from cai.loop import Generation
    from cai.records import Message, Pair, Prompt, Row, Verdict
    from cai.store import RunStore

__version__ = "0.1.0"

__all__ = [
    "CaiError",
    "Config",
    "Constitution",
    "Generation",
    "JudgeConfig",
    "LoopConfig",
    "Message",
    "Pair",
    "Principle",
    "Prompt",
    "Row",
    "RunStore",
    "Verdict",
    "__version__",
    "engines",
    "load_config",
    "load_constitution",
    "read_prompts",
]

_HOMES = {
    "cai.config": ("Config", "JudgeConfig", "LoopConfig", "load_config"),
    "cai.constitution": ("Constitution", "Principle", "load_constitution"),
    "cai.errors": ("CaiError",),
    "cai.intake": ("read_prompts",),
    "cai.loop": ("Generation",),
    "cai.records": ("Message", "Pair", "Prompt", "Row", "Verdict"),
    "cai.store": ("RunStore",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "engines":
        return import_module("cai.engines")
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'cai' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
