"""Which principles a prompt is under: all, or those that `prompts.mix` names for its tags.

Helpful prompts are mixed in so that training for harmlessness does not teach evasion (2212.08073,
§4.1 mixes them into both stages). Under a principle of harmlessness they would be judged by what
they are not about, so their entry may name the principles that count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.errors import ConfigError, nearest

if TYPE_CHECKING:
    from cai.config import PromptsConfig
    from cai.constitution.models import Constitution
    from cai.records import Prompt

__all__ = ["Scopes", "restrictions"]


def restrictions(config: PromptsConfig) -> list[list[list[str]]]:
    """Tags of prompts and the tags of their principles, in an order of their own.

    It is the part of `prompts.mix` that determines rows; which prompts there are is no part of it.
    """
    return sorted(
        [sorted(one.tags), sorted(one.principles)] for one in config.mix if one.principles
    )


class Scopes:
    """Finds the constitution of a prompt.

    A prompt falls under a restriction when it carries all of its tags, whatever file it is from:
    tags are stored with the prompt, files are not. Under several, principles of any of them count.
    """

    def __init__(self, config: PromptsConfig, constitution: Constitution) -> None:
        """Take the restrictions.

        Raises:
            ConfigError: no principle has one of the named tags.
        """
        self._whole = constitution
        self._restrictions = [(frozenset(t), frozenset(p)) for t, p in restrictions(config)]
        self._found: dict[frozenset[str], Constitution] = {}
        known = sorted({tag for principle in constitution.principles for tag in principle.tags})
        for tag in sorted({tag for _, wanted in self._restrictions for tag in wanted}):
            if tag not in known:
                raise ConfigError(
                    f"prompts.mix: no principle of {constitution.label} has the tag '{tag}'. "
                    f"Known: {', '.join(known) or 'none'}.{nearest(tag, known)}"
                )

    def of(self, prompt: Prompt) -> Constitution:
        """The constitution with only the principles that the prompt is under."""
        tags = set(prompt.tags)
        wanted = frozenset[str]().union(*(p for t, p in self._restrictions if t <= tags))
        if not wanted:
            return self._whole
        if wanted not in self._found:
            kept = tuple(p for p in self._whole.principles if wanted & set(p.tags))
            self._found[wanted] = self._whole.model_copy(update={"principles": kept})
        return self._found[wanted]
