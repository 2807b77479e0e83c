"""A plan against the store of its run: which rows stay, which calls are to be made, and why.

Every prompt, or of many an evenly spread part, is walked under the new plan on the memory of the
run (`cai.loop.memory`). Memory does not grow with the number of prompts.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from cai.loop.causes import causes
from cai.loop.judging import judging_stage, logprobs_of
from cai.loop.memory import MemoryWalks, Outlook
from cai.loop.rehearse import SCENARIOS
from cai.loop.replanned import Outcome, Replanned, Tally
from cai.loop.secret import stored_secret
from cai.quoting import new_secret
from cai.store.standing import current_prompts, gives_logprobs, made_of, standings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cai.loop.changes import Changes
    from cai.loop.plan import Plan
    from cai.loop.replanned import Fate
    from cai.loop.source import PromptSource
    from cai.records import Prompt, Row, Stage
    from cai.store import RunStore
    from cai.store.standing import Standing
    from cai.store.statistics import Rate

__all__ = ["clean_shares", "replan"]

_READ_TOGETHER = 256
_ENOUGH_CRITIQUES = 20


async def replan(
    store: RunStore,
    source: PromptSource,
    plan: Plan,
    changes: Changes,
    *,
    clean: Rate,
    lengths: Mapping[Stage, int],
    most: int | None,
) -> Replanned:
    """Compare a plan with what its run holds. Nothing is asked, and nothing is written.

    Args:
        store: of the run, which has begun.
        source: the prompts of the plan.
        plan: with the fingerprint of every model.
        changes: between the run and the plan.
        clean: how many critiques of the run found nothing to mend.
        lengths: tokens of an answer, by stage, where they are known.
        most: prompts of a kind that are walked, of the new ones and of the others; all when None.
    """
    comparison = _Comparison(store, source, plan, changes, clean, lengths)
    return await comparison.carry_out(most)


class _Comparison:
    def __init__(
        self,
        store: RunStore,
        source: PromptSource,
        plan: Plan,
        changes: Changes,
        clean: Rate,
        lengths: Mapping[Stage, int],
    ) -> None:
        self._store = store
        self._source = source
        self._plan = plan
        self._changes = changes
        self._tally = Tally()
        self._repeated = _repeated(source)
        said = {role: _gives_logprobs(store, plan, role) for role in plan.judges}
        # A judge that is known to give none is asked for some in vain at first, once in each walk.
        self._alike = all(said.values())
        # Without a secret no judge was asked yet, and any will do.
        secret = stored_secret(store) or new_secret()
        shares = clean_shares(clean)
        self._low, self._likely, self._high = (
            MemoryWalks(
                *(store, plan),
                Outlook(
                    share,
                    {r: scenario.logprobs if one is None else one for r, one in said.items()},
                    lengths,
                ),
                secret,
            )
            for share, scenario in zip(shares, SCENARIOS, strict=True)
        )

    async def carry_out(self, most: int | None) -> Replanned:
        fresh = known = kept = current = 0
        epoch = self._store.meta("epoch")
        for _, standing in self._prompts():
            current += standing is not None and standing.epoch == epoch
            if standing is None:
                fresh += 1
            elif self._is_kept(standing):
                kept += 1
            else:
                known += 1
        other_file = "prompts" in self._changes.keys
        gone = current_prompts(self._store) - current if other_file else 0
        walked = await self._walk_some(fresh, known, most)
        return Replanned.of(
            self._tally,
            self._changes,
            known=self._high.known,
            counts={"kept": kept, "new": fresh, "gone": gone, "known": known},
            walked=walked,
        )

    async def _walk_some(self, fresh: int, known: int, most: int | None) -> int:
        strides = {
            new: 1 if most is None else max(1, -(-total // most))
            for new, total in ((True, fresh), (False, known))
        }
        totals, seen, walked = {True: fresh, False: known}, {True: 0, False: 0}, 0
        for prompt, standing in self._prompts():
            new = standing is None
            if standing is not None and self._is_kept(standing):
                continue
            seen[new] += 1
            if (seen[new] - 1) % strides[new]:
                continue
            walked += 1
            # Each stands for as many as were passed over.
            weight = totals[new] / -(-totals[new] // strides[new])
            await self._one(prompt, standing, weight)
        return walked

    async def _one(self, prompt: Prompt, standing: Standing | None, weight: float) -> None:
        done = standing is not None and standing.status == "done"
        stored = made_of(self._store, prompt.id) if done else None
        # A row of a plan before that one tells nothing of what the changes are about.
        comparable = stored if stored and stored.plan == self._changes.before.plan else None
        walks = [await self._high.walk(prompt)]
        if walks[0][1].doubts or not self._alike:
            walks += [await self._likely.walk(prompt), await self._low.walk(prompt)]
        outcomes = [
            Outcome.of(
                row, ledger, causes(self._changes, row, ledger, comparable, new=standing is None)
            )
            for row, ledger in walks
        ]
        row, ledger = walks[0]
        self._tally.count(ledger, weight, "asking" if ledger.new else self._becomes(row, stored))
        self._tally.add(outcomes[-1], outcomes[len(outcomes) // 2], outcomes[0], weight=weight)

    def _becomes(self, row: Row, stored: Row | None) -> Fate:
        """What becomes of a row for which nothing is asked."""
        if row.failed:
            return "failing"
        if stored is None:
            return "altered"
        same = replace(row, plan=stored.plan, prompt=stored.prompt) == stored
        return "same" if same else "altered"

    def _is_kept(self, standing: Standing) -> bool:
        return standing.status == "done" and standing.plan == self._plan.hash

    def _prompts(self) -> Iterator[tuple[Prompt, Standing | None]]:
        """Each different prompt, in the order of the file."""
        seen: set[int] = set()
        prompts = islice(self._source.read(), self._source.limit)
        while batch := list(islice(prompts, _READ_TOGETHER)):
            ids = [prompt.id for prompt in batch]
            found = standings(self._store, ids)
            for prompt, prompt_id in zip(batch, ids, strict=True):
                number = int(prompt_id, 16)
                if number in seen:
                    continue
                if number in self._repeated:
                    seen.add(number)
                yield prompt, found.get(prompt_id)


def clean_shares(measured: Rate) -> tuple[float, float, float]:
    """Shares of critiques that find nothing, for the low, the likely and the high value.

    The first is the upper end of Wilson's interval at 95 % (1927), as if it were measured on 30
    critiques at most: few are asked anew, and their own share scatters. For the high value none
    finds nothing, so that it is a bound.
    """
    if measured.value is None or measured.n < _ENOUGH_CRITIQUES:
        return SCENARIOS[0].clean, SCENARIOS[1].clean, SCENARIOS[2].clean
    p, n, z = measured.value, min(measured.n, 30), 1.959964
    spread = z * math.sqrt(p * (1.0 - p) / n + z * z / (4 * n * n))
    return (p + z * z / (2 * n) + spread) / (1.0 + z * z / n), p, SCENARIOS[2].clean


def _repeated(source: PromptSource) -> frozenset[int]:
    """Ids of prompts that come again. Memory: 16 bytes for each prompt, if there are any."""
    if source.unique == source.rows:
        return frozenset()
    import numpy as np

    ids = np.frombuffer(array("Q", (int(p.id, 16) for p in source.read())), dtype=np.uint64)
    ids = np.sort(ids)
    return frozenset(ids[1:][ids[1:] == ids[:-1]].tolist())


def _gives_logprobs(store: RunStore, plan: Plan, role: str) -> bool | None:
    """None when it is not known."""
    models = plan.config.models
    if logprobs_of(models, role) == "never":
        # They are not asked for.
        return True
    fingerprint = plan.asked[f"models.{role}.fingerprint"]
    told = gives_logprobs(store, fingerprint, judging_stage(plan.config))
    # Only servers may keep them to themselves.
    return True if told is None and models.roles[role].engine != "openai" else told
