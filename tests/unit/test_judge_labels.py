import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cai.judge import combine_orders, combine_principles, hard_label, label_mass, read_order, spells
from cai.records import Completion, OrderVerdict, PrincipleVerdict, TokenAlternative


def alternatives(**masses: float) -> tuple[TokenAlternative, ...]:
    ranked = sorted(masses.items(), key=lambda item: -item[1])
    return tuple(TokenAlternative(token, math.log(mass)) for token, mass in ranked)


@pytest.mark.parametrize("token", ["A", " A", "(A", "A)", "**A", "A.", "\u0120A", "\u2581A", '"A"'])
def test_variants_spell_the_label(token: str) -> None:
    assert spells(token, "A")


@pytest.mark.parametrize("token", ["a", "An", "Answer", "B", "", " ", "AA"])
def test_other_tokens_do_not(token: str) -> None:
    assert not spells(token, "A")


def test_mass_is_summed_over_variants() -> None:
    mass = label_mass(alternatives(**{"A": 0.3, " A": 0.2, "B": 0.25, "The": 0.1}), ("A", "B"))
    assert mass is not None
    assert mass.first == pytest.approx(0.5)
    assert mass.total == pytest.approx(0.75)
    assert mass.p_first == pytest.approx(0.5 / 0.75)
    assert mass.bounded == ""


def test_missing_label_is_bounded_by_the_last_alternative() -> None:
    mass = label_mass(alternatives(A=0.8, The=0.1, I=0.05), ("A", "B"))
    assert mass is not None
    assert mass.bounded == "second"
    assert mass.second == pytest.approx(0.05)
    assert mass.p_first == pytest.approx(0.8 / 0.85)
    assert mass.total == pytest.approx(0.8)


def test_bound_never_turns_the_verdict_round() -> None:
    mass = label_mass(alternatives(The=0.8, I=0.1, A=0.05), ("A", "B"))
    assert mass is not None
    assert mass.p_first == pytest.approx(0.5)


def test_no_label_in_sight() -> None:
    assert label_mass(alternatives(The=0.8, I=0.1), ("A", "B")) is None
    assert label_mass((), ("A", "B")) is None


@given(st.floats(0.001, 0.499), st.floats(0.001, 0.499))
def test_p_is_the_normalised_share(a: float, b: float) -> None:
    mass = label_mass(alternatives(A=a, B=b), ("A", "B"))
    assert mass is not None
    assert mass.p_first == pytest.approx(a / (a + b))


def test_orders_are_averaged() -> None:
    ab = OrderVerdict("ab", "answered", "x", 0.9, 1.0)
    ba = OrderVerdict("ba", "answered", "y", 0.7, 1.0)
    verdict = combine_orders((), ab, ba, tie_band=0.05)
    # ½ [0.9 + (1 − 0.7)]
    assert verdict.p == pytest.approx(0.6)
    assert verdict.outcome == "first"
    assert verdict.flipped is True


@given(st.floats(0, 1))
def test_a_pure_position_bias_is_a_tie(slot: float) -> None:
    ab = OrderVerdict("ab", "answered", "x", slot, 1.0)
    ba = OrderVerdict("ba", "answered", "y", slot, 1.0)
    assert combine_orders((), ab, ba, tie_band=0.01).outcome == "tie"


@pytest.mark.parametrize("outcome", ["refused", "unparsed", "truncated"])
def test_one_silent_order_leaves_no_verdict(outcome: str) -> None:
    ab = OrderVerdict("ab", "answered", "x", 0.9, 1.0)
    ba = OrderVerdict("ba", outcome, "y")  # type: ignore[arg-type]
    for orders in ((ab, ba), (ba, ab)):
        verdict = combine_orders((), *orders, tie_band=0.05)
        assert verdict.p is None
        assert verdict.outcome == outcome
        assert verdict.flipped is None


@pytest.mark.parametrize(
    ("p", "band", "label"),
    [
        (0.55, 0.05, "tie"),
        (0.45, 0.05, "tie"),
        (0.551, 0.05, "first"),
        (0.2, 0.05, "second"),
        (0.5, 0.0, "tie"),
        (0.5001, 0.0, "first"),
    ],
)
def test_tie_band(p: float, band: float, label: str) -> None:
    assert hard_label(p, band) == label


def test_principles_are_averaged_over_those_that_answered() -> None:
    verdicts = [
        PrincipleVerdict(("a",), "first", (), 0.9),
        PrincipleVerdict(("b",), "second", (), 0.3),
        PrincipleVerdict(("c",), "refused", ()),
    ]
    verdict = combine_principles(verdicts, 0.05)
    assert verdict.p == pytest.approx(0.6)
    assert verdict.outcome == "first"
    assert len(verdict.principles) == 3


def test_all_silent_keeps_the_commonest_outcome() -> None:
    verdicts = [
        PrincipleVerdict(("a",), "unparsed", ()),
        PrincipleVerdict(("b",), "refused", ()),
        PrincipleVerdict(("c",), "refused", ()),
    ]
    verdict = combine_principles(verdicts, 0.05)
    assert verdict.outcome == "refused"
    assert verdict.p is None
    assert not verdict.decided


def test_reading_an_order() -> None:
    good = Completion("A", "answered", first_logprobs=alternatives(A=0.6, B=0.2))
    order = read_order("ab", "r", good, ("A", "B"), 0.2)
    assert order.outcome == "answered"
    assert order.p_shown_first == pytest.approx(0.75)
    assert order.mass == pytest.approx(0.8)

    thin = Completion("I", "answered", first_logprobs=alternatives(I=0.8, A=0.1, B=0.05))
    order = read_order("ab", "r", thin, ("A", "B"), 0.2)
    assert (order.outcome, order.p_shown_first) == ("unparsed", None)
    assert order.mass == pytest.approx(0.15)

    refused = Completion("", "refused", first_logprobs=alternatives(A=0.6, B=0.2))
    assert read_order("ab", "r", refused, ("A", "B"), 0.2).outcome == "refused"
    assert read_order("ab", "r", Completion("", "truncated"), ("A", "B"), 0.2).outcome == (
        "truncated"
    )
    assert read_order("ab", "r", Completion("Hm", "answered"), ("A", "B"), 0.2).outcome == (
        "unparsed"
    )
