"""Leaving a principle out of stored verdicts, against a jury that was never asked about it."""

import asyncio
from typing import Any

import numpy as np
import pytest

from cai.config import JudgeConfig
from cai.constitution import Constitution
from cai.judge import Jury, Seat
from cai.judge.repool import Finding, Pooling
from cai.records import PrincipleVerdict, Verdict
from cai.validation.bias import ballots_of
from cai.validation.bias.leave_out import leave_out
from tests.unit.influence_helpers import MEAN, ballot, pair_of
from tests.unit.judge_helpers import PROMPT, Fixed, principle, verdict

NAMES = ("a", "b", "c", "d", "e")
WEIGHTS = (1, 3, 2, 9, 1)
RANKED = Constitution(
    name="ranked",
    version="1.0.0",
    summary="Some go first.",
    principles=tuple(principle(name, weight) for name, weight in zip(NAMES, WEIGHTS, strict=True)),
    priorities=("c", "[ab]"),
)
CODES = {"first": 1.0, "second": -1.0, "tie": 0.0}


def seat_of(rng: np.random.Generator, silent: float) -> Fixed:
    """A judge with a random verdict, or none, under each principle."""

    def one(name: str) -> PrincipleVerdict:
        if rng.random() < silent:
            return verdict(None, "refused", name)
        # Coarse, so that ties and equal halves come up.
        return verdict(round(float(rng.random()), 1), principle=name)

    return Fixed(**{name: one(name) for name in NAMES})


def judged(jury: Jury, names: tuple[str, ...]) -> Verdict:
    groups = [(RANKED[name],) for name in names]
    return asyncio.run(jury.judge(PROMPT, "One.", "Two.", groups))


@pytest.mark.parametrize("aggregate", ["mean", "median", "weighted", "worst", "priority"])
@pytest.mark.parametrize(("seats", "panel"), [(1, "mean"), (3, "mean"), (3, "majority")])
@pytest.mark.parametrize("fallback", [False, True])
def test_a_left_out_principle_is_one_that_was_never_asked(
    aggregate: Any, seats: int, panel: Any, fallback: bool
) -> None:
    rng = np.random.default_rng(seats + 10 * fallback)
    config = JudgeConfig(
        scope="each", aggregate=aggregate, panel=panel, fallback_on=("refused", "tie")
    )
    pooling = Pooling.of(config, RANKED, "stand-in" if fallback else "")
    changed = 0
    for i in range(25):
        members = [seat_of(rng, 0.3) for _ in range(seats)]
        names = [""] if seats == 1 else [f"judge {k}" for k in range(seats)]
        jury = Jury(
            [Seat(name, one) for name, one in zip(names, members, strict=True)],
            config,
            Seat("stand-in", seat_of(rng, 0.5)) if fallback else None,
            level=RANKED.level,
        )
        whole = judged(jury, NAMES)
        table = leave_out([pair_of(i, list(ballots_of(whole)))], pooling)
        assert table.names == NAMES
        np.testing.assert_equal(table.whole[0], CODES.get(whole.outcome, np.nan))
        assert pooling.pooled(pooling.findings(whole.principles)) == whole.p
        for k, name in enumerate(NAMES):
            alone = judged(jury, (name,))
            np.testing.assert_equal(table.labels[0, k], CODES.get(alone.outcome, np.nan))
            np.testing.assert_equal(table.p[0, k], np.nan if alone.p is None else alone.p)
            rest = judged(jury, tuple(other for other in NAMES if other != name))
            expected = np.nan if alone.p is None else CODES.get(rest.outcome, np.nan)
            np.testing.assert_equal(table.without[0, k], expected)
            changed += bool(table.without[0, k] != table.whole[0]) and not np.isnan(expected)
    assert changed > 0, "no label hung on any principle, so nothing was tried"


def test_a_panel_of_one_with_a_silent_fallback_is_no_vote() -> None:
    config = JudgeConfig(panel="majority", fallback_on=("tie",))
    pooling = Pooling.of(config, RANKED, "stand-in")
    found = pooling.findings([ballot("a", 0.52, judge="j"), ballot("a", None, judge="stand-in")])
    assert found == [Finding(("a",), "tie", 0.52, 1.0, 1)]


def test_the_fallback_alone_counts_where_it_was_heard() -> None:
    overruled = PrincipleVerdict(("a",), "tie", (), 0.5, superseded=True)
    told = ballot("a", 0.9, judge="stand-in")
    found = Pooling.of(JudgeConfig(), RANKED, "stand-in").findings([overruled, told])
    assert [(one.outcome, one.p) for one in found] == [("first", 0.9)]


def test_principles_that_were_shown_together_are_one() -> None:
    together = PrincipleVerdict(("a", "b", "d"), "first", (), 0.8)
    found = Pooling.of(JudgeConfig(), RANKED).findings([together])
    assert [(one.weight, one.level) for one in found] == [(13.0, 1)]
    table = leave_out([pair_of(0, [together])], MEAN)
    assert table.names == ("3 principles together",)
    assert not table.tried.any()


def test_nothing_is_left_out_where_nothing_remains() -> None:
    pairs = [
        pair_of(0, [ballot("a", 0.9)]),
        pair_of(1, [ballot("a", 0.9), ballot("b", None)]),
        pair_of(2, [ballot("a", 0.9), ballot("b", 0.1)]),
        pair_of(3, []),
    ]
    table = leave_out(pairs, MEAN)
    assert table.asked.tolist() == [[1, 0], [1, 1], [1, 1], [0, 0]]
    assert table.tried.tolist() == [[0, 0], [0, 0], [1, 1], [0, 0]]
    assert table.without[2].tolist() == [-1.0, 1.0]
    np.testing.assert_equal(table.whole, [1.0, 1.0, 0.0, np.nan])
