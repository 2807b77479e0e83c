"""Losses against transcriptions of their equations in plain Python, and against TRL."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cai.train.intervals import pairwise_summary
from cai.train.losses.preference import dpo, hinge, ipo, kto, orpo, robust, simpo
from cai.train.losses.reward import bradley_terry, centring, plackett_luce, regression
from cai.validation.statistics.calibration import expected_calibration_error
from cai.validation.statistics.intervals import wilson

REAL = st.floats(-30, 30)
SHARE = st.floats(0.0, 1.0)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))


def t(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(a=REAL, b=REAL, p=SHARE, margin=st.floats(0, 3))
def test_bradley_terry_is_its_equation(a, b, p, margin):
    delta = a - b - margin * (2 * p - 1)
    expected = -p * log_sigmoid(delta) - (1 - p) * log_sigmoid(-delta)
    got = bradley_terry(t(a), t(b), t(p), margin=margin)
    assert got.item() == pytest.approx(expected, abs=1e-9)


@given(a=REAL, b=REAL)
def test_soft_losses_reduce_to_the_hard_ones(a, b):
    assert bradley_terry(t(a), t(b), t(1.0)).item() == pytest.approx(-log_sigmoid(a - b), abs=1e-9)
    assert dpo(t(a), t(1.0), 0.3).item() == pytest.approx(-log_sigmoid(0.3 * a), abs=1e-9)


@given(h=REAL, p=SHARE, beta=st.floats(0.01, 2), noise=st.floats(0, 0.49))
def test_the_family_of_dpo_is_its_equations(h, p, beta, noise):
    soft = -p * log_sigmoid(beta * h) - (1 - p) * log_sigmoid(-beta * h)
    assert dpo(t(h), t(p), beta).item() == pytest.approx(soft, abs=1e-9)
    clean, flipped = -log_sigmoid(beta * h), -log_sigmoid(-beta * h)
    unbiased = ((1 - noise) * clean - noise * flipped) / (1 - 2 * noise)
    assert robust(t(h), beta, noise).item() == pytest.approx(unbiased, rel=1e-9, abs=1e-9)
    assert hinge(t(h), beta).item() == pytest.approx(max(0.0, 1 - beta * h), abs=1e-9)
    assert ipo(t(h), beta).item() == pytest.approx((h - 1 / (2 * beta)) ** 2, rel=1e-9)


@given(a=st.floats(-8, -0.01), b=st.floats(-8, -0.01), beta=st.floats(0.01, 2))
def test_losses_without_a_reference_are_their_equations(a, b, beta):
    odds = [math.exp(x) / (1 - math.exp(x)) for x in (a, b)]
    expected = -a - beta * log_sigmoid(math.log(odds[0] / odds[1]))
    assert orpo(t(a), t(b), beta).item() == pytest.approx(expected, rel=1e-9)
    expected = -log_sigmoid(beta * (a - b) - 0.4)
    assert simpo(t(a), t(b), beta, 0.4).item() == pytest.approx(expected, rel=1e-9)


@given(h=REAL, z=st.floats(0, 5), good=st.booleans())
def test_kto_is_its_equation(h, z, good):
    sign = 1 if good else -1
    weight = 1.5 if good else 0.5
    expected = weight * (1 - sigmoid(sign * 0.2 * (h - z)))
    got = kto(t(h), torch.tensor([good]), t(z), 0.2, desirable=1.5, undesirable=0.5)
    assert got.item() == pytest.approx(expected, abs=1e-9)


def test_a_ranking_of_two_is_a_pair():
    rewards = random(5, 2)
    both = torch.ones(5, 2, dtype=torch.bool)
    pair = bradley_terry(rewards[:, 0], rewards[:, 1], torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(plackett_luce(rewards, both), pair, atol=1e-12, rtol=0)


def test_a_ranking_is_a_product_of_choices():
    rewards = random(1, 4)
    r = rewards[0].tolist()
    expected = -sum(r[i] - math.log(sum(math.exp(x) for x in r[i:])) for i in range(4))
    got = plackett_luce(rewards, torch.ones(1, 4, dtype=torch.bool))
    assert got.item() == pytest.approx(expected, abs=1e-9)


def test_missing_answers_do_not_count_and_get_no_gradient():
    rewards = random(1, 4).requires_grad_()
    mask = torch.tensor([[True, True, True, False]])
    short = plackett_luce(rewards[:, :3], mask[:, :3])
    got = plackett_luce(rewards, mask)
    torch.testing.assert_close(got, short, atol=1e-12, rtol=0)
    got.sum().backward()
    assert rewards.grad is not None
    assert rewards.grad[0, 3] == 0
    assert torch.isfinite(rewards.grad).all()


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, b: bradley_terry(a, b, torch.full_like(a, 0.7), margin=0.5),
        centring,
        lambda a, b: regression(a, b),
        lambda a, b: plackett_luce(torch.stack([a, b], -1), torch.ones(4, 2, dtype=torch.bool)),
        lambda a, b: dpo(a - b, torch.full_like(a, 0.8), 0.3),
        lambda a, b: robust(a - b, 0.3, 0.2),
        lambda a, b: ipo(a - b, 0.3),
        lambda a, b: orpo(-a.exp(), -b.exp(), 0.3),
        lambda a, b: simpo(a, b, 2.0, 0.5),
        lambda a, b: kto(a - b, torch.tensor([True, False] * 2), torch.tensor(0.1), 0.3),
    ],
)
def test_gradients_are_those_of_the_function(loss):
    a, b = random(4).requires_grad_(), random(4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(loss, (a, b), check_undefined_grad=False)


def test_orpo_has_a_gradient_where_an_answer_is_certain():
    x = t(-1e-7, -20.0).requires_grad_()
    orpo(x, x.flip(0), 0.1).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_calibration_of_certain_and_right_is_perfect():
    p, target = torch.tensor([0.999, 0.001]), torch.tensor([1.0, 0.0])
    assert expected_calibration_error(p, target) == pytest.approx(0.001, abs=1e-6)


def test_calibration_sees_overconfidence_from_either_side():
    # Says 0.95 for the first or the second answer, and is right in half of the cases.
    p = torch.tensor([0.95, 0.95, 0.05, 0.05])
    target = torch.tensor([1.0, 0.0, 0.0, 1.0])
    assert expected_calibration_error(p, target) == pytest.approx(0.45, abs=1e-6)


def test_wilson_agrees_with_a_published_value():
    # Newcombe 1998, table I: 81 of 263.
    share = wilson(81, 263)
    assert (share.low, share.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_what_length_explains():
    right = torch.tensor([1.0, 1.0, 0.0, 1.0])
    chosen, rejected = torch.tensor([5, 1, 9, 2]), torch.tensor([2, 2, 3, 2])
    found = pairwise_summary(right, chosen, rejected)
    assert found["accuracy_chosen_longer"] == 0.5
    assert found["accuracy_chosen_shorter"] == 1.0
    assert found["shorter_wins"] == pytest.approx((0 + 1 + 0 + 0.5) / 4)
    assert found["over_shorter"] == pytest.approx(0.75 - 0.375)
    assert found["over_shorter_low"] < found["over_shorter"] < found["over_shorter_high"]
