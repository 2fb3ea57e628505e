"""Nodes of the explanation stage: which pictures are wrong, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.mistakes import (
    find_nearest,
    judge_pictures,
    pair_confusions,
    select_close_hits,
    select_mistakes,
)
from graft.datasets.features import FeatureTable
from graft.images.colours import make_reader
from graft.pipelines.explanation.parameters import ExplanationParameters
from graft.reporting.error_figures import draw_explained
from graft.types import KerasModel


def select_pictures(
    chosen_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: ExplanationParameters,
) -> dict[str, Any]:
    """Choose the pictures of test to explain.

    Returns:
        ``picture_selection``: ``model``; ``test_pictures`` and ``wrong``, their numbers;
        ``pictures``, each with its row in ``images``; ``mistakes`` and ``hits``, places in
        ``pictures``; ``pairs``, see :func:`~graft.analysis.mistakes.pair_confusions`, with places
        as ``examples``; ``pair_count``, the number of all pairs that are confused.

    Raises:
        GraftError: If a probability is not a number.
    """
    test = chosen_predictions[chosen_predictions["split"] == "test"]
    judged = judge_pictures(test, class_names)
    mistakes = select_mistakes(judged, parameters.gallery_size)
    hits = select_close_hits(judged, parameters.close_hits)
    pairs = pair_confusions(judged, len(judged), parameters.pair_examples)
    shown = pairs[: parameters.pairs]
    examples = [number for pair in shown for number in pair["examples"]]
    numbers = list(dict.fromkeys([*mistakes.index, *hits.index, *examples]))
    place = {number: position for position, number in enumerate(numbers)}
    rows = pd.Series(np.arange(len(splits)), index=splits["image_id"])
    pictures = judged.loc[numbers].assign(row=rows.loc[judged.loc[numbers, "image_id"]].to_numpy())
    return {
        "model": str(chosen_predictions["model"].iloc[0]),
        "test_pictures": len(judged),
        "wrong": int((judged["label"] != judged["predicted"]).sum()),
        "pictures": pictures.to_dict("records"),
        "mistakes": [place[number] for number in mistakes.index],
        "hits": [place[number] for number in hits.index],
        "pairs": [{**pair, "examples": [place[n] for n in pair["examples"]]} for pair in shown],
        "pair_count": len(pairs),
    }


def draw_heat_maps(
    picture_selection: dict[str, Any],
    images: np.ndarray,
    class_names: list[str],
    chosen_classifier: KerasModel,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Find what speaks for the class that the chosen model gave, by Grad-CAM.

    Returns:
        ``heat_maps`` (n, h, w), uint8, in the order of the selection; (n, 0, 0) without a
        feature map. ``heat_map_layer``: ``layer``, ``height`` and ``width``; None each if there
        is none.
    """
    from graft.models.grad_cam import find_last_map, make_heat_maps

    pictures = picture_selection["pictures"]
    found = find_last_map(chosen_classifier)
    if found is None or not pictures:
        return np.zeros((len(pictures), 0, 0), np.uint8), {
            "layer": None, "height": None, "width": None
        }  # fmt: skip
    rows = np.array([picture["row"] for picture in pictures])
    read = make_reader(images, chosen_classifier.input_shape[-1])
    names = pd.Index(class_names)
    classes = names.get_indexer([picture["predicted"] for picture in pictures])
    height, width, _ = found.shape
    return make_heat_maps(found, read(rows), classes), {
        "layer": found.layer, "height": height, "width": width
    }  # fmt: skip


def explain_pictures(
    picture_selection: dict[str, Any],
    heat_map_layer: dict[str, Any],
    features: FeatureTable,
    splits: pd.DataFrame,
    parameters: ExplanationParameters,
) -> dict[str, Any]:
    """Put the nearest pictures of train beside each picture.

    Nearness is the cosine of the backbone's features, whichever model was chosen: cached
    features of augmented views do not count.

    Returns:
        ``explanations``: the selection; for every picture ``nearest``, a list of ``image_id``,
        ``row``, ``label`` and ``similarity``; ``heat_map``, the layer of the heat maps;
        ``agreeing``: of how many of the shown mistakes the nearest picture has the wrong class
        given (``predicted``), the right one (``label``), or a third (``other``).
    """
    pictures = picture_selection["pictures"]
    nearest = _find_nearest(features, splits, pictures, parameters.neighbours)
    explained = [
        {**picture, "nearest": near} for picture, near in zip(pictures, nearest, strict=True)
    ]
    return {
        **picture_selection,
        "pictures": explained,
        "heat_map": heat_map_layer,
        "agreeing": _count_agreeing([explained[n] for n in picture_selection["mistakes"]]),
    }


def _find_nearest(
    features: FeatureTable, splits: pd.DataFrame, pictures: list[dict[str, Any]], count: int
) -> list[list[dict[str, Any]]]:
    if not pictures or not count:
        return [[] for _ in pictures]
    queries = features.read([picture["image_id"] for picture in pictures])
    place = pd.Series(np.arange(len(splits)), index=splits["image_id"])
    train = splits.loc[splits["split"] == "train", "image_id"]
    # Place in `splits` of every row of the features that counts, -1 of all others.
    counted = np.full(len(features), -1)
    counted[features.find_rows(train)] = place.loc[train].to_numpy()
    blocks = (
        (counted[rows][counted[rows] >= 0], block[counted[rows] >= 0])
        for rows, block in features.read_blocks()
    )
    rows, similarities = find_nearest(queries, blocks, count)
    ids, labels = splits["image_id"].to_numpy(), splits["label"].to_numpy()
    return [
        [
            {"image_id": ids[row], "row": int(row), "label": labels[row], "similarity": float(near)}
            for row, near in zip(*found, strict=True)
        ]
        for found in zip(rows, similarities.round(4), strict=True)
    ]


def _count_agreeing(mistakes: list[dict[str, Any]]) -> dict[str, int]:
    counts = {"predicted": 0, "label": 0, "other": 0}
    for picture in mistakes:
        if picture["nearest"]:
            label = picture["nearest"][0]["label"]
            kinds = [kind for kind in ("predicted", "label") if picture[kind] == label]
            counts[[*kinds, "other"][0]] += 1
    return counts


def draw_explained_pictures(
    explanations: dict[str, Any], heat_maps: np.ndarray, images: np.ndarray
) -> Figure:
    """Draw the first of the explained pictures; the report has all of them."""
    return draw_explained(explanations, heat_maps, images)
