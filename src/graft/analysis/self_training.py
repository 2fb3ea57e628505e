"""Learning from pictures without a label: a student is trained on what its teacher thinks of them.

A teacher that learnt from the labels answers for every picture without one; a student learns from
the labels and from these answers, and is the teacher of the next round (noisy student, Xie et al.,
CVPR 2020). On stored features the noise is a penalty on the weights, which is what dropout of
features amounts to in a linear model (Wager, Wang and Liang, NeurIPS 2013).

A student inherits its teacher's mistakes and may make them worse, so pictures with a label that
none of them has seen decide between them, and the teacher wins where they cannot tell.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graft.analysis.choosing import Outcome
from graft.analysis.clusters import deal_folds
from graft.analysis.predictions import measure_log_loss

# The first is what there is without the pool. "student" takes the shares of the classes in the pool
# as the teacher sees them; "balanced_student" takes all classes for equally frequent, which gains
# most where they are and costs 14 points where one class is rare: hence the two.
TEACHER = "teacher"
WAYS = (TEACHER, "student", "balanced_student")
# Stronger penalty alone, for comparison: near what the backbone knows it is most of the gain.
RIVAL = "strong_penalty"
ROUNDS, TEMPERATURE = 3, 0.5
_PENALTY, _STRONG = 1.0, 0.1
# An answer below this share of a picture is not learnt from: with many classes most are.
_LEAST_SHARE = 0.01
_BALANCINGS = 30


@dataclass(frozen=True)
class LinearClassifier:
    """A softmax regression on features.

    Attributes:
        kernel: Float (D, C).
        bias: Float (C,).
    """

    kernel: np.ndarray
    bias: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Probabilities, float (n, C), of features (n, D)."""
        logits = features @ self.kernel + self.bias
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Labelled:
    """Pictures with a label, by their features.

    Attributes:
        features: Float (n, D).
        labels: Class index, int (n,).
        clusters: Pictures of one cluster belong together, int (n,).
    """

    features: np.ndarray
    labels: np.ndarray
    clusters: np.ndarray

    def take(self, chosen: np.ndarray) -> Labelled:
        """Some of the pictures, by their rows or a mask."""
        return Labelled(self.features[chosen], self.labels[chosen], self.clusters[chosen])


def train_way(way: str, train: Labelled, pool: np.ndarray, class_count: int) -> LinearClassifier:
    """Train a classifier in one of :data:`WAYS`, or the :data:`RIVAL`.

    Args:
        way: Its name.
        train: Pictures with a label; of every class at least one.
        pool: Features of pictures without one, float (U, D).
        class_count: Number of classes C.

    Examples:
        >>> random = np.random.default_rng(0)
        >>> pool = np.concatenate([random.normal(at, 1, size=(200, 8)) for at in (-0.5, 0.5)])
        >>> train = Labelled(pool[[0, 1, -2, -1]], np.array([0, 0, 1, 1]), np.arange(4))
        >>> truth = np.repeat([0, 1], 200)
        >>> taught = [train_way(way, train, pool, 2) for way in ("teacher", "student")]
        >>> right = [(one.predict(pool).argmax(axis=1) == truth).mean() for one in taught]
        >>> bool(right[1] > right[0] + 0.03)
        True
    """
    targets = np.eye(class_count)[train.labels]
    penalty = _STRONG if way == RIVAL else _PENALTY
    known = _fit(train.features, targets, np.ones(len(targets)), penalty)
    if way in (TEACHER, RIVAL) or not len(pool):
        return known
    features = np.concatenate([train.features, pool])
    # All pictures together weigh what those with a label weighed alone: the more there are, the
    # more each must be outvoted by the penalty as before.
    weights = np.full(len(features), len(targets) / len(features))
    for _ in range(ROUNDS):
        thought = sharpen(known.predict(pool))
        if way == "balanced_student":
            thought = balance(thought)
        known = _fit(features, np.concatenate([targets, thought]), weights, _PENALTY)
    return known


def judge_ways(
    train: Labelled, dev: Labelled, pool: np.ndarray, class_count: int
) -> tuple[dict[str, Outcome], dict[str, LinearClassifier]]:
    """Train in all ways, and measure each on dev.

    Returns:
        What each did, the rival among them; and the classifiers.
    """
    classifiers = {way: train_way(way, train, pool, class_count) for way in (*WAYS, RIVAL)}
    judged = {
        way: _judge(way, one.predict(dev.features), dev.labels) for way, one in classifiers.items()
    }
    return judged, classifiers


def judge_ways_on_folds(
    labelled: Labelled, pool: np.ndarray, class_count: int, folds: int, seed: int
) -> dict[str, Outcome]:
    """Measure all ways on the folds of all pictures with a label, each by what it had not seen.

    Where dev has a few pictures only, one of them decides; these decide more surely.

    Returns:
        What each did; nothing where a fold would leave a class without a label.
    """
    places = deal_folds(labelled.labels, labelled.clusters, folds, seed)
    found = {way: np.zeros((len(places), class_count)) for way in (*WAYS, RIVAL)}
    for fold in range(int(places.max(initial=0)) + 1):
        rest = labelled.take(places != fold)
        if len(np.unique(rest.labels)) < class_count:
            return {}
        for way, probabilities in found.items():
            known = train_way(way, rest, pool, class_count)
            probabilities[places == fold] = known.predict(labelled.features[places == fold])
    return {way: _judge(way, one, labelled.labels) for way, one in found.items()}


def choose_way(judged: dict[str, Outcome], ways: Sequence[str] = WAYS) -> str:
    """The best way by accuracy, ties by log loss; where all are equal, the teacher."""
    return min(ways, key=lambda way: judged[way].rank)


def find_sure(probabilities: np.ndarray, confidence: float) -> np.ndarray:
    """Which pictures a teacher is sure enough of.

    The share counts from chance on: of two classes some class always has a half.

    Args:
        probabilities: Of the teacher, (n, C).
        confidence: Share of the way from chance (one of C) to certainty that the most likely class
            must have come.

    Returns:
        Bool (n,).

    Examples:
        >>> find_sure(np.array([[0.7, 0.3], [0.8, 0.2]]), 0.5).tolist()
        [False, True]
    """
    chance = 1 / probabilities.shape[1]
    sure: np.ndarray = probabilities.max(axis=1, initial=0.0) >= chance + confidence * (1 - chance)
    return sure


def beats(student: Outcome, teacher: Outcome) -> bool:
    """Whether a fine-tuned student takes its teacher's place: it has more pictures right.

    That they differ by more than a standard error is too much to ask: of 32 draws of traffic signs
    dev showed that of ten students, and what was kept gained 1.0 points in the mean of all. By this
    rule 19 are taken, 2.0 points are gained, and no draw loses one (benchmarks/README.md).

    Examples:
        >>> known, better = (Outcome(np.arange(50) < count, 0.3, 0.0) for count in (40, 41))
        >>> beats(better, known), beats(known, known)
        (True, False)
    """
    return int(student.right.sum()) > int(teacher.right.sum())


def sharpen(probabilities: np.ndarray) -> np.ndarray:
    """Answers that are surer of themselves, float (n, C).

    Examples:
        >>> sharpen(np.array([[0.75, 0.25]])).tolist()
        [[0.9, 0.1]]
    """
    powers = probabilities ** (1 / TEMPERATURE)
    return powers / powers.sum(axis=1, keepdims=True)


def balance(probabilities: np.ndarray) -> np.ndarray:
    """Answers in which all classes are equally frequent, by Sinkhorn and Knopp (1967), (n, C)."""
    found = probabilities.copy()
    for _ in range(_BALANCINGS):
        found /= np.maximum(found.sum(axis=0, keepdims=True), 1e-12)
        found /= np.maximum(found.sum(axis=1, keepdims=True), 1e-12)
    return found


def _judge(way: str, probabilities: np.ndarray, labels: np.ndarray) -> Outcome:
    right = probabilities.argmax(axis=1) == labels
    # A student must be better to take its teacher's place.
    return Outcome(right, measure_log_loss(labels, probabilities), cost=float(way != TEACHER))


def _fit(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, penalty: float
) -> LinearClassifier:
    """Softmax regression on shares of classes: a picture stands there once a class that it has.

    scikit-learn takes a class a row, and weights of rows; that is the same sum of losses.

    Args:
        features: Float (n, D).
        targets: Share of every class, float (n, C).
        weights: Of every picture, float (n,).
        penalty: C of scikit-learn; the smaller, the stronger.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    rows, classes = np.nonzero(targets > _LEAST_SHARE)
    model = LogisticRegression(C=penalty, max_iter=300, tol=1e-3)
    with warnings.catch_warnings():
        # What is not quite at its end is judged as all others are.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features[rows], classes, sample_weight=weights[rows] * targets[rows, classes])
    kernel, bias = model.coef_.T, model.intercept_
    if len(bias) == 1:  # of two classes scikit-learn keeps one logit
        kernel, bias = np.hstack([0 * kernel, kernel]), np.array([0.0, bias[0]])
    return LinearClassifier(kernel, bias)
