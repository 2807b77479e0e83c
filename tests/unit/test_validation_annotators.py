"""Reports on annotators whose habits are known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from cai.validation.statistics.annotators import LabelledItem, annotator_report, spearman
from cai.validation.statistics.intervals import wilson


def label(i, code=0, **more):
    return LabelledItem(item=i, code=code, order=more.pop("order", i), **more)


def test_a_report_without_labels_has_no_figures():
    got = annotator_report([])
    assert got.labels == 0
    assert (got.median_seconds, got.pace, got.agreement, got.agreement_drift) == (None,) * 4
    assert (got.self_consistency, got.first_slot, got.tie_share) == (None,) * 3
    assert not got.slot_biased


def test_pace_falls_for_one_who_speeds_up_in_whatever_order_labels_come():
    items = [label(i, seconds=60.0 - i) for i in range(20)] + [label(20)]
    got = annotator_report(items[::-1])
    assert got.pace == pytest.approx(-1.0)
    assert got.median_seconds == 50.5
    assert got.labels == 21


@pytest.mark.parametrize("seed", range(4))
def test_spearman_equals_scipy_with_equal_values(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 8, 30).tolist(), rng.integers(0, 8, 30).tolist()
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)


def test_spearman_is_none_where_it_is_not_defined():
    assert spearman([1, 2], [1, 2]) is None
    assert spearman([1, 2, 3], [4, 4, 4]) is None
    assert spearman([7, 7, 7], [1, 2, 3]) is None
    with pytest.raises(ValueError, match="same length"):
        spearman([1], [])


def test_agreement_drifts_down_for_one_who_tires():
    items = [label(i, code=int(i >= 30 and i % 2), others=0) for i in range(60)]
    got = annotator_report([*items, label(60, code=1)])
    assert got.agreement == wilson(45, 60)
    assert got.agreement_drift.estimate == pytest.approx(-0.5)
    assert got.agreement_drift.high < 0
    assert annotator_report(items[:1]).agreement_drift is None


def test_a_steady_annotator_does_not_drift():
    got = annotator_report([label(i, code=int(i % 5 == 0), others=0) for i in range(40)])
    assert got.agreement_drift.low < 0 < got.agreement_drift.high


def test_consistency_compares_repeats_with_first_labels():
    items = [label(i, code=i % 3) for i in range(6)]
    again = [label(10 + i, code=0, repeat_of=i) for i in range(4)]
    orphan = label(30, code=1, repeat_of=99)
    got = annotator_report([*again, orphan, *items])
    assert got.self_consistency == wilson(2, 4)
    assert annotator_report(items).self_consistency is None


def test_repeats_may_keep_the_id_of_their_item():
    got = annotator_report([label("a", order=0), label("a", order=5, repeat_of="a")])
    assert got.self_consistency == wilson(1, 1)


def test_repeats_do_not_count_twice():
    items = [label(i, others=0, shown_first_chosen=True) for i in range(3)]
    again = [label(9, code=1, repeat_of=0, others=0, shown_first_chosen=False)]
    got = annotator_report(items + again, tie=1)
    assert got.labels == 4
    assert (got.agreement, got.first_slot, got.tie_share) == (
        wilson(3, 3),
        wilson(3, 3),
        wilson(0, 3),
    )


@pytest.mark.parametrize(("first", "biased"), [(50, False), (56, False), (65, True), (30, True)])
def test_slot_bias_is_flagged_where_the_interval_excludes_a_half(first, biased):
    decided = [label(i, shown_first_chosen=i < first) for i in range(100)]
    got = annotator_report([*decided, label(100, code=2)], tie=2)
    assert got.first_slot == wilson(first, 100)
    assert got.slot_biased is biased
    assert got.tie_share == wilson(1, 101)


def test_levels_reach_the_intervals():
    got = annotator_report([label(0, others=0), label(1, others=0)], level=0.8)
    assert got.agreement.level == got.agreement_drift.level == 0.8


def test_labels_that_contradict_each_other_are_errors():
    with pytest.raises(ValueError, match="two first labels"):
        annotator_report([label(1), label(1, order=2)])
    with pytest.raises(ValueError, match="codes start at 0"):
        annotator_report([label(1, code=-1)])
