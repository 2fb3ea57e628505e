"""Which pictures to look at: confident mistakes, close hits, confused pairs, neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from graft.errors import GraftError


def find_nearest(
    queries: np.ndarray, blocks: Iterable[tuple[np.ndarray, np.ndarray]], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest vectors by the cosine of the angle between two, a block in memory at a time.

    Args:
        queries: float (q, D).
        blocks: Row numbers int (n,) and vectors float (n, D) of some rows at a time.
        count: So many of the nearest; all if there are fewer.

    Returns:
        Row numbers int64 (q, k) and similarities float64 (q, k), the nearest first. A vector of
        zeros has similarity 0 to all; of equally near rows the one that came first is first.

    Examples:
        >>> blocks = [(np.array([4, 7]), np.array([[0.0, 2.0], [3.0, 3.0]]))]
        >>> rows, similarities = find_nearest(np.array([[1.0, 0.0]]), blocks, 1)
        >>> rows.tolist(), similarities.round(3).tolist()
        ([[7]], [[0.707]])
    """
    wanted = _scale_to_unit(queries)
    rows = np.zeros((len(queries), 0), np.int64)
    similarities = np.zeros((len(queries), 0))
    for numbers, vectors in blocks:
        found = wanted @ _scale_to_unit(vectors).T
        similarities = np.concatenate([similarities, found], axis=1)
        rows = np.concatenate([rows, np.broadcast_to(numbers, found.shape)], axis=1)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :count]
        rows = np.take_along_axis(rows, order, axis=1)
        similarities = np.take_along_axis(similarities, order, axis=1)
    return rows, similarities


def _scale_to_unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def judge_pictures(predictions: pd.DataFrame, class_names: list[str]) -> pd.DataFrame:
    """What a model says of every picture, and how sure it is.

    Args:
        predictions: ``image_id``, ``label``, ``predicted`` and ``probability_<class>``.
        class_names: All classes.

    Returns:
        ``image_id``, ``label``, ``predicted``, ``probability`` (of the class predicted) and
        ``label_probability`` (of the right one), float64; rows as in ``predictions``.

    Raises:
        GraftError: If a probability is not a number.
    """
    names = pd.Index(class_names)
    columns = [f"probability_{name}" for name in class_names]
    probabilities = predictions[columns].to_numpy(np.float64)
    unknown = ~np.isfinite(probabilities).all(axis=1)
    if unknown.any():
        raise GraftError(
            "every probability must be a number; train the model again with a lower learning "
            f"rate; got {int(unknown.sum())} pictures without one, the first is "
            f"'{predictions['image_id'].to_numpy()[unknown.argmax()]}'"
        )
    rows = np.arange(len(predictions))
    judged = predictions[["image_id", "label", "predicted"]].reset_index(drop=True)
    judged["probability"] = probabilities[rows, names.get_indexer(predictions["predicted"])]
    judged["label_probability"] = probabilities[rows, names.get_indexer(predictions["label"])]
    return judged


def select_mistakes(judged: pd.DataFrame, limit: int) -> pd.DataFrame:
    """The wrong pictures, the most confident mistakes first.

    Args:
        judged: As of :func:`judge_pictures`.
        limit: At most so many.
    """
    wrong = judged[judged["label"] != judged["predicted"]]
    return wrong.sort_values(["probability", "image_id"], ascending=[False, True]).head(limit)


def select_close_hits(judged: pd.DataFrame, limit: int) -> pd.DataFrame:
    """The right pictures, the least confident first; arguments as of :func:`select_mistakes`."""
    right = judged[judged["label"] == judged["predicted"]]
    return right.sort_values(["probability", "image_id"]).head(limit)


def pair_confusions(judged: pd.DataFrame, limit: int, examples: int) -> list[dict[str, Any]]:
    """The pairs of classes that are confused most often, in both directions together.

    Args:
        judged: As of :func:`judge_pictures`.
        limit: At most so many pairs.
        examples: At most so many pictures of each.

    Returns:
        For each pair ``first`` and ``second`` class (in alphabetical order), ``count``,
        ``first_as_second`` and ``second_as_first`` (pictures taken for the other class),
        ``first_pictures`` and ``second_pictures`` (all of the class) and ``examples``, row names
        in ``judged`` of the most confident.
    """
    wrong = select_mistakes(judged, len(judged))
    sides = np.sort(wrong[["label", "predicted"]].to_numpy(str), axis=1)
    wrong = wrong.assign(first=sides[:, 0], second=sides[:, 1])
    supports = judged["label"].value_counts()
    pairs = []
    for (first, second), rows in wrong.groupby(["first", "second"]):
        taken = int((rows["label"] == first).sum())
        pairs.append(
            {
                "first": first,
                "second": second,
                "count": len(rows),
                "first_as_second": taken,
                "second_as_first": len(rows) - taken,
                "first_pictures": int(supports.get(first, 0)),
                "second_pictures": int(supports.get(second, 0)),
                "examples": rows.index[:examples].tolist(),
            }
        )
    return sorted(pairs, key=lambda pair: (-pair["count"], pair["first"], pair["second"]))[:limit]
