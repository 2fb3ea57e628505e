"""Thresholds: the best of all on dev, found again by trying each; and what they show elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from graft.scores.intervals import wilson_interval
from graft.scores.thresholds import (
    choose_by_cost,
    list_cuts,
    measure_answers,
    measure_yes_or_no,
    select_shares,
    trace_abstention,
)

pytestmark = pytest.mark.filterwarnings("error")
seeds = st.integers(0, 2**32)
levels = st.sampled_from([3, 10, 1_000_000])


def draw(seed, levels, count=40):
    """Scores with ties where there are few levels, and truths that follow them."""
    random = np.random.default_rng(seed)
    scores = np.round(levels * random.random(count)) / levels
    return scores, random.random(count) < 0.1 + 0.8 * scores


def list_all(scores):
    """A threshold for every way to say yes to the higher ones."""
    return [*np.unique(scores), 1.1]


@given(seed=seeds, levels=levels, alarm=st.floats(0.01, 100), miss=st.floats(0.01, 100))
@settings(max_examples=60, deadline=None)
def test_no_threshold_costs_less_than_the_chosen_one(seed, levels, alarm, miss):
    scores, positive = draw(seed, levels)

    def count_cost(threshold):
        yes = scores >= threshold
        return alarm * (yes & ~positive).sum() + miss * (~yes & positive).sum()

    chosen = choose_by_cost(scores, positive, alarm, miss)
    cheapest = min(count_cost(threshold) for threshold in list_all(scores))
    assert count_cost(chosen) == pytest.approx(cheapest, rel=1e-9, abs=1e-9)


@given(seed=seeds, levels=levels)
@settings(max_examples=40, deadline=None)
def test_cuts_accept_as_many_as_they_say(seed, levels):
    scores, _ = draw(seed, levels)
    thresholds, counts = list_cuts(scores)
    assert [(scores >= threshold).sum() for threshold in thresholds] == counts.tolist()
    assert counts[-1] == len(scores)
    assert (np.diff(thresholds) < 0).all()


def test_a_cut_between_neighbouring_floats_is_exact():
    scores = np.array([0.5, np.nextafter(0.5, 1)])
    thresholds, _ = list_cuts(scores)
    assert [(scores >= threshold).sum() for threshold in thresholds] == [1, 2]


def test_where_classes_lie_apart_the_threshold_of_theory_is_taken():
    scores, positive = np.array([0.05, 0.9]), np.array([False, True])
    assert choose_by_cost(scores, positive, 1.0, 3.0) == 0.25


@pytest.mark.parametrize("scores", [[0.2, 0.9], [0.2, 1.0]])
def test_when_alarms_cost_too_much_it_never_says_yes(scores):
    scores = np.array(scores)
    threshold = choose_by_cost(scores, np.array([False, False]), 1e6, 1.0)
    assert not (scores >= threshold).any()


@given(seed=seeds, threshold=st.floats(0.05, 0.8))
@settings(max_examples=30, deadline=None)
def test_counts_precision_and_recall_are_those_of_scikit_learn(seed, threshold):
    scores, positive = draw(seed, 1_000_000)
    found = measure_yes_or_no(scores, positive, threshold, 0.95)
    yes = scores >= threshold
    names = ["true_negative", "false_positive", "false_negative", "true_positive"]
    expected = confusion_matrix(positive, yes, labels=[False, True]).ravel().tolist()
    assert [found[name] for name in names] == expected
    for name, measure in (("precision", precision_score), ("recall", recall_score)):
        if found[name]:
            assert found[name]["value"] == pytest.approx(measure(positive, yes), abs=1e-9)


def test_a_share_of_nothing_is_none():
    found = measure_yes_or_no(np.array([0.1]), np.array([False]), 0.5, 0.95)
    assert found["precision"] is found["recall"] is None
    assert measure_answers(np.array([0.1]), np.array([True]), 0.5, 0.95)["accuracy"] is None


def test_answers_are_counted_with_the_interval_of_wilson():
    confidences, right = np.array([0.2, 0.6, 0.7, 0.9]), np.array([True, False, True, True])
    found = measure_answers(confidences, right, 0.5, 0.95)
    low, high = wilson_interval(2, 3, 0.95)
    assert found == {
        "n": 3,
        "coverage": 0.75,
        "accuracy": {"value": 2 / 3, "low": low, "high": high},
    }


@given(seed=seeds, levels=levels)
@settings(max_examples=30, deadline=None)
def test_the_abstention_curve_begins_with_all_and_answers_ever_less(seed, levels):
    dev, test = draw(seed, levels), draw(seed + 1, levels)
    rows = trace_abstention(dev, test, 0.95)
    answered = [row["dev"]["coverage"] for row in rows]
    assert answered[0] == rows[0]["test"]["coverage"] == 1
    assert answered == sorted(answered, reverse=True)
    assert len(set(answered)) == len(answered)
    for row in rows:
        kept = dev[0] >= row["threshold"]
        assert row["dev"]["accuracy"]["value"] == dev[1][kept].mean()


def test_thresholds_of_the_curve_come_from_dev_alone():
    dev = draw(0, 10)
    first, second = (trace_abstention(dev, draw(seed, 10), 0.95) for seed in (1, 2))
    assert [row["threshold"] for row in first] == [row["threshold"] for row in second]


def test_rows_for_a_table_are_named_once():
    rows = trace_abstention(draw(0, 3), draw(1, 3), 0.95)
    places = select_shares(rows, [1.0, 0.99, 0.9, 0.5, 0.49])
    assert places[0] == 0
    assert len(set(places)) == len(places)
    assert rows[places[-1]]["dev"]["coverage"] >= 0.49
