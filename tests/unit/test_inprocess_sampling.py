"""Drawing tokens: nucleus, temperature, seeds, and the distribution of many draws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cai.engines.inprocess.sampling import Draw, best_tokens, choose, keep_nucleus
from cai.engines.inprocess.sequence import Sequence
from cai.records import Message, Request, Sampling


def draw(index: int = 0, **sampling: object) -> Draw:
    settings = {"max_tokens": 1} | sampling
    return Draw(
        Request((Message("user", "a"),), Sampling(**settings), sample_index=index)  # type: ignore[arg-type]
    )


def plain_nucleus(probabilities: list[float], top_p: float) -> set[int]:
    """Take tokens from the likeliest down until they hold `top_p`."""
    kept, total = set(), 0.0
    for token in sorted(range(len(probabilities)), key=lambda i: -probabilities[i]):
        if total >= top_p:
            break
        kept.add(token)
        total += probabilities[token]
    return kept


@given(
    weights=st.lists(st.integers(1, 10_000), min_size=1, max_size=60, unique=True),
    top_p=st.floats(0.01, 0.99),
)
def test_the_nucleus_is_that_of_a_plain_sort(weights: list[int], top_p: float) -> None:
    probabilities = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    logprobs = probabilities.log()
    keep_nucleus(logprobs, top_p)
    kept = {i for i, value in enumerate(logprobs.tolist()) if value > -math.inf}
    # A sum that meets `top_p` up to rounding may fall on either side.
    allowed = [plain_nucleus(probabilities.tolist(), top_p + shift) for shift in (-1e-9, 1e-9)]
    assert kept in allowed
    for token in kept:
        assert logprobs[token].item() == pytest.approx(probabilities[token].log().item())


@pytest.mark.parametrize("top_p", [0.2, 0.9, 0.999])
def test_a_nucleus_wider_than_the_shortlist(top_p: float) -> None:
    torch.manual_seed(0)
    logprobs = torch.randn(5000, dtype=torch.float64).mul(0.3).log_softmax(-1)
    expected = plain_nucleus(logprobs.exp().tolist(), top_p)
    keep_nucleus(logprobs, top_p)
    assert set(logprobs.isfinite().nonzero()[:, 0].tolist()) == expected


def test_many_draws_follow_the_probabilities() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    count = 4000
    for temperature, top_p, expected in (
        (1.0, 1.0, probabilities),
        (0.5, 1.0, probabilities**2 / (probabilities**2).sum()),
        (1.0, 0.75, torch.tensor([0.625, 0.375, 0.0, 0.0])),
    ):
        draws = [draw(i, temperature=temperature, top_p=top_p, seed=1) for i in range(count)]
        tokens = torch.tensor(choose(probabilities.log().expand(count, 4), draws))
        shares = torch.bincount(tokens, minlength=4) / count
        error = (expected * (1 - expected) / count).sqrt()
        assert ((shares - expected).abs() <= 4.5 * error).all(), (temperature, top_p, shares)


def test_a_stream_depends_on_seed_and_sample_index_alone() -> None:
    first = draw(3, seed=5).noise(8)
    assert torch.equal(first, draw(3, seed=5, temperature=0.3).noise(8))
    assert not torch.equal(first, draw(4, seed=5).noise(8))
    assert not torch.equal(first, draw(3, seed=6).noise(8))
    assert not torch.equal(draw().noise(8), draw().noise(8))


def test_temperature_zero_is_greedy_beside_warm_rows() -> None:
    logits = torch.tensor([[0.0, 0.1, 0.05]]).expand(40, 3)
    draws = [draw(i, temperature=float(i % 2), seed=0) for i in range(40)]
    tokens = choose(logits, draws)
    assert tokens[::2] == [1] * 20
    assert set(tokens[1::2]) == {0, 1, 2}


def test_best_tokens_are_sorted_and_never_more_than_there_are() -> None:
    found = best_tokens(torch.tensor([0.0, 2.0, 1.0]), 9, str)
    assert [alternative.token for alternative in found] == ["1", "2", "0"]
    assert sum(math.exp(alternative.logprob) for alternative in found) == pytest.approx(1.0)


def test_a_restarted_sequence_draws_the_same_noise() -> None:
    asked = Request((Message("user", "Hi"),), Sampling(max_tokens=4, seed=3))
    sequence = Sequence(asked)
    first = sequence.draw.noise(8)
    sequence.generated.append(1)
    assert not torch.equal(sequence.draw.noise(8), first)
    sequence.restart()
    assert sequence.generated == []
    assert torch.equal(sequence.draw.noise(8), first)
