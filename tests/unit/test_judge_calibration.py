"""Maps from p to what people say, against scikit-learn; held-out labels stay unseen."""

import asyncio
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as sk_log_loss
from typer.testing import CliRunner

from cai.cli import judge
from cai.errors import ConfigError, UsageError
from cai.records import Pair, Row, Split, Verdict
from cai.store import RunStore
from cai.store.calibrated import (
    CalibrationMap,
    LabelNoise,
    StoredCalibration,
    calibrated,
    log_odds,
    read_calibration,
)
from cai.store.export import export
from cai.train.data import Data, SourceFacts
from cai.train.gate import Standing, Validation, standing_of
from cai.train.offline import _label_noise
from cai.train.settings import DPOConfig, SourceConfig
from cai.validation import Annotation, Labels
from cai.validation.calibration import (
    METHODS,
    calibrate,
    fit_isotonic,
    fit_platt,
    fit_temperature,
)
from cai.validation.calibration.maps import pool_adjacent
from cai.validation.calibration.scores import cross_fit, log_loss, scores
from cai.validation.exchange import GivenLabel, keep_labels
from cai.validation.records import item_id
from cai.validation.statistics.calibration import brier, expected_calibration_error
from tests.unit.store_helpers import ask, fill, verdict

FITS = {"temperature": fit_temperature, "platt": fit_platt, "isotonic": fit_isotonic}


def overconfident(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels that are true to log-odds of which the judge says three times as much."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=n)
    target = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(float)
    return 1 / (1 + np.exp(-3 * odds)), target


# --- maps ---


@pytest.mark.parametrize("seed", range(4))
def test_temperature_equals_scikit_learn(seed):
    p, target = overconfident(200, seed)
    odds = np.log(p / (1 - p))[:, None]
    theirs = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(odds, target)
    ours = fit_temperature(p, target)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], abs=1e-5)
    assert 0.2 < ours.slope < 0.5
    given = [ours(value) for value in p.tolist()]
    assert given == pytest.approx(theirs.predict_proba(odds)[:, 1], abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_platt_equals_scikit_learn_on_pairs_from_both_sides(seed):
    p, target = overconfident(150, seed)
    f = np.concatenate([2 * p - 1, 1 - 2 * p])
    a, b = _sigmoid_calibration(f, np.concatenate([target, 1 - target]))
    ours = fit_platt(p, target)
    # There σ(−(A f + B)).
    assert (ours.slope, 0.0) == pytest.approx((-a, b), abs=1e-3)
    assert [ours(value) for value in p.tolist()] == pytest.approx(
        1 / (1 + np.exp(a * (2 * p - 1) + b)), abs=1e-3
    )


@pytest.mark.parametrize("seed", range(6))
def test_isotonic_equals_scikit_learn_on_pairs_from_both_sides(seed):
    p, target = overconfident(80, seed)
    if seed % 2:
        p = np.round(p, 1)  # many equal ones, 0.5 among them
        target[:20] = 0.5
    x, y = np.concatenate([p, 1 - p]), np.concatenate([target, 1 - target])
    theirs = IsotonicRegression(out_of_bounds="clip").fit(np.round(x, 12), y)
    ours = fit_isotonic(p, target)
    edge = 1 / 82
    for value in (*p.tolist(), 0.0, 0.3, 0.5, 0.77, 1.0):
        if value <= p.max() or value in (0.5,):
            # Between knots a clipped value and a clipped line differ; at the knots they do not.
            at_knot = value in p
            want = float(np.clip(theirs.predict([value])[0], edge, 1 - edge))
            assert ours(value) == pytest.approx(want, abs=1e-9 if at_knot else edge)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), min_size=1, max_size=40))
def test_pooling_is_the_nearest_rising_function(points):
    x, y = np.array([float(a) for a, _ in points]), np.array([b for _, b in points])
    places, values = pool_adjacent(x, y)
    assert (np.diff(values) >= -1e-12).all()
    theirs = IsotonicRegression().fit(x, y)
    assert values == pytest.approx(theirs.predict(places), abs=1e-9)


@pytest.mark.parametrize("method", FITS)
@given(p=st.floats(0, 1), other=st.floats(0, 1))
def test_maps_are_symmetric_and_rising(method, p, other):
    fitted = FITS[method](*overconfident(60, 3))
    assert fitted(1.0 - p) == pytest.approx(1.0 - fitted(p), abs=1e-9)
    assert fitted(0.5) == 0.5
    low, high = sorted((p, other))
    assert 0.0 <= fitted(low) <= fitted(high) + 1e-12 <= 1.0 + 1e-12


@pytest.mark.parametrize("method", FITS)
def test_fits_do_not_depend_on_which_answer_is_first(method):
    p, target = overconfident(70, 5)
    turned = np.random.default_rng(0).random(70) < 0.5
    one = FITS[method](p, target)
    two = FITS[method](np.where(turned, 1 - p, p), np.where(turned, 1 - target, target))
    for value in np.linspace(0, 1, 21).tolist():
        assert two(value) == pytest.approx(one(value), abs=1e-9)


def test_extreme_labels():
    p = np.array([0.6, 0.7, 0.9])
    assert fit_temperature(p, [0, 0, 0]).slope == 0.0  # against the judge: it knows nothing
    assert fit_temperature(p, [1, 1, 1]).slope == 100.0
    assert fit_isotonic(p, [1, 1, 1])(0.9) == pytest.approx(1 - 1 / 5)
    assert CalibrationMap()(0.2) == pytest.approx(0.2)
    assert math.isfinite(log_odds(0.0))
    assert log_odds(1.0) == pytest.approx(-log_odds(0.0))


# --- scores and cross-fitting ---


def test_scores_equal_their_figures():
    p, target = overconfident(80, 1)
    groups = [f"g{i // 2}" for i in range(80)]
    found = scores(p, target, groups, draws=100)
    assert found.ece_of_pairs == pytest.approx(expected_calibration_error(p, target))
    assert found.brier.estimate == pytest.approx(brier(p, target))
    assert found.nll.estimate == pytest.approx(sk_log_loss(target, p))
    assert found.nll.low < found.nll.estimate < found.nll.high
    assert log_loss([1.0, 0.0], [0.0, 1.0]) == pytest.approx(-math.log(1e-6))


@pytest.mark.parametrize("n", [20, 60, 200])
def test_every_interval_holds_its_estimate(n):
    given = []
    for seed in range(12):
        p, target = overconfident(n, seed)
        groups = [f"g{i // 2}" for i in range(n)]
        for values in (p, 1 / (1 + ((1 - p) / p) ** (1 / 3))):
            found = scores(values, target, groups, draws=200, seed=seed)
            given += [found.ece, found.brier, found.nll]
    assert all(0 <= one.low <= one.estimate <= one.high for one in given)


def test_no_pair_is_calibrated_by_its_own_prompt_group():
    p, target = overconfident(60, 2)
    groups = [f"g{i // 3}" for i in range(60)]
    seen: list[set[float]] = []

    def fit(some_p, some_target):
        assert len(some_p) == len(some_target)
        seen.append(set(some_p.tolist()))
        return CalibrationMap("temperature", slope=float(len(seen)))

    found = cross_fit(p, target, groups, fit, folds=4)
    assert len(seen) == 4
    for i, value in enumerate(found):
        fold = next(k for k in range(4) if CalibrationMap("temperature", k + 1.0)(p[i]) == value)
        mates = {p[j] for j in range(60) if groups[j] == groups[i]}
        assert not mates & seen[fold]
    with pytest.raises(ValueError, match="2 prompt groups"):
        cross_fit(p, target, ["one"] * 60, fit)


# --- a run ---

N = 60


def make_run(folder: Path, seed: int = 0, *, spare: int = 0) -> Path:
    """Dev and held-out pairs of an overconfident judge, two thirds of them in dev."""
    p, target = (values.tolist() for values in overconfident(N, seed))
    rows: list[tuple[Row, Split]] = []
    given = []
    for i in range(N):
        prompt = ask(f"Question number {i}?")
        outcome = "first" if p[i] > 0.5 else "second"
        pair = Pair(
            prompt.id, "samples", f"A{i}.", f"B{i}.", "a", "b", verdict(p[i], 1 - p[i], outcome)
        )
        split: Split = "held_out" if i % 3 == 0 else "dev"
        rows.append((Row(prompt, "plan-1", pairs=(pair,)), split))
        if i >= spare:
            choice = "first" if target[i] else "second"
            given.append(GivenLabel(item_id(pair.id), "Ann", Annotation(choice)))
    fill(folder, rows)
    with RunStore.open(folder, durable=False) as store:
        keep_labels(Labels(store), given, "human")
    return folder


def turn_held_out(run: Path) -> int:
    """Contradict every label of a held-out pair."""
    other = {"first": "second", "second": "first"}
    with RunStore.open(run, durable=False) as store:
        held_out = {item_id(pair.id) for row, _ in store.rows("held_out") for pair in row.pairs}
        given = [
            GivenLabel(item, "Ann", Annotation(other[str(a.annotation.choice)]))
            for (_, item), a in Labels(store).current().items()
            if item in held_out
        ]
        return keep_labels(Labels(store), given, "human").actions_new


def fitted(run: Path, **options: Any) -> Any:
    with RunStore.open(run, durable=False) as store:
        return calibrate(store, draws=100, **options)


@pytest.mark.parametrize("method", METHODS)
def test_held_out_labels_do_not_change_the_fit(tmp_path, method):
    run = make_run(tmp_path / "run")
    before = fitted(run, method=method)
    assert before.stored.n == 40
    assert turn_held_out(run) == 20
    after = fitted(run, method=method)
    assert replace(after.stored, created="") == replace(before.stored, created="")


def test_the_fit_is_that_of_the_dev_pairs(tmp_path):
    p, target = overconfident(N, 0)
    dev = np.arange(N) % 3 != 0
    run = make_run(tmp_path / "run")
    found = fitted(run, method="temperature")
    assert found.stored.map.slope == pytest.approx(fit_temperature(p[dev], target[dev]).slope)
    wrong = (p[dev] > 0.5) != (target[dev] == 1)
    noise = found.stored.noise
    assert (noise.rate, noise.n, noise.groups) == (pytest.approx(wrong.mean()), 40, 40)
    assert noise.low < noise.rate < noise.high
    assert found.before.nll.estimate == pytest.approx(log_loss(p[dev], target[dev]))
    assert found.after.nll.estimate < found.before.nll.estimate
    assert set(found.losses) == {"identity", "temperature"}
    assert found.losses["temperature"] == pytest.approx(found.after.nll.estimate)


def test_auto_takes_the_least_loss(tmp_path):
    found = fitted(make_run(tmp_path / "run"), method="auto")
    assert found.stored.map.method == min(found.losses, key=found.losses.__getitem__)
    assert set(found.losses) == {"identity", "temperature", "platt", "isotonic"}


@pytest.mark.parametrize("method", METHODS)
def test_the_map_is_kept_until_the_judge_changes(tmp_path, method):
    run = make_run(tmp_path / "run")
    with RunStore.read(run) as store:
        assert calibrated(store) is None
    found = fitted(run, method=method)
    with RunStore.open(run, durable=False) as store:
        assert read_calibration(store) == replace(
            found.stored, figures=read_calibration(store).figures
        )
        function = calibrated(store)
        assert function is not None
        assert function(0.9) == found.stored.map(0.9)
        store.set_meta(plan="another")
        assert calibrated(store) is None


def test_exports_carry_the_calibrated_probability(tmp_path):
    run = make_run(tmp_path / "run")
    with RunStore.open(run, durable=False) as store:
        before = preferences(store, tmp_path / "before")
        calibrate(store, "temperature")
        after, function = preferences(store, tmp_path / "after"), calibrated(store)
    assert before
    assert {row["p_calibrated"] for row in before} == {None}
    assert [row["p_calibrated"] for row in after] == [function(row["p"]) for row in after]


def preferences(store: RunStore, folder: Path) -> list[dict[str, Any]]:
    export(store, folder, ["jsonl"])
    texts = [(folder / part / "preferences.jsonl").read_text() for part in ("", "dev")]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_what_cannot_be_calibrated(tmp_path):
    run = make_run(tmp_path / "run", spare=40)
    with pytest.raises(
        UsageError, match=r"Got 14 pairs of dev prompts.*at least 20 labelled.*new run folder"
    ):
        fitted(run)
    with pytest.raises(UsageError, match="Got the method 'magic'"):
        fitted(run, method="magic")


def test_few_decided_verdicts_have_no_noise(tmp_path):
    run = make_run(tmp_path / "run")
    with RunStore.open(run, durable=False) as store:
        rows = [
            replace(row, pairs=tuple(replace(q, verdict=tie(q.verdict)) for q in row.pairs))
            for row, _ in store.rows("dev")
        ]
        for row in rows[:25]:
            asyncio.run(store.put_row(row))
        found = calibrate(store, "temperature", draws=100)
    assert (found.stored.n, found.stored.noise) == (40, None)
    assert "not run: fewer than 20" in call("calibrate", run, "--draws", 100)


def tie(judged: Verdict | None) -> Verdict:
    assert judged is not None
    return replace(judged, outcome="tie")


def test_labels_by_programs_are_no_labels_by_people(tmp_path):
    run = make_run(tmp_path / "run", spare=N)
    with RunStore.open(run, durable=False) as store:
        given = [
            GivenLabel(item_id(pair.id), "GPT", Annotation("first"))
            for row, _ in store.rows("dev")
            for pair in row.pairs
        ]
        keep_labels(Labels(store), given, "model")
        with pytest.raises(UsageError, match="Got 0 pairs"):
            calibrate(store)


def call(*arguments: object) -> str:
    result = CliRunner().invoke(judge.app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.stdout.split())


def test_the_command(tmp_path):
    run = make_run(tmp_path / "run")
    output = call("calibrate", run, "--method", "temperature", "--draws", 100)
    for line in (
        "Labels by people on dev pairs 40 of 40 prompt groups",
        "Map temperature, slope 0.",
        "of 40 pairs",
        "Log loss by method, cross-fitted: identity",
    ):
        assert line in output


# --- training takes the noise ---


def data_of(*sources: tuple[float, int, float | None]) -> Data[Any]:
    facts = tuple(
        SourceFacts("s", "ai", weight, train, 0, 0, "", Standing(True, "", noise=noise))
        for weight, train, noise in sources
    )
    return Data((), (), (), {}, facts)


def test_noise_is_weighed_by_examples():
    assert data_of((1.0, 100, 0.2), (2.0, 50, 0.0)).label_noise == pytest.approx(0.1)
    assert data_of((1.0, 100, 0.2), (1.0, 1, None)).label_noise is None
    assert data_of((1.0, 100, 0.2), (1.0, 0, None)).label_noise == pytest.approx(0.2)
    assert data_of().label_noise is None


def test_the_config_comes_before_the_estimate():
    data = data_of((1.0, 100, 0.2))
    assert _label_noise(DPOConfig(loss="robust"), data) == pytest.approx(0.2)
    assert _label_noise(DPOConfig(loss="cdpo", label_noise=0.3), data) == 0.3
    assert _label_noise(DPOConfig(loss="sigmoid"), data_of((1.0, 9, None))) is None
    with pytest.raises(ConfigError, match="cai judge calibrate"):
        _label_noise(DPOConfig(loss="robust"), data_of((1.0, 9, None)))
    with pytest.raises(ConfigError, match="people contradict 60%"):
        _label_noise(DPOConfig(loss="robust"), data_of((1.0, 9, 0.6)))


def test_a_run_brings_its_noise(tmp_path):
    run = make_run(tmp_path / "run")
    source = SourceConfig(run=str(run))
    assert standing_of(source, None).noise is None
    validation = Validation(passed=True, labels=9, label_noise=0.3)
    assert standing_of(source, validation).noise == 0.3
    found = fitted(run)
    standing = standing_of(source, validation)
    assert standing.noise == found.stored.noise.rate
    assert not standing.validated
    assert standing_of(SourceConfig(file="x.jsonl", origin="human"), None).noise == 0.0
    assert isinstance(found.stored, StoredCalibration)
    assert isinstance(found.stored.noise, LabelNoise)
