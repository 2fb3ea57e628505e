"""Doubts about labels: what was flipped comes first, and copies do not vouch for one another."""

from __future__ import annotations

import time

import numpy as np
import pytest

from graft.analysis.label_issues import predict_out_of_fold, score_labels

pytestmark = pytest.mark.filterwarnings("error")


def make_classes(count: int, classes: int = 2, dimension: int = 6, distance: float = 4.0):
    random = np.random.default_rng(0)
    labels = np.arange(count) % classes
    features = random.normal(size=(count, dimension)).astype(np.float32)
    features[np.arange(count), labels] += distance
    return features, labels


def judge(features, labels, clusters=None, classes=2, folds=4):
    clusters = np.arange(len(labels)) if clusters is None else clusters
    return predict_out_of_fold(features, labels, clusters, classes, folds, seed=0)


def test_flipped_labels_are_the_first_in_doubt() -> None:
    features, labels = make_classes(200)
    flipped = np.random.default_rng(1).choice(200, 20, replace=False)
    given = labels.copy()
    given[flipped] = 1 - given[flipped]
    found = judge(features, given)
    assert found.judged.all()
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    issues, others = score_labels(given, found.probabilities)
    assert len({*np.argsort(-issues)[:30]} & {*flipped}) >= 18
    assert (others == 1 - given).all()


def test_the_doubt_is_one_less_the_normalised_margin() -> None:
    labels = np.array([0, 1, 2])
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.1, 0.4], [0.3, 0.3, 0.4]])
    issues, others = score_labels(labels, probabilities)
    np.testing.assert_allclose(issues, [0.25, 0.7, 0.45], atol=1e-12)
    assert others.tolist() == [1, 0, 0]


def test_a_copy_does_not_vouch_for_its_wrong_label() -> None:
    features, labels = make_classes(40, distance=8)
    features[1::20] = features[0]  # two copies of a picture of class 0 …
    labels[1::20] = 1  # … under the other label
    clusters = np.where(np.isin(np.arange(40), [0, 1, 21]), 0, np.arange(40))
    issues, _ = score_labels(labels, judge(features, labels, clusters).probabilities)
    assert {*np.argsort(-issues)[:2]} == {1, 21}


def test_a_class_without_another_independent_picture_is_not_judged() -> None:
    features, labels = make_classes(21)
    labels[20] = 2
    found = judge(features, labels, classes=3)
    assert found.judged.tolist() == [True] * 20 + [False]


@pytest.mark.parametrize("labels", [np.arange(5), np.zeros(5, int)])
def test_where_nothing_can_be_compared_nothing_is_judged(labels) -> None:
    features = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert not judge(features, labels, classes=5).judged.any()


def test_one_picture_and_features_without_spread_are_survived() -> None:
    assert not judge(np.ones((1, 3), np.float32), np.array([0])).judged.any()
    found = judge(np.ones((10, 3), np.float32), np.tile([0, 1], 5))
    np.testing.assert_allclose(found.probabilities, 0.5, atol=0.2)


def test_twelve_hundred_pictures_of_1280_features_take_seconds() -> None:
    features, labels = make_classes(1200, classes=10, dimension=1280)
    started = time.process_time()
    found = judge(features, labels, classes=10, folds=5)
    score_labels(labels, found.probabilities)
    assert time.process_time() - started < 20


def test_a_thousand_classes_are_no_obstacle() -> None:
    features, labels = make_classes(2000, classes=1000, dimension=1000, distance=30)
    found = judge(features, labels, classes=1000, folds=2)
    issues, _ = score_labels(labels, found.probabilities)
    assert np.isfinite(issues).all()
