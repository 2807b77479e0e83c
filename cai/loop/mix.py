"""Several prompt files as one: each at its share, at any limit, and the same each time.

Which prompts of a file are used is decided by hash, so it depends neither on their order nor on the
limit: raising the limit goes on with the same sequence of prompts.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from cai.errors import InputError
from cai.hashing import content_hash, unit_intervals
from cai.intake import read_prompts
from cai.intake.summary import scan_prompts
from cai.loop.source import MixedFile, PromptSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cai.config import MixConfig, PromptsConfig
    from cai.records import Prompt

__all__ = ["mixed", "turns"]


def mixed(main: PromptSource, config: PromptsConfig) -> PromptSource:
    """Mix the files of `prompts.mix` into the prompts of the run, until those are used up.

    A prompt that is in several files belongs to the first of them. Memory: 9 bytes for each prompt
    of each file.

    Args:
        main: what `prompts.path` names.
        config: the shares and the limit.

    Raises:
        InputError: a file is missing or broken, or has too few prompts for its share.
    """
    shares = [one.share for one in config.mix]
    pools, digests = [_numbers(main.read())], list[str]()
    for one in config.mix:
        ids, digest = scan_prompts(one.path, one.format)
        pools.append(sorted(set(ids).difference(*pools)))
        digests.append(digest)
    available = [len(pool) for pool in pools]
    # Not what the limit needs, but what the whole run would need: so it stays the same choice.
    whole, _ = _counts(shares, available, None)
    within, short = _counts(shares, available, config.limit)
    if short:
        raise _too_few(config.mix[short - 1], available[short], sum(within))
    wanted = [array("Q", pools[0])]
    wanted += [_drawn(pool, count) for pool, count in zip(pools[1:], whole[1:], strict=True)]

    def read() -> Iterator[Prompt]:
        parts = [_once(main.read(), wanted[0], ())]
        parts += [
            _once(read_prompts(one.path, one.format), those, one.tags)
            for one, those in zip(config.mix, wanted[1:], strict=True)
        ]
        for turn in turns(shares):
            prompt = next(parts[turn], None)
            if prompt is None:
                return
            yield prompt

    named = [[d, o.share, list(o.tags)] for o, d in zip(config.mix, digests, strict=True)]
    names = [one.path.replace("\\", "/").rpartition("/")[2] for one in config.mix]
    return replace(
        main,
        name=", ".join([main.name, *names]),
        hash=content_hash([main.hash, named]),
        rows=sum(whole),
        unique=sum(whole),
        total=sum(within),
        read=read,
        mix=tuple(
            MixedFile(name, digest, one.share, one.tags, one.principles, count)
            for name, digest, one, count in zip(names, digests, config.mix, whole[1:], strict=True)
        ),
    )


def turns(shares: Sequence[float]) -> Iterator[int]:
    """Whose turn it is, without end: 0 is the main file, i the i-th that is mixed in.

    After any n turns each of k files has had its share of n to less than one turn. Tijdeman 1980,
    "The chairman assignment problem", Discrete Mathematics 32(3): of the files that have fallen
    behind by 1 / (2k - 2) or more, the one whose deadline comes first.

    Args:
        shares: of the files that are mixed in; the main file has the rest.
    """
    mixed_in = [Fraction(str(share)) for share in shares]
    exact = [1 - sum(mixed_in, Fraction()), *mixed_in]
    scale = math.lcm(*(part.denominator for part in exact))
    # In units of 1 / scale, so that nothing is ever rounded.
    steps = [int(part * scale) for part in exact]
    due, last = [0] * len(steps), 2 * len(steps) - 2
    while True:
        due = [behind + step for behind, step in zip(due, steps, strict=True)]
        ready = [i for i, behind in enumerate(due) if behind * last >= scale]
        turn = min(ready, key=lambda i: ((last - 1) * scale - last * due[i]) / steps[i])
        due[turn] -= scale
        yield turn


def _counts(
    shares: Sequence[float], available: Sequence[int], most: int | None
) -> tuple[list[int], int | None]:
    """Prompts of each file until one is used up, and which; None where the limit came first."""
    counts = [0] * len(available)
    for taken, turn in enumerate(turns(shares)):
        if taken == most:
            break
        if counts[turn] == available[turn]:
            return counts, turn
        counts[turn] += 1
    return counts, None


def _numbers(prompts: Iterable[Prompt]) -> list[int]:
    return sorted({int(prompt.id, 16) for prompt in prompts})


def _drawn(pool: Sequence[int], count: int) -> array[int]:
    """As many of the numbers as are needed, by hash; sorted."""
    if count < len(pool):
        ranks = unit_intervals("mix", last=(f"{number:016x}" for number in pool))
        pool = sorted(n for _, n in sorted(zip(ranks, pool, strict=True))[:count])
    return array("Q", pool)


def _once(prompts: Iterable[Prompt], wanted: array[int], tags: tuple[str, ...]) -> Iterator[Prompt]:
    """The wanted prompts, each where it comes first, with further tags."""
    seen = bytearray(len(wanted))
    for prompt in prompts:
        number = int(prompt.id, 16)
        at = bisect_left(wanted, number)
        if at < len(wanted) and wanted[at] == number and not seen[at]:
            seen[at] = 1
            yield replace(prompt, tags=tuple(dict.fromkeys((*prompt.tags, *tags))))


def _too_few(one: MixConfig, available: int, reached: int) -> InputError:
    return InputError(
        f"prompts.mix: {one.path} holds {available:,} different prompts that no file before it "
        f"has. At a share of {one.share:g} they are used up after {reached:,} prompts. Set "
        f"prompts.limit to {reached:,} or less, lower the share, or add prompts to the file."
    )
