"""The layouts that an export can write: their names, their tables, what each is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from cai.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LAYOUTS", "Layout", "LayoutFacts", "check_layouts"]

Layout = Literal[
    "trl",
    "ultrafeedback",
    "openai",
    "kto",
    "reward",
    "rankings",
    "ratings",
    "edits",
    "alpaca",
    "rl-prompts",
]


@dataclass(frozen=True, slots=True)
class LayoutFacts:
    """What is known of a layout.

    `tables` are the names of its files without their ending. A layout without `parquet` is no
    table with columns of one type, or is read by a service that takes JSONL alone. `source` is
    that of rows which have no place for it; the manifest says it in their stead.
    """

    tables: tuple[str, ...]
    holds: str
    parquet: bool = True
    source: Literal["", "ai", "revision"] = ""


LAYOUTS: Mapping[Layout, LayoutFacts] = {
    "trl": LayoutFacts(
        ("sft", "preferences", "undecided"),
        "TRL's conversational SFT and preference rows, and pairs without a winner",
    ),
    "ultrafeedback": LayoutFacts(
        ("ultrafeedback",),
        "the columns of HuggingFaceH4/ultrafeedback_binarized; scores are p and 1 - p, not 1 to 10",
        source="ai",
    ),
    "openai": LayoutFacts(
        ("openai",),
        "input for preference fine-tuning in the format of OpenAI",
        parquet=False,
        source="ai",
    ),
    "kto": LayoutFacts(
        ("kto",), "single answers with a label, for KTO; each answer of a prompt once"
    ),
    "reward": LayoutFacts(
        ("reward",), "pairs for a reward model, with the soft label p and the margin 2p - 1"
    ),
    "rankings": LayoutFacts(
        ("rankings",),
        "the compared answers of a prompt, best first; differences of scores are log-odds",
    ),
    "ratings": LayoutFacts(
        ("ratings",),
        "single answers, rated by the mean probability of beating the others of the prompt",
    ),
    "edits": LayoutFacts(
        ("edits",), "one round of critique and revision under a principle; nobody judged these"
    ),
    "alpaca": LayoutFacts(
        ("alpaca",),
        "revisions as answers to prompts of one turn, in the keys of Stanford Alpaca",
        source="revision",
    ),
    "rl-prompts": LayoutFacts(("rl-prompts",), "prompts alone, for methods that sample answers"),
}


def check_layouts(names: Sequence[str]) -> tuple[Layout, ...]:
    """The layouts of these names, each once, in the order of `LAYOUTS`.

    Raises:
        UsageError: there is no such layout, or none was named.
    """
    if not names:
        raise UsageError(f"Got no layout. Allowed: one or more of {', '.join(LAYOUTS)}.")
    for name in names:
        if name not in LAYOUTS:
            raise UsageError(
                f"Got the layout '{name:.60}'. Allowed: {', '.join(LAYOUTS)}."
                f"{nearest(name, LAYOUTS)} Each is described in docs/formats.md."
            )
    return tuple(layout for layout in LAYOUTS if layout in cast("Sequence[Layout]", names))
