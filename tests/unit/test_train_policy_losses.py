"""The losses, advantages and controllers of PPO against loops over the papers' equations."""

import itertools
import math
import statistics

import pytest
import torch
from torch import Tensor

from cai.train.losses.advantages import gae, group_advantages, leave_one_out, masked_mean, whiten
from cai.train.losses.kl import AdaptiveKL, FixedKL, kl_estimate
from cai.train.losses.policy import clipped_policy_loss, clipped_value_loss, entropy_of

EXACT = {"rel": 1e-9, "abs": 1e-9}
LENGTHS = (7, 1, 4, 5)
MASK = torch.tensor([[i < length for i in range(7)] for length in LENGTHS])
WEIGHTS = MASK.double()


def numbers(seed: int, scale: float = 1.0) -> Tensor:
    """(4, 7) random numbers; what lies outside the mask is there to be ignored."""
    made = torch.Generator().manual_seed(seed)
    return torch.randn(4, 7, dtype=torch.float64, generator=made) * scale


def tokens() -> list[tuple[int, int]]:
    return [(i, t) for i, length in enumerate(LENGTHS) for t in range(length)]


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0), (0.99, 0.0)])
def test_gae_is_the_sum_of_discounted_errors(gamma: float, lam: float):
    rewards, values = numbers(0), numbers(1)
    advantages, returns = gae(rewards, values, MASK, gamma, lam)
    for i, length in enumerate(LENGTHS):
        value = [float(values[i, t]) for t in range(length)] + [0.0]
        delta = [float(rewards[i, t]) + gamma * value[t + 1] - value[t] for t in range(length)]
        for t in range(length):
            # Equation 16: A_t = Σ_l (γλ)^l δ_{t+l}.
            wanted = sum((gamma * lam) ** k * delta[t + k] for k in range(length - t))
            assert float(advantages[i, t]) == pytest.approx(wanted, **EXACT)
            assert float(returns[i, t]) == pytest.approx(wanted + value[t], **EXACT)
    assert float((advantages * ~MASK).abs().sum() + (returns * ~MASK).abs().sum()) == 0.0


def test_with_lambda_1_the_return_is_what_was_got():
    rewards, values = numbers(2), numbers(3)
    _, returns = gae(rewards, values, MASK, 1.0, 1.0)
    assert float(returns[0, 2]) == pytest.approx(float(rewards[0, 2:7].sum()), **EXACT)


def test_the_policy_loss_is_equation_7():
    old, new, advantages = numbers(4), numbers(4) + numbers(5, 0.3), numbers(6)
    loss, outside = clipped_policy_loss(new, old, advantages, WEIGHTS, 0.2)
    terms, left = [], 0
    for i, t in tokens():
        ratio = math.exp(float(new[i, t]) - float(old[i, t]))
        near = min(max(ratio, 0.8), 1.2)
        left += ratio != near
        terms.append(min(ratio * float(advantages[i, t]), near * float(advantages[i, t])))
    assert 0 < left < len(terms)
    assert float(loss) == pytest.approx(-statistics.fmean(terms), **EXACT)
    assert float(outside) == pytest.approx(left / len(terms), **EXACT)


@pytest.mark.parametrize("clip", [0.2, None])
def test_the_value_loss_is_its_equation(clip: float | None):
    old, new, returns = numbers(7), numbers(7) + numbers(8, 0.4), numbers(9)
    loss = clipped_value_loss(new, old, returns, WEIGHTS, clip)
    terms = []
    for i, t in tokens():
        value, before, wanted = (float(x[i, t]) for x in (new, old, returns))
        worst = (value - wanted) ** 2
        if clip is not None:
            near = before + min(max(value - before, -clip), clip)
            worst = max(worst, (near - wanted) ** 2)
        terms.append(worst)
    assert float(loss) == pytest.approx(0.5 * statistics.fmean(terms), **EXACT)


@pytest.mark.parametrize("shift", [True, False])
def test_whitening_scales_what_counts(shift: bool):
    values = numbers(10, 3.0) + 5.0
    whitened = whiten(values, WEIGHTS, shift_mean=shift)
    inside = [float(values[i, t]) for i, t in tokens()]
    mean, deviation = statistics.fmean(inside), statistics.pstdev(inside)
    for (i, t), value in zip(tokens(), inside, strict=True):
        wanted = (value - mean) / deviation + (0.0 if shift else mean)
        # The 1e-8 that keeps a variance of 0 from dividing is all that differs.
        assert float(whitened[i, t]) == pytest.approx(wanted, rel=1e-8, abs=1e-8)
    assert float((whitened * ~MASK).abs().sum()) == 0.0


def test_a_mean_over_nothing_is_0():
    assert float(masked_mean(numbers(11), torch.zeros(4, 7))) == 0.0


def test_the_estimators_of_the_divergence_are_their_equations():
    a, b = numbers(12), numbers(13)
    for i, t in itertools.product(range(4), range(7)):
        log_ratio = float(a[i, t]) - float(b[i, t])
        wanted = {
            "k1": log_ratio,
            "k2": 0.5 * log_ratio**2,
            "k3": math.exp(-log_ratio) - 1.0 + log_ratio,
        }
        for kind, value in wanted.items():
            assert float(kl_estimate(a, b, kind)[i, t]) == pytest.approx(value, **EXACT)  # type: ignore[arg-type]


def test_k1_and_k3_are_the_divergence_on_average():
    made = torch.Generator().manual_seed(14)
    p, q = (torch.randn(9, dtype=torch.float64, generator=made).log_softmax(0) for _ in range(2))
    exact = float((p.exp() * (p - q)).sum())
    for kind in ("k1", "k3"):
        assert float((p.exp() * kl_estimate(p, q, kind)).sum()) == pytest.approx(exact, **EXACT)  # type: ignore[arg-type]


def test_entropy_is_that_of_the_distribution():
    logits = numbers(15, 2.0)
    wanted = torch.distributions.Categorical(logits=logits).entropy()
    torch.testing.assert_close(entropy_of(logits), wanted, rtol=1e-12, atol=1e-12)


def test_the_adaptive_weight_moves_by_the_clipped_error():
    controller = AdaptiveKL(0.1, target=6.0, horizon=1000)
    weight = 0.1
    for kl in (6.3, 12.0, 1.0, 6.0):
        controller.update(kl, 64)
        weight *= 1.0 + min(max((kl - 6.0) / 6.0, -0.2), 0.2) * 64 / 1000
        assert controller.weight == pytest.approx(weight, **EXACT)
    fixed = FixedKL(0.05)
    fixed.update(100.0, 64)
    assert fixed.weight == 0.05


def test_advantages_within_a_group():
    rewards = numbers(16)
    scaled, others = group_advantages(rewards, epsilon=0.0), leave_one_out(rewards)
    for i in range(4):
        group = [float(r) for r in rewards[i]]
        mean, deviation = statistics.fmean(group), statistics.stdev(group)
        for j, reward in enumerate(group):
            rest = statistics.fmean(group[:j] + group[j + 1 :])
            assert float(scaled[i, j]) == pytest.approx((reward - mean) / deviation, **EXACT)
            assert float(others[i, j]) == pytest.approx(reward - rest, **EXACT)
    assert float(group_advantages(torch.ones(2, 4)).abs().sum()) == 0.0


OLD, ADVANTAGES, RETURNS = numbers(17), numbers(18), numbers(19)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: clipped_policy_loss(x, OLD, ADVANTAGES, WEIGHTS, 0.2)[0],
        lambda x: clipped_value_loss(x, OLD, RETURNS, WEIGHTS, 0.2),
        lambda x: clipped_value_loss(x, OLD, RETURNS, WEIGHTS, None),
        lambda x: masked_mean(kl_estimate(x, OLD, "k1"), WEIGHTS),
        lambda x: masked_mean(kl_estimate(x, OLD, "k2"), WEIGHTS),
        lambda x: masked_mean(kl_estimate(x, OLD, "k3"), WEIGHTS),
        lambda x: entropy_of(x).sum(),
    ],
    ids=["policy", "value", "value unclipped", "k1", "k2", "k3", "entropy"],
)
def test_gradients_are_those_of_the_function(loss):
    # Away from the corners of the clips, where there is no gradient to compare.
    x = (OLD + numbers(20, 0.5)).requires_grad_()
    assert torch.autograd.gradcheck(loss, (x,), eps=1e-7, atol=1e-6)


def test_outside_the_mask_there_is_no_gradient():
    x = (OLD + numbers(21)).requires_grad_()
    clipped_policy_loss(x, OLD, ADVANTAGES, WEIGHTS, 0.2)[0].backward()
    assert x.grad is not None
    assert float((x.grad * ~MASK).abs().sum()) == 0.0


def test_a_clipped_token_has_no_gradient():
    log_probs = torch.tensor([[0.5, -0.5]], dtype=torch.float64, requires_grad=True)
    old, advantages = torch.zeros(1, 2).double(), torch.tensor([[1.0, -1.0]]).double()
    # Ratios of 1.65 with a gain, and of 0.61 with a loss: both went far enough.
    clipped_policy_loss(log_probs, old, advantages, torch.ones(1, 2).double(), 0.2)[0].backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == [[0.0, 0.0]]
