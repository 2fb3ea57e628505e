"""Which pictures to look at: confident mistakes, close hits, and pairs that are confused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from graft.errors import GraftError


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
