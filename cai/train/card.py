"""What a trained model carries along: the config, the facts, and a card for people."""

from __future__ import annotations

import importlib.metadata
import io
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.hashing import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.train.data import SourceFacts
    from cai.train.settings import Method, TrainConfig

__all__ = ["Facts", "write_card"]

_PACKAGES = ("constitutional-ai", "torch", "transformers", "trl", "peft", "accelerate")


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about a finished training that is not its config."""

    fingerprint: str
    sources: tuple[SourceFacts, ...]
    data_hash: str
    trained: int
    weights: int
    steps: int
    seconds: float
    peak_mb: float
    results: Mapping[str, Mapping[str, float]]
    told: bool = False
    watch: tuple[str, ...] = ()
    processes: int = 1


def write_card(method: Method, config: TrainConfig, facts: Facts, folder: Path) -> None:
    """Write `training.yaml`, `training.json` and the model card, `README.md`."""
    from jinja2 import Environment

    text = _yaml(config.model_dump(mode="json", exclude_defaults=True))
    (folder / "training.yaml").write_text(text, encoding="utf-8")
    versions, commit = _versions(), _commit()
    record = {"method": method, **asdict(facts), "versions": versions, "commit": commit}
    record["config"] = config.model_dump(mode="json")
    (folder / "training.json").write_bytes(canonical_json(record))
    results = [(name, figures) for name, figures in facts.results.items() if figures]
    source = Path(__file__).with_name("_card.md.jinja").read_text(encoding="utf-8")
    # Markdown for people, and the config's own text: nothing in it comes from a model.
    markdown = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    card = markdown.from_string(source).render(
        **asdict(facts) | {"results": results, "sources": facts.sources},
        method=method,
        title=f"{Path(config.model.name).name} after {method}",
        base=config.model.name,
        unvalidated=[s for s in facts.sources if not s.standing.validated],
        names=list(dict.fromkeys(name for _, figures in results for name in figures)),
        peak=f"{facts.peak_mb:,.0f} MB",
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
        commit=commit,
        config=text.rstrip(),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def _yaml(data: Any) -> str:
    from ruamel.yaml import YAML

    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(data, out)
    return out.getvalue()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    """The commit of the checkout that the toolkit runs from; empty for an installed package."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
