"""Planted biases are found, and their intervals are those of a regression by another library."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from cai.feedback.biases import biases
from cai.feedback.told import bias_lines, warnings
from cai.feedback.words import agrees, refuses
from cai.store import RunStore
from tests.unit.feedback_helpers import quick_store, taken, thumbs  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("quick_store")


def rows_with(longer: float, agreeing: float, users: int = 30, seed: int = 1) -> list[object]:
    """Votes where liked answers are so much longer, and agree so much more often."""
    draw = random.Random(seed)
    rows = []
    for i in range(150):
        value = draw.choice(["up", "down"])
        liked = value == "up"
        length = draw.randint(20, 60) * (longer if liked else 1.0)
        opening = "Great question! " if draw.random() < (agreeing if liked else 0.1) else "So: "
        text = opening + "word " * int(length)
        rows.append(thumbs(f"Question {i} of many?", text, value, f"u{draw.randrange(users)}"))
    return rows


def test_a_planted_length_bias_is_found(tmp_path: Path):
    done = taken(tmp_path, rows_with(longer=2.0, agreeing=0.1))
    found = {one["name"]: one for one in done.facts["biases"]}
    assert found["length"]["found"]
    low, high = (math.exp(found["length"]["interval"][end]) for end in ("low", "high"))
    assert low < 2.0 < high
    assert not found["agreement"]["found"]
    assert any("Liked answers are longer" in line for line in warnings(done.facts))
    assert (
        "; found"
        in dict(bias_lines(done.facts))["Length: liked answers, as a multiple of disliked ones"]
    )


def test_planted_flattery_is_found_and_nothing_else(tmp_path: Path):
    done = taken(tmp_path, rows_with(longer=1.0, agreeing=0.6))
    found = {one["name"]: one for one in done.facts["biases"]}
    assert found["agreement"]["found"]
    assert found["agreement"]["interval"]["low"] < 0.5 < found["agreement"]["interval"]["high"]
    assert not found["length"]["found"]
    assert any("teaches sycophancy" in line for line in warnings(done.facts))


def test_the_interval_is_that_of_a_regression_with_clusters(tmp_path: Path):
    taken(tmp_path, rows_with(longer=1.3, agreeing=0.3, users=12))
    with RunStore.read(tmp_path / "out") as store:
        measured = {one.column: one for one in biases(store)}
        lines = list(store.select("SELECT value, user, log_length, agrees FROM feedback"))
    up = np.array([value == "up" for value, *_ in lines], float)
    _, users = np.unique([user for _, user, *_ in lines], return_inverse=True)
    for place, column in ((2, "log_length"), (3, "agrees")):
        y = np.array([line[place] for line in lines], float)
        fit = sm.OLS(y, sm.add_constant(up)).fit(
            cov_type="cluster", cov_kwds={"groups": users, "use_correction": False}, use_t=True
        )
        groups = len(set(users))
        # Its correction has one more factor, which ours leaves out.
        error = fit.bse[1] * math.sqrt(groups / (groups - 1))
        one = measured[column].interval
        assert one is not None
        assert one.estimate == pytest.approx(fit.params[1])
        from scipy.stats import t

        assert one.high - one.estimate == pytest.approx(t.ppf(0.975, groups - 1) * error)


def test_what_cannot_be_measured_is_not(tmp_path: Path):
    done = taken(tmp_path, [thumbs("Q?", "A.", "up", "ada"), thumbs("R?", "B.", "up", "bo")])
    assert all(one["interval"] is None and not one["found"] for one in done.facts["biases"])
    assert all("not measured" in told for _, told in bias_lines(done.facts))


def test_words():
    assert agrees("You’re absolutely right, and more.")
    assert agrees("What a great idea!")
    assert not agrees("Exactness matters, and amazingly little is known.")
    assert not agrees("x" * 200 + " you are right")
    assert refuses("I’m not able to help with that.")
    assert not refuses("Here is how.")
