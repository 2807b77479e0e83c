"""Which function writes which layout; `trl` has the pedigree of a run and lives in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.formats.pairs import write_kto, write_openai, write_reward, write_ultrafeedback
from cai.formats.ranks import write_rankings, write_ratings
from cai.formats.singles import write_alpaca, write_edits, write_prompts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.formats.layouts import Layout
    from cai.formats.writing import Write

__all__ = ["WRITERS"]

WRITERS: Mapping[Layout, Write] = {
    "ultrafeedback": write_ultrafeedback,
    "openai": write_openai,
    "kto": write_kto,
    "reward": write_reward,
    "rankings": write_rankings,
    "ratings": write_ratings,
    "edits": write_edits,
    "alpaca": write_alpaca,
    "rl-prompts": write_prompts,
}
