"""Which principles a prompt is under, and which of them a step can use.

Two things narrow the constitution down. `applies_to` of a principle chooses prompts by their tags.
And `prompts.mix` may name principles for the prompts of an entry: helpful prompts are mixed in so
that training for harmlessness does not teach evasion (2212.08073, §4.1 mixes them into both
stages), and under a principle of harmlessness they would be judged by what they are not about.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cai.errors import ConfigError, RowEngineError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.config import Config, PromptsConfig
    from cai.constitution.models import Constitution, Principle
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
    """Finds the constitution of a prompt, whole or for one kind of step.

    A prompt falls under a restriction of `prompts.mix` when it carries all of its tags, whatever
    file it is from: tags are stored with the prompt, files are not. Under several, principles of
    any of them count.
    """

    def __init__(self, config: Config, constitution: Constitution) -> None:
        """Take what narrows it down.

        Raises:
            ConfigError: no principle has one of the tags that `prompts.mix` names, or none has the
                wordings that a step needs.
        """
        self._whole = constitution
        self._restrictions = [(frozenset(t), frozenset(p)) for t, p in restrictions(config.prompts)]
        self._found: dict[tuple[str, frozenset[str]], Constitution] = {}
        self._can_revise = partial(_can_revise, direct=config.loop.direct)
        self._can_judge = _judging(config)
        loop = config.loop
        self._revises = loop.rounds > 0
        self._unrevised = frozenset(loop.unrevised)
        self._judges = loop.asks_judge
        known = sorted({tag for principle in constitution.principles for tag in principle.tags})
        for tag in sorted({tag for _, wanted in self._restrictions for tag in wanted}):
            if tag not in known:
                raise ConfigError(
                    f"prompts.mix: no principle of {constitution.label} has the tag '{tag}'. "
                    f"Known: {', '.join(known) or 'none'}.{nearest(tag, known)}"
                )
        if self._revises:
            needed = (
                "a 'revise' request" if config.loop.direct else "a 'critique' and 'revise' request"
            )
            self._require(self._can_revise, needed)
        if self._judges:
            asked = (
                "'propositions'" if config.judge.mode == "propositions" else "a 'judge' question"
            )
            self._require(self._can_judge, asked)

    @property
    def by_tags(self) -> bool:
        """Whether the tags of a prompt decide anything."""
        limited = any(not p.applies_to.everything for p in self._whole.principles)
        return limited or bool(self._restrictions)

    def require(self, prompt: Prompt) -> None:
        """Refuse a prompt that lacks principles for a step of its walk.

        Raises:
            RowEngineError: no principle applies to it, or none with the needed wordings.
        """
        self.of(prompt)
        if self.revises(prompt):
            self.revising(prompt)
        if self._judges:
            self.judging(prompt)

    def revises(self, prompt: Prompt) -> bool:
        """Whether answers to the prompt are revised."""
        return self._revises and self._unrevised.isdisjoint(prompt.tags)

    def of(self, prompt: Prompt) -> Constitution:
        """The constitution with only the principles that the prompt is under.

        Raises:
            RowEngineError: no principle applies to the prompt.
        """
        return self._narrowed(prompt, "all", lambda _: True)

    def revising(self, prompt: Prompt) -> Constitution:
        """The same with only those that can be critiqued and revised under.

        Raises:
            RowEngineError: there is none.
        """
        return self._narrowed(prompt, "revising", self._can_revise)

    def judging(self, prompt: Prompt) -> Constitution:
        """The same with only those that the judge can be asked about.

        Raises:
            RowEngineError: there is none.
        """
        return self._narrowed(prompt, "judging", self._can_judge)

    def _narrowed(
        self, prompt: Prompt, step: str, usable: Callable[[Principle], bool]
    ) -> Constitution:
        tags = frozenset(prompt.tags)
        if (step, tags) not in self._found:
            self._found[step, tags] = self._narrow(tags, step, usable)
        return self._found[step, tags]

    def _narrow(
        self, tags: frozenset[str], step: str, usable: Callable[[Principle], bool]
    ) -> Constitution:
        wanted = frozenset[str]().union(*(p for t, p in self._restrictions if t <= tags))
        kept = tuple(
            p
            for p in self._whole.principles
            if (not wanted or wanted & set(p.tags)) and p.applies_to.matches(tags) and usable(p)
        )
        narrowed = self._whole.only(kept)
        if narrowed is None:
            purpose = "" if step == "all" else f" and has the wordings for {step}"
            raise RowEngineError(
                f"No principle of {self._whole.label} applies to a prompt with the tags "
                f"{', '.join(sorted(tags)) or '(none)'}{purpose}. Widen 'applies_to' of one, or "
                "leave such prompts out."
            )
        return narrowed

    def _require(self, usable: Callable[[Principle], bool], what: str) -> None:
        if not any(map(usable, self._whole.principles)):
            raise ConfigError(
                f"No principle of {self._whole.label} has {what}, which this config needs. Write "
                "one, or choose another constitution."
            )


def _can_revise(principle: Principle, *, direct: bool) -> bool:
    return bool(principle.revise and (direct or principle.critique))


def _judging(config: Config) -> Callable[[Principle], bool]:
    """Which principles the judge can be asked about; a list of rules shows their texts alone."""
    judge = config.judge
    if judge.mode == "propositions":
        return lambda principle: bool(principle.propositions)
    if judge.mode in ("labels", "reasoning") and judge.scope != "constitution":
        return lambda principle: bool(principle.judge)
    return lambda _: True
