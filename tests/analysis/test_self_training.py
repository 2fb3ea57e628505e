"""Self-training: pictures without a label help where they can, and dev can say no."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from graft.analysis.choosing import Outcome
from graft.analysis.self_training import (
    RIVAL,
    WAYS,
    Labelled,
    balance,
    choose_way,
    judge_ways,
    judge_ways_on_folds,
    sharpen,
    train_way,
)


def draw(
    count: int, classes: int = 3, shares: tuple[float, ...] | None = None, seed: int = 0
) -> Labelled:
    """Pictures of classes that lie three standard deviations from the middle."""
    random = np.random.default_rng(seed)
    labels = random.choice(classes, count, p=shares)
    labels[: 2 * classes] = np.tile(np.arange(classes), 2)
    features = random.normal(size=(count, 20)).astype(np.float32)
    features[np.arange(count), labels] += 3
    return Labelled(features, labels, np.arange(count))


def accuracy(way: str, train: Labelled, pool: Labelled, test: Labelled) -> float:
    found = train_way(way, train, pool.features, 3).predict(test.features)
    return float((found.argmax(axis=1) == test.labels).mean())


def test_a_teacher_is_the_logistic_regression_of_scikit_learn() -> None:
    train, test = draw(60), draw(200, seed=1)
    for classes in (2, 3):
        own = train.take(train.labels < classes)
        known = LogisticRegression(C=1.0, max_iter=300, tol=1e-3).fit(own.features, own.labels)
        found = train_way("teacher", own, np.empty((0, 20)), classes).predict(test.features)
        np.testing.assert_allclose(found, known.predict_proba(test.features), atol=1e-4)


def test_pictures_without_a_label_make_a_student_better_than_its_teacher() -> None:
    gains = []
    for seed in range(5):
        train, pool, test = draw(9, seed=seed), draw(400, seed=50 + seed), draw(600, seed=99)
        gains.append(
            accuracy("student", train, pool, test) - accuracy("teacher", train, pool, test)
        )
    assert np.mean(gains) > 0.02


def test_what_takes_classes_for_equally_frequent_loses_where_they_are_not() -> None:
    shares = (0.9, 0.08, 0.02)
    lost = []
    for seed in range(5):
        train, pool = draw(9, seed=seed), draw(400, shares=shares, seed=50 + seed)
        test = draw(1000, shares=shares, seed=99)
        plain, balanced = (accuracy(way, train, pool, test) for way in WAYS[1:])
        lost.append(plain - balanced)
    assert np.mean(lost) > 0.05


def test_on_dev_the_way_that_harms_is_not_chosen() -> None:
    shares = (0.9, 0.08, 0.02)
    train, pool = draw(9), draw(400, shares=shares, seed=1)
    judged, classifiers = judge_ways(train, draw(300, shares=shares, seed=2), pool.features, 3)
    assert set(judged) == set(classifiers) == {*WAYS, RIVAL}
    assert choose_way(judged) != "balanced_student"


def test_every_picture_is_judged_by_a_fold_that_has_not_seen_it() -> None:
    # Labels without a meaning cannot be told from features but by heart.
    random = np.random.default_rng(0)
    labels = np.tile([0, 1], 60)
    noise = Labelled(random.normal(size=(120, 200)), labels, np.arange(120))
    judged = judge_ways_on_folds(noise, random.normal(size=(50, 200)), 2, folds=4, seed=0)
    assert all(abs(one.right.mean() - 0.5) < 0.15 for one in judged.values())


def test_a_class_that_a_fold_would_lack_makes_no_folds() -> None:
    few = Labelled(np.eye(5), np.array([0, 0, 0, 0, 1]), np.arange(5))
    assert judge_ways_on_folds(few, np.empty((0, 5)), 2, folds=4, seed=0) == {}


@pytest.mark.parametrize(
    ("student", "balanced", "expected"),
    [
        ((0.8, 0.5), (0.8, 0.5), "teacher"),
        ((0.8, 0.4), (0.7, 0.1), "student"),
        ((0.9, 0.9), (0.95, 2.0), "balanced_student"),
        ((0.7, 0.1), (0.7, 0.1), "teacher"),
    ],
)
def test_accuracy_decides_then_log_loss_and_the_teacher_stays_where_all_are_equal(
    student: tuple[float, float], balanced: tuple[float, float], expected: str
) -> None:
    figures = zip(WAYS, ((0.8, 0.5), student, balanced), (0, 1, 1), strict=True)
    outcomes = {
        way: Outcome(np.arange(20) < 20 * accuracy, log_loss, cost)
        for way, (accuracy, log_loss), cost in figures
    }
    assert choose_way(outcomes) == expected


@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 2**31))
def test_sharpened_answers_name_the_same_classes_and_balanced_ones_sum_to_one(
    count: int, classes: int, seed: int
) -> None:
    answers = np.random.default_rng(seed).dirichlet(np.ones(classes), count)
    sharp = sharpen(answers)
    np.testing.assert_array_equal(sharp.argmax(axis=1), answers.argmax(axis=1))
    assert (sharp.max(axis=1) >= answers.max(axis=1) - 1e-9).all()
    np.testing.assert_allclose(balance(sharp).sum(axis=1), 1)


def test_balanced_answers_name_every_class_equally_often() -> None:
    answers = np.random.default_rng(0).dirichlet([5, 2, 1], 500)
    np.testing.assert_allclose(balance(answers).mean(axis=0), 1 / 3, atol=1e-3)
