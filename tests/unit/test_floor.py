"""Where there are too few clusters for an interval, a figure says so and has no number."""

import numpy as np
import pytest

from cai.evaluate.evaluator import _interval
from cai.evaluate.floor import LEAST_CLUSTERS, TooFew, enough
from cai.evaluate.means import Means, compared
from cai.evaluate.results import Evaluator, figure
from cai.evaluate.words import told
from cai.records import Message, Prompt
from cai.validation.statistics.intervals import Interval
from cai.validation.statistics.sums import SumBootstrap


@pytest.mark.parametrize("clusters", range(1, LEAST_CLUSTERS))
def test_below_the_floor_there_is_no_number(clusters: int):
    names = [f"p{i % clusters}" for i in range(3 * clusters)]
    means = Means(names, draws=100)
    values = [float(i % 2) for i in range(3 * clusters)]
    assert means.mean(values) == means.share(values) == TooFew(clusters)
    assert means.difference(values, values[::-1]) == TooFew(clusters)
    one = figure("right", "model", means.share(values), unmeasured="", better="higher")
    assert (one.value, one.low, one.high, one.n) == (None, None, None, clusters)
    assert told(one) == "too few"
    assert f"values from {clusters} groups" in one.unmeasured
    assert f"takes {LEAST_CLUSTERS}" in one.unmeasured


def test_from_the_floor_on_there_is_one():
    means = Means(range(LEAST_CLUSTERS), draws=100)
    found = means.share([0.0, 1.0, 1.0, 0.0, 1.0])
    assert isinstance(found, Interval)
    assert found.n == LEAST_CLUSTERS
    # Clusters without a value do not count.
    assert means.share([0.0, 1.0, 1.0, None, 1.0]) == TooFew(4)
    assert means.share([None] * 5) is None
    assert enough(Interval(0.5, 0.4, 0.6, n=4)) == TooFew(4)


def test_of_several_models_each_has_its_own():
    columns = {"a": [1.0, 0.0, 1.0, 0.0, 1.0], "b": [1.0, None, 1.0, 0.0, 1.0]}
    first, second, gap = compared("right", columns, range(5), draws=100)
    assert first.value == 0.6
    assert (second.value, gap.value) == (None, None)
    assert second.unmeasured == gap.unmeasured != ""


def test_a_judge_that_was_tried_on_a_few_pairs_is_not_trusted():
    prompts = [Prompt((Message("user", f"Question number {i} on {i * 37}?"),)) for i in range(5)]
    assert _interval([(1.0, one) for one in prompts[:4]], 0.7, 100) is None
    assert _interval([(1.0, one) for one in prompts], 0.7, 100) is not None
    assert "too few" in Evaluator("judge", "pairs", 1.0, n=4).distrust
    assert "cannot be told from 4" in Evaluator("judge", "pairs", None, n=4).distrust


def test_why_five():
    """How often a 95 % interval holds the true mean of normal values, by their number."""
    draw = np.random.default_rng(0)
    covered = {}
    for clusters in (2, 3, 4, 5, 20):
        bootstrap = SumBootstrap(range(clusters), draws=500)
        samples = draw.normal(size=(400, clusters))
        ones = np.ones(clusters)
        found = [bootstrap.interval(np.column_stack([x, ones]), _ratio) for x in samples]
        covered[clusters] = sum(f is not None and f.low <= 0 <= f.high for f in found) / 400
    assert covered[2] < covered[3] < 0.8
    assert covered[4] < 0.82 < covered[20]


def _ratio(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]
