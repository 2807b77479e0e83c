"""Which prompts principles apply to (C401 to C404)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cai.constitution.lint.finding import Finding
from cai.constitution.lint.selectors import impossible
from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["prompt_findings", "unreachable"]

_SHOWN = 3
"""Sets of tags that a message names."""


def unreachable(principle: Principle) -> Iterator[Finding]:
    """C401: a selector that no set of tags can satisfy."""
    selector = principle.applies_to
    blocked = impossible(selector)
    if blocked:
        barred = " and ".join(f"'{pattern}'" for pattern in selector.none)
        wanted = " or ".join(f"'{pattern}'" for pattern in blocked)
        yield Finding(
            "C401",
            "error",
            principle.id,
            f"'applies_to' can match no prompt: it wants a tag {wanted}, and 'none' bars every "
            f"such tag ({barred}). The principle is never used.",
            "Remove one of the two.",
            "applies_to",
        )


def prompt_findings(
    constitution: Constitution, tags: Iterable[Iterable[str]], where: str
) -> list[Finding]:
    """What prompts show of the selectors (C402 to C404).

    Args:
        constitution: its principles are held against the prompts.
        tags: those of each prompt.
        where: what the messages call the prompts, for example their file.
    """
    counts = Counter(frozenset(one) for one in tags)
    chosen = {found: _applying(constitution, found) for found in counts}
    used = {p.id for applying in chosen.values() for p in applying}
    known = sorted({tag for found in counts for tag in found})
    found = [
        Finding(
            "C402",
            "warning",
            p.id,
            f"'applies_to' matches none of the {counted(counts.total(), 'prompt')} of {where}. "
            f"Their tags: {listed(known[:20])}{' …' if len(known) > 20 else ''}.",
            "Correct the tags, or add prompts that the principle is for.",
            "applies_to",
        )
        for p in sorted(constitution.principles, key=lambda p: p.id)
        if p.id not in used and not impossible(p.applies_to)
    ]

    def without(usable: Callable[[Principle], bool]) -> Counter[frozenset[str]]:
        return Counter({t: n for t, n in counts.items() if not any(map(usable, chosen[t]))})

    alone = without(lambda _: True)
    if alone:
        found.append(_uncovered("C403", "error", "no principle applies to", alone, counts, where))
    judged = without(lambda p: bool(p.judge.strip() or p.propositions or p.rubric)) - alone
    if judged:
        what = "no principle with a 'judge' question applies to"
        found.append(_uncovered("C404", "warning", what, judged, counts, where))
    revised = without(lambda p: bool(p.critique.strip() and p.revise.strip())) - alone
    if revised:
        what = "no principle with a 'critique' and a 'revise' request applies to"
        found.append(_uncovered("C404", "warning", what, revised, counts, where))
    return found


def _applying(constitution: Constitution, tags: frozenset[str]) -> list[Principle]:
    return [p for p in constitution.principles if p.applies_to.matches(tags)]


def _uncovered(
    code: str,
    level: str,
    what: str,
    without: Counter[frozenset[str]],
    counts: Counter[frozenset[str]],
    where: str,
) -> Finding:
    ranked = sorted(without.items(), key=lambda one: (-one[1], sorted(one[0])))
    sets = [f"{n:,} with [{', '.join(sorted(tags))}]" for tags, n in ranked[:_SHOWN]]
    more = f" and {len(ranked) - _SHOWN} more sets of tags" if len(ranked) > _SHOWN else ""
    return Finding(
        code,
        "error" if level == "error" else "warning",
        "",
        f"{what[0].upper()}{what[1:]} {without.total():,} of the "
        f"{counted(counts.total(), 'prompt')} of {where}: {'; '.join(sets)}{more}. Their rows fail "
        "in a run that needs one.",
        "Widen 'applies_to' of a principle, add one for them, or leave such prompts out.",
        "principles",
    )
