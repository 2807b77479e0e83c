"""Prompts come in here: files of several formats, checked row by row."""

from __future__ import annotations

from cai.intake.read import PromptFormat, read_prompts
from cai.intake.summary import PromptsSummary, count_prompts

__all__ = ["PromptFormat", "PromptsSummary", "count_prompts", "read_prompts"]
