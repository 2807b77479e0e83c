import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cai.constitution.models import Constitution, Principle
from cai.loop import draw_principles


def principle(name: str, weight: float = 1.0) -> Principle:
    return Principle(
        id=name, text="t", critique="c", revise="r", judge="Which answer?", weight=weight
    )


def constitution(**weights: float) -> Constitution:
    return Constitution(
        name="test",
        version="1.0.0",
        summary="",
        principles=tuple(principle(name, weight) for name, weight in weights.items()),
    )


def draws(of: Constitution, n: int = 4000, purpose: str | int = 1) -> list[str]:
    return [draw_principles(of, 0, f"prompt {i}", purpose)[0].id for i in range(n)]


def test_frequencies_follow_weights() -> None:
    n = 4000
    counts = Counter(draws(constitution(a=1, b=2, c=5), n))
    for name, share in (("a", 1 / 8), ("b", 2 / 8), ("c", 5 / 8)):
        # Five standard deviations of a binomial count.
        assert abs(counts[name] - n * share) < 5 * math.sqrt(n * share * (1 - share))


def test_draws_of_rounds_are_independent() -> None:
    of = constitution(a=1, b=1)
    same = sum(x == y for x, y in zip(draws(of, purpose=1), draws(of, purpose=2), strict=True))
    assert 1800 < same < 2200


@given(st.integers(0, 2**31), st.text(min_size=1, max_size=20))
def test_adding_a_principle_moves_only_the_draws_it_wins(seed: int, prompt: str) -> None:
    before = draw_principles(constitution(a=1, b=2), seed, prompt, 1)[0].id
    after = draw_principles(constitution(a=1, b=2, c=1), seed, prompt, 1)[0].id
    assert after in (before, "c")


@given(st.integers(0, 2**31), st.text(min_size=1, max_size=20))
def test_a_heavier_principle_only_wins_draws(seed: int, prompt: str) -> None:
    before = draw_principles(constitution(a=1, b=2, c=1), seed, prompt, 1)[0].id
    after = draw_principles(constitution(a=1, b=2, c=3), seed, prompt, 1)[0].id
    assert after in (before, "c")


@given(st.permutations(["a", "b", "c", "d"]))
def test_order_of_principles_does_not_matter(names: list[str]) -> None:
    shuffled = constitution(**{name: 1 + ord(name) % 3 for name in names})
    ordered = constitution(**{name: 1 + ord(name) % 3 for name in sorted(names)})
    assert draw_principles(shuffled, 3, "p", 2, 4) == draw_principles(ordered, 3, "p", 2, 4)


def test_several_are_different() -> None:
    of = constitution(a=1, b=1, c=1)
    drawn = draw_principles(of, 0, "p", "judge", 2)
    assert len({p.id for p in drawn}) == 2
    assert len(draw_principles(of, 0, "p", "judge", 9)) == 3


@pytest.mark.parametrize("weight", [0, -1])
def test_weights_are_positive(weight: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        principle("a", weight)
