"""Bradley–Terry strengths, held against Hunter's MM steps, and the layouts made of them."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cai.formats import Comparison, connected, read_records, strengths, win_rates
from cai.records import Pair
from tests.unit.formats_helpers import export_rows, judged, row_of
from tests.unit.store_helpers import ask


def by_mm(comparisons: list[Comparison], count: int, steps: int = 20_000) -> list[float]:
    """Hunter 2004, eq. 3: λᵢ ← Wᵢ / Σⱼ Nᵢⱼ / (λᵢ + λⱼ), in logarithms with mean zero."""
    strength = [1.0] * count
    for _ in range(steps):
        wins, load = [0.0] * count, [0.0] * count
        for one in comparisons:
            for i, won in ((one.first, one.p), (one.second, 1.0 - one.p)):
                wins[i] += won
                load[i] += 1.0 / (strength[one.first] + strength[one.second])
        new = [w / n for w, n in zip(wins, load, strict=True)]
        total = sum(new)
        new = [x / total for x in new]
        if max(abs(a - b) for a, b in zip(new, strength, strict=True)) < 1e-15:
            break
        strength = new
    logs = [math.log(x) for x in strength]
    return [x - sum(logs) / count for x in logs]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_strengths_are_those_of_the_mm_algorithm(data):
    count = data.draw(st.integers(2, 5))
    p = st.floats(0.05, 0.95)
    # A chain joins all items; more comparisons come on top, some of them twice.
    chain = [Comparison(i, i + 1, data.draw(p)) for i in range(count - 1)]
    item = st.integers(0, count - 1)
    more = data.draw(st.lists(st.tuples(item, item, p), max_size=6))
    comparisons = chain + [Comparison(*one) for one in more if one[0] != one[1]]
    found = strengths(comparisons, range(count))
    assert found == pytest.approx(by_mm(comparisons, count), abs=1e-4)
    assert sum(found) == pytest.approx(0.0, abs=1e-9)


@given(st.floats(0.0, 1.0))
def test_of_two_answers_the_rating_is_p(p):
    found = strengths([Comparison(0, 1, p)], [0, 1])
    assert win_rates(found) == pytest.approx([p, 1.0 - p], abs=2e-6)


def test_sure_judges_do_not_stall_the_fit():
    comparisons = [Comparison(i, i + 1, 1.0) for i in range(9)]
    found = strengths(comparisons, range(10))
    gaps = [a - b for a, b in pairwise(found)]
    assert gaps == pytest.approx([math.log(999_999)] * 9, rel=1e-6)
    # A circle of sure judgements says nothing.
    circle = [Comparison(0, 1, 1.0), Comparison(1, 2, 1.0), Comparison(2, 0, 1.0)]
    assert strengths(circle, range(3)) == pytest.approx([0.0] * 3, abs=1e-6)


def test_items_that_hang_together():
    assert connected([]) == []
    pairs = [(4, 3), (0, 1), (2, 3), (5, 6), (1, 0)]
    assert connected(Comparison(a, b, 0.5) for a, b in pairs) == [[0, 1], [2, 3, 4], [5, 6]]


def test_rankings_and_ratings_of_a_prompt(tmp_path: Path):
    pairs = (
        judged("b", "a", 0.3),
        judged("b", "c", 0.6),
        judged("a", "c", 0.52),
        # Nothing joins these with the others.
        judged("x", "y", 0.1, "revision"),
        Pair("id", "samples", "a", "z", "s", "t", note="identical"),
    )
    result = export_rows(
        tmp_path, [row_of(ask("Q"), *pairs), row_of(ask("R"))], layouts=["rankings", "ratings"]
    )
    first, second = read_records(result.folder / "rankings.parquet")
    assert (first.answers, second.answers) == (("a", "b", "c"), ("y", "x"))
    assert sorted(first.ratings, reverse=True) == list(first.ratings)
    assert sum(first.ratings) == pytest.approx(0.0, abs=1e-9)
    ratings = {r.answers[0]: r.ratings[0] for r in read_records(result.folder / "ratings.jsonl")}
    assert sorted(ratings, key=lambda answer: -ratings[answer]) == ["y", "a", "b", "c", "x"]
    assert (ratings["y"], ratings["x"]) == (pytest.approx(0.9), pytest.approx(0.1))
    assert sum(ratings[answer] for answer in "abc") == pytest.approx(1.5)
    # The second prompt has no judged pair at all.
    assert [(left.layout, left.count) for left in result.left_out] == [
        ("rankings", 1),
        ("ratings", 1),
    ]


def test_equal_answers_keep_their_order(tmp_path: Path):
    pairs = [judged("b", "a", 0.5), judged("b", "c", 0.5), judged("a", "c", 0.5)]
    folder = export_rows(tmp_path, [row_of(ask("Q"), *pairs)], layouts=["rankings"]).folder
    (found,) = read_records(folder / "rankings.jsonl")
    assert found.answers == ("b", "a", "c")
