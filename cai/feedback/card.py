"""The card of a folder of feedback, and configs that train on its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cai.feedback.told import bias_lines, input_lines, user_lines, warnings
from cai.store.card import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["render_card", "training_config"]

_FILES: Mapping[str, str] = {
    "kto.jsonl": "answers with a label: `prompt`, `completion`, `label`; for "
    "`cai train kto kto.yaml`",
    "preferences.jsonl": "edits: `prompt`, `chosen` (the edit), `rejected` (the answer); for "
    "`cai train dpo dpo.yaml` and `cai import`",
    "dev/kto.jsonl": "the same for calibration and early stopping",
    "dev/preferences.jsonl": "the same for calibration and early stopping",
    "queue.jsonl": "what waits for people, and why; nothing to train on",
    "kto.yaml": "a config that trains on kto.jsonl, its labels weighed",
    "dpo.yaml": "a config that trains on preferences.jsonl",
}


def render_card(manifest: Mapping[str, Any]) -> str:
    """Markdown, from the manifest alone.

    Args:
        manifest: from `cai.feedback.export`, with all data files.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # A value that lacks the filter `md` is at least no HTML.
        autoescape=True,
    )
    environment.filters["md"] = markdown
    return environment.get_template("_card.md.jinja").render(
        m=manifest,
        holds=_FILES,
        inputs=input_lines(manifest),
        users=user_lines(manifest),
        biases=bias_lines(manifest),
        warnings=warnings(manifest),
    )


def training_config(
    method: Literal["kto", "dpo"], facts: Mapping[str, Any], rows: Mapping[str, int]
) -> str:
    """A config for `cai train`, or nothing where there is nothing to train on.

    Args:
        method: whose config.
        facts: from `cai.feedback.account`.
        rows: of each file, by its name.
    """
    file = {"kto": "kto.jsonl", "dpo": "preferences.jsonl"}[method]
    if not rows[file]:
        return ""
    lines = [
        f"# cai train {method} {method}.yaml",
        "data:",
        f"  - file: {file}",
        "    origin: human",
    ]
    if method == "kto":
        labels = facts["labels"]
        lines += [
            f"# {labels['good']:,} good and {labels['bad']:,} bad answers: these weights let both",
            "# sides count the same.",
            "kto:",
            f"  desirable: {labels['desirable']}",
            f"  undesirable: {labels['undesirable']}",
        ]
    return "\n".join([*lines, ""])
