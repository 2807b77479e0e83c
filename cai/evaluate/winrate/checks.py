"""Labelled pairs that the judge of a win rate is tried on where nobody names others.

Those that people have labelled in the run come first: they are of the kind that is judged. Without
them it is the test cases of the constitution, of which its authors say which answer is better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.constitution.case_files import load_cases
from cai.constitution.load import find_constitution
from cai.errors import ConfigError
from cai.evaluate.floor import LEAST_CLUSTERS
from cai.evaluate.spread import spread
from cai.evaluate.winrate.run import Check
from cai.records import Prompt
from cai.store import RunStore
from cai.validation import Labels
from cai.validation.exchange import Comparison
from cai.validation.settings import settings_of
from cai.validation.table import NAMES, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from cai.constitution.models import Constitution

__all__ = ["case_pairs", "known_pairs", "people_pairs"]

_FIRST, _SECOND = NAMES.index("first"), NAMES.index("second")


def known_pairs(
    constitution: Constitution, ref: str | Path, run: Path | None, limit: int | None = None
) -> Check | None:
    """Labelled pairs that come with a run or its constitution; None where there are none.

    Args:
        constitution: that is judged under.
        ref: what it was loaded by.
        run: whose labels by people count; None for no run.
        limit: most pairs.

    Raises:
        ConfigError: a file of test cases does not fit.
        StoreError: the run cannot be read.
    """
    if limit == 0:
        return None
    of_people = people_pairs(run, limit) if run is not None else None
    return of_people or case_pairs(constitution, ref, limit)


def people_pairs(run: Path, limit: int | None = None) -> Check | None:
    """Pairs of a run on which people agree; None where they are of too few prompt groups.

    Held-out labels are for final checks, and what a judge is worth is one: nothing is fitted here.
    """
    if not (run / "run.db").is_file():
        return None
    with RunStore.read(run) as store:
        labels = Labels(store)
        if labels.plan() is None:
            return None
        table = read_table(labels, settings_of(store).gold)
    decided = [
        (item, code == _FIRST)
        for item, code in zip(table.items, table.gold.tolist(), strict=True)
        if code in (_FIRST, _SECOND) and item.pair.first != item.pair.second
    ]
    if len({item.group_id for item, _ in decided}) < LEAST_CLUSTERS:
        return None
    pairs = [
        Comparison(item.prompt, *(both if first else both[::-1]))
        for item, first in decided
        for both in [(item.pair.first, item.pair.second)]
    ]
    return Check(f"pairs labelled by people in {run.name}", pairs[:limit])


def case_pairs(
    constitution: Constitution, ref: str | Path, limit: int | None = None
) -> Check | None:
    """Test cases with two answers, of each principle about as many; None where there are none.

    A run may have been made elsewhere; the files of its constitution are then not there.

    Raises:
        ConfigError: a file of test cases does not fit.
    """
    try:
        find_constitution(ref)
    except ConfigError:
        return None
    two = [one.case for one in load_cases(constitution, ref) if one.case.better is not None]
    pairs = [
        Comparison(Prompt(case.messages), case.better, case.worse)
        for case in spread(two, lambda case: case.principle, limit)
        if case.better is not None and case.worse is not None
    ]
    return Check(f"test cases of {constitution.label}", pairs) if pairs else None
