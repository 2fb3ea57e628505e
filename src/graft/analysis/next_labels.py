"""Which pictures a person should label next: typical ones while labels are few, then doubtful ones.

With few labels what a classifier doubts says little: it knows too little to know what it does not
know. Then the pictures that stand for many others are worth most (Hacohen, Dekel and Weinshall,
"Active learning on a budget: opposite strategies suit high and low budgets", ICML 2022). With
more labels those between two classes are (Scheffer, Decomain and Wrobel 2001).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from graft.analysis.familiarity import scale_to_unit

# Neighbours by which a picture is typical, and clusters at most: those of the paper.
NEIGHBOURS, MAX_CLUSTERS = 20, 500
# A batch of doubtful pictures is drawn from so many times as many, so that it is diverse.
DIVERSITY = 5
# More rows than that are clustered by small batches of them.
_MANY_ROWS = 20_000
# Members of a cluster that are compared with each other; of a larger one so many.
_MOST_COMPARED = 4_000


@dataclass(frozen=True)
class NextLabels:
    """The pictures to label, the first one first.

    Attributes:
        rows: Row of each in the pool, int (k,).
        is_typical: Whether it was chosen as a typical one, bool (k,); else as a doubtful one.
        probabilities: Of all rows of the pool, float (U, C), by what the labels teach; None where
            fewer than two classes have a label.
    """

    rows: np.ndarray
    is_typical: np.ndarray
    probabilities: np.ndarray | None


def choose_next(
    pool: np.ndarray,
    labelled: np.ndarray,
    taught: tuple[np.ndarray, np.ndarray],
    class_count: int,
    count: int,
    typical_labels: int,
    seed: int,
) -> NextLabels:
    """Choose pictures to label: typical ones until there are so many labels, then doubtful ones.

    Args:
        pool: Features of pictures without a label, float (U, D).
        labelled: Features of all that have one, whatever it is, float (L, D).
        taught: Features (T, D) and class index (T,) of those whose labels may be learnt from.
        class_count: Classes that there are.
        count: Pictures to choose; fewer if the pool is smaller.
        typical_labels: Labels a class, on average, up to which typical pictures are asked for.
        seed: Of the clustering.
    """
    count = min(count, len(pool))
    probabilities = None
    if len(np.unique(taught[1])) > 1:
        probabilities = foretell(pool, *taught, class_count)
    wanted = max(0, typical_labels * class_count - len(labelled))
    typical = count if probabilities is None else min(count, wanted)
    rows = choose_typical(pool, labelled, typical, seed)
    if probabilities is not None and typical < count:
        left = np.setdiff1d(np.arange(len(pool)), rows)
        doubtful = choose_doubtful(pool[left], probabilities[left], count - typical, seed)
        rows = np.concatenate([rows, left[doubtful]])
    return NextLabels(rows, np.arange(count) < typical, probabilities)


def foretell(
    pool: np.ndarray, features: np.ndarray, labels: np.ndarray, class_count: int
) -> np.ndarray:
    """Probabilities (U, C) of a logistic regression on features (T, D) and their labels (T,).

    A class without a label has probability 0.
    """
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # Of few labels scikit-learn suspects that they are numbers and no classes.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model = LogisticRegression(max_iter=1000).fit(features, labels)
    probabilities = np.zeros((len(pool), class_count))
    if len(pool):
        probabilities[:, model.classes_] = model.predict_proba(pool)
    return probabilities


def choose_typical(pool: np.ndarray, labelled: np.ndarray, count: int, seed: int) -> np.ndarray:
    """TypiClust: from the largest clusters without a label the picture that is most like others.

    Args:
        pool: Features (U, D).
        labelled: Features (L, D).
        count: Pictures to choose, at most U.
        seed: Of the clustering.

    Returns:
        Rows of the pool, int (count,), in the order in which they are worth labelling.

    Examples:
        >>> pool = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [0.0, 1.0]])
        >>> choose_typical(pool, labelled=np.empty((0, 2)), count=2, seed=0).tolist()
        [0, 3]
    """
    if count == 0:
        return np.empty(0, np.int64)
    vectors = scale_to_unit(np.concatenate([labelled, pool]))
    clusters = min(len(labelled) + count, MAX_CLUSTERS, len(np.unique(vectors, axis=0)))
    codes = _cluster(vectors, clusters, seed)
    taken = np.bincount(codes[: len(labelled)], minlength=clusters)
    codes, vectors = codes[len(labelled) :], vectors[len(labelled) :]
    members = [_rank_typical(vectors, np.flatnonzero(codes == code)) for code in range(clusters)]
    sizes = np.array([len(rows) for rows in members])
    left = [list(rows) for rows in members]
    chosen: list[int] = []
    while len(chosen) < count:
        code = min(
            (code for code in range(clusters) if left[code]),
            key=lambda code: (taken[code], -sizes[code], code),
        )
        chosen.append(left[code].pop(0))
        taken[code] += 1
    return np.array(chosen, np.int64)


def choose_doubtful(
    pool: np.ndarray, probabilities: np.ndarray, count: int, seed: int
) -> np.ndarray:
    """Pictures whose two most probable classes are nearest to each other, unlike one another.

    Of ``DIVERSITY`` times as many, clustered, the most doubtful of every cluster is taken.

    Args:
        pool: Features (U, D).
        probabilities: (U, C).
        count: Pictures to choose, at most U.
        seed: Of the clustering.

    Returns:
        Rows of the pool, int (count,), the most doubtful first.
    """
    ranked = np.sort(probabilities, axis=1)
    doubt = np.argsort(ranked[:, -1] - ranked[:, -2], kind="stable")
    if len(doubt) <= count:
        return doubt
    near = doubt[: DIVERSITY * count]
    vectors = scale_to_unit(pool[near])
    codes = _cluster(vectors, min(count, len(np.unique(vectors, axis=0))), seed)
    _, firsts = np.unique(codes, return_index=True)
    # Equal pictures make fewer clusters: the most doubtful of the rest fill the batch.
    rest = np.setdiff1d(np.arange(len(near)), firsts)[: count - len(firsts)]
    return near[np.sort(np.concatenate([firsts, rest]))]


def _cluster(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = KMeans if len(vectors) <= _MANY_ROWS else MiniBatchKMeans
    return kind(count, n_init=1, random_state=seed).fit_predict(vectors).astype(np.int64)


def _rank_typical(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of a cluster, that with the nearest neighbours first."""
    if len(rows) < 3:
        return rows
    here = vectors[rows[:_MOST_COMPARED]]
    distances = np.sqrt(np.maximum(2 - 2 * here @ here.T, 0))
    nearest = np.sort(distances, axis=1)[:, 1 : 1 + NEIGHBOURS]
    order = np.argsort(nearest.mean(axis=1), kind="stable")
    return np.concatenate([rows[order], rows[_MOST_COMPARED:]])
