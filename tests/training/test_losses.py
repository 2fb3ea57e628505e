"""Losses: one function in three ways to write a label, and no combination that cannot learn."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from graft.errors import GraftError
from graft.models.heads import build_head
from graft.training.losses import check_outputs, make_loss

NAMES = ["sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"]


def measure(name, probabilities, labels, label_smoothing=0.0):
    class_count = probabilities.shape[1]
    loss = make_loss(name, class_count, label_smoothing)
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    return np.asarray(loss(np.asarray(labels), probabilities))


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_is_minus_the_logarithm_of_the_probability_of_the_true_class(name):
    probabilities = np.array([[0.2, 0.8], [0.9, 0.1]], "float32")
    np.testing.assert_allclose(measure(name, probabilities, [1, 1]), -np.log([0.8, 0.1]), rtol=1e-5)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_for_two_classes_the_binary_loss_is_that_of_keras(label_smoothing):
    second = np.array([0.2, 0.7, 0.99], "float32")
    labels = np.array([0.0, 1.0, 0.0], "float32")
    expected = keras.losses.binary_crossentropy(
        labels[:, None], second[:, None], label_smoothing=label_smoothing
    )
    both = np.stack([1 - second, second], axis=1)
    mine = measure("binary_crossentropy", both, labels.astype(int), label_smoothing)
    np.testing.assert_allclose(mine, expected, rtol=1e-4)


def test_smoothing_spreads_its_share_over_all_classes():
    probabilities = np.array([[0.7, 0.2, 0.1]], "float32")
    expected = -(0.9 * np.log(0.7) + 0.1 * np.log(probabilities).mean())
    for name in NAMES[:2]:
        np.testing.assert_allclose(measure(name, probabilities, [0], 0.1), [expected], rtol=1e-5)


def test_a_head_of_one_output_gives_one_minus_p_and_p():
    head = build_head(3, 2, 0.0, 0.0, seed=0, output_count=1)
    head.get_layer("logit").kernel.assign([[1.0], [-2.0], [0.5]])
    features = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    p = 1 / (1 + np.exp(-(features @ [1.0, -2.0, 0.5])))
    np.testing.assert_allclose(head(features), np.stack([1 - p, p], axis=1), rtol=1e-5)
    assert head.count_params() == 4


def test_a_head_of_one_output_still_learns_when_it_is_quite_sure_and_wrong():
    head = build_head(1, 2, 0.0, 0.0, seed=0, output_count=1)
    head.get_layer("logit").kernel.assign([[60.0]])
    head.compile("sgd", make_loss("binary_crossentropy", 2, 0.0))
    loss = head.train_on_batch(np.ones((1, 1), "float32"), np.array([0]))
    assert loss == pytest.approx(60, rel=1e-3)
    assert float(head.get_layer("logit").kernel[0, 0]) == pytest.approx(60 - 0.01, abs=1e-4)


@pytest.mark.parametrize(
    ("loss", "outputs", "classes"),
    [
        ("binary_crossentropy", 1, 2),
        ("binary_crossentropy", 2, 2),
        ("categorical_crossentropy", 2, 2),
        ("sparse_categorical_crossentropy", 43, 43),
    ],
)
def test_what_can_learn_is_allowed(loss, outputs, classes):
    check_outputs(loss, outputs, classes, "head_training")


@pytest.mark.parametrize(
    ("loss", "outputs", "classes", "message"),
    [
        ("binary_crossentropy", 43, 43, r"two classes apart; with 43 take sparse_categorical"),
        ("sparse_categorical_crossentropy", 1, 3, r"outputs: one output is .* 3 classes .* got 1$"),
        ("categorical_crossentropy", 1, 2, r"goes with binary_crossentropy, or set .* to 2; got"),
        ("categorical_crossentropy", 5, 3, r"there are 3 classes; allowed are 3; got 5$"),
        ("binary_crossentropy", 0, 2, r"allowed are 1 or 2; got 0$"),
        ("categorical_crossentropy", 1, 1, r"at least two classes; got 1$"),
    ],
)
def test_what_cannot_learn_is_refused_with_the_reason(loss, outputs, classes, message):
    with pytest.raises(GraftError, match=message):
        check_outputs(loss, outputs, classes, "head_training")
