"""Which pairs are asked about, and what that takes, before anything is asked."""

from itertools import pairwise
from pathlib import Path

import pytest

import cai
from cai.engines import ScriptedEngine
from cai.loop.asked_price import price_principles
from cai.loop.spread_pairs import spread_pairs
from cai.store import RunStore, rows_for
from tests.unit.influence_helpers import CONSTITUTION, PROMPTS, ask, judge, judged_of, run_of


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as it is by default: one principle for each pair."""
    return run_of(tmp_path_factory.mktemp("drawn"))


def test_the_price_is_what_is_asked(tmp_path: Path, drawn: Path) -> None:
    with RunStore.read(drawn) as store:
        price = price_principles(store, judged_of(drawn), spread_pairs(store, 10), tmp_path)
    assert price.pairs == 10
    assert price.calls.low == price.calls.likely == price.calls.high == 10 * 4 * 2
    assert price.tokens.likely > 10 * 8 * 100
    assert price.free
    run = run_of(tmp_path)
    ask(run, 10, judge())
    with RunStore.read(run) as store:
        price = price_principles(store, judged_of(run), spread_pairs(store, 20), run / "influence")
        nothing = price_principles(
            store, judged_of(run), spread_pairs(store, 10), run / "influence"
        )
    assert price.calls.likely == pytest.approx(10 * 4 * 2)
    assert (nothing.pairs, nothing.stages, nothing.calls.likely) == (10, (), 0.0)


def test_a_paid_judge_has_a_price_in_dollars(tmp_path: Path) -> None:
    models = {"policy": {"engine": "openai", "model": "gpt-4o", "base_url": "https://x.example/v1"}}
    made = cai.Generation.create(
        *(CONSTITUTION, PROMPTS[:8]),
        policy=ScriptedEngine(),
        judge=judge(),
        run=tmp_path / "run",
        models=models,
        prices={"gpt-4o": {"input": 2.0, "output": 10.0}},
        loop={"samples": 2, "rounds": 0, "pairs": ["samples"]},
        split={"dev": 0.0, "held_out": 0.0},
    )
    list(made)
    with RunStore.read(made.folder) as store:
        price = price_principles(
            store, judged_of(made.folder), spread_pairs(store, 8), tmp_path / "none"
        )
    assert price.usd is not None
    read = sum(stage.prompt_tokens.likely for stage in price.stages)
    written = sum(stage.completion_tokens.likely for stage in price.stages)
    assert price.usd.likely == pytest.approx((2.0 * read + 10.0 * written) / 1e6)
    # A server that gives no log-probabilities is asked for votes.
    assert price.calls.high > price.calls.likely == 8 * 4 * 2


def test_pairs_are_spread_and_fewer_are_the_first_of_more(drawn: Path) -> None:
    with RunStore.read(drawn) as store:
        everything = [pair.id for _, pair in spread_pairs(store, 1000)]
        some, more = ([pair.id for _, pair in spread_pairs(store, n)] for n in (8, 20))
        rows = [*rows_for(store, "training"), *rows_for(store, "calibration")]
    in_order = [pair.id for row, _ in rows for pair in row.pairs]
    assert sorted(everything) == sorted(in_order)
    assert more[:8] == some
    places = sorted(in_order.index(pair) for pair in some)
    gaps = [b - a for a, b in pairwise(places)]
    assert len(in_order) / 16 <= min(gaps) <= max(gaps) <= len(in_order) / 4
