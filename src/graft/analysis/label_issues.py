"""Labels that a classifier which has not seen them would not give."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from graft.analysis.clusters import deal_folds

# On cats and dogs with a tenth of the labels flipped, 32 to 256 axes and penalties around 1 find
# the same flips to within one in a hundred; all 1,280 features take ten times as long.
_AXES, _PENALTY = 128, 1.0
_SAMPLE = 5000


@dataclass(frozen=True)
class OutOfFold:
    """What a classifier says of pictures that it has not been trained on.

    Attributes:
        probabilities: Float (n, C).
        judged: Whether it has been trained on other pictures of the picture's class, bool (n,);
            probabilities of the others are 0.
    """

    probabilities: np.ndarray
    judged: np.ndarray


def predict_out_of_fold(
    features: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray,
    class_count: int,
    folds: int,
    seed: int,
) -> OutOfFold:
    """Classify every picture by a logistic regression on the pictures of the other folds.

    Args:
        features: Float32 (n, D).
        labels: Class index of every picture, int (n,).
        clusters: Cluster of every picture, int (n,); copies do not vouch for one another.
        class_count: Number of classes.
        folds: At most so many.
        seed: Of the folds and of the axes.
    """
    from sklearn.linear_model import LogisticRegression

    found = OutOfFold(np.zeros((len(labels), class_count)), np.zeros(len(labels), bool))
    number = deal_folds(labels, clusters, folds, seed)
    axes = _find_axes(features, seed)
    for fold in range(number.max(initial=-1) + 1):
        train, held_out = number != fold, number == fold
        known = np.unique(labels[train])
        if len(known) > 1:
            classifier = LogisticRegression(C=1 / _PENALTY, max_iter=300)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The number of unique classes")
                classifier.fit(axes[train], labels[train])
            rows = np.flatnonzero(held_out)
            found.probabilities[np.ix_(rows, known)] = classifier.predict_proba(axes[rows])
            found.judged[rows] = np.isin(labels[rows], known)
    return found


def score_labels(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How doubtful every label is, and what the class would be otherwise.

    The doubt is 1 less the normalised margin: half of one and the probability of the label less
    that of the likeliest other class (Northcutt, Jiang and Chuang, "Confident Learning", JAIR 70,
    2021; Kuan and Mueller 2022, as implemented in cleanlab).

    Args:
        labels: Class index of every picture, int (n,), of at least two classes.
        probabilities: Of pictures that were not learnt, float (n, C).

    Returns:
        Doubts from 0 (sure) to 1, float (n,); class index of the likeliest other class, int (n,).
    """
    from cleanlab.rank import get_label_quality_scores

    quality = get_label_quality_scores(labels, probabilities, method="normalized_margin")
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1
    return 1 - quality, others.argmax(axis=1)


def _find_axes(features: np.ndarray, seed: int) -> np.ndarray:
    """Principal components (n, k) of the standardised features, found on a sample.

    Their mean squared length is 1, so that a penalty means the same whatever the network.
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(seed)
    count = min(len(features), _SAMPLE)
    sample = features[np.sort(random.choice(len(features), count, replace=False))]
    scaler = StandardScaler().fit(sample)
    scaled = scaler.transform(sample)
    if not scaled.any():
        return np.zeros((len(features), 1), np.float32)
    kept = min(_AXES, count - 1, features.shape[1])
    found = PCA(kept, random_state=seed).fit(scaled)
    axes = found.transform(scaler.transform(features))
    return axes / np.sqrt(np.square(axes).sum(axis=1).mean())
