"""Nodes of the few-shot stage."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.intervals import mean_interval
from graft.compute.streams import copy_rows
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.parameters.base import BackboneParameters
from graft.pipelines.few_shot.parameters import FewShotParameters
from graft.progress import track
from graft.reporting.report import render_page
from graft.reporting.training_figures import draw_few_shot
from graft.types import KerasModel

logger = logging.getLogger(__name__)


def learn_from_few_labels(
    features: FeatureTable,
    images: np.ndarray,
    splits: pd.DataFrame,
    backbone: BackboneParameters,
    parameters: FewShotParameters,
) -> pd.DataFrame:
    """Train on a few pictures a class, on frozen features and from scratch, again and again.

    Both see the same pictures of train in the same run and are measured on the whole of dev;
    the test split stays unseen. From scratch is the same network with random weights, trained
    whole.

    Returns:
        ``few_shot_results``: ``labels_per_class``, ``seed``, ``frozen`` and ``from_scratch``
        (accuracies on dev), a row a draw.

    Raises:
        GraftError: If a class has fewer pictures in train than are to be drawn.
    """
    from graft.training.devices import seed_everything

    _refuse_too_few(splits, max(parameters.label_counts))
    seed_everything(parameters.seed)
    labels = splits["label_index"].to_numpy(np.int64)
    dev = np.flatnonzero(splits["split"] == "dev")
    read = {
        "frozen": partial(copy_rows, features.read(splits["image_id"])),
        "from_scratch": partial(copy_pictures, images),
    }
    trainings = _prepare_trainings(features.dimension, int(labels.max()) + 1, backbone, parameters)
    draws = [
        (count, parameters.seed + repeat)
        for count in parameters.label_counts
        for repeat in range(parameters.repeats)
    ]
    rows = []
    for count, seed in track(draws, len(draws), "few-shot", "draws"):
        chosen = draw_few(splits, count, seed)
        scores: dict[str, float] = {"labels_per_class": count, "seed": seed}
        for way, training in trainings.items():
            training.train(
                read[way](chosen), labels[chosen], parameters.steps, parameters.batch_size, seed
            )
            predicted = training.classify(read[way](dev))
            scores[way] = float(np.mean(predicted == labels[dev]))
        rows.append(scores)
    return pd.DataFrame(rows)


def draw_few(splits: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """Rows of ``count`` random pictures of every class of train, int (count × C,)."""
    train = splits[splits["split"] == "train"]
    drawn = train.groupby("label_index").sample(count, random_state=seed)
    return splits.index.get_indexer(drawn.index)


def summarise_few_shot(results: pd.DataFrame, parameters: FewShotParameters) -> pd.DataFrame:
    """Mean and spread of both ways, and of their difference within each draw.

    Returns:
        ``few_shot_summary``, a row a number of labels: ``labels_per_class``, ``frozen``,
        ``frozen_std``, ``from_scratch``, ``from_scratch_std``, ``difference``,
        ``difference_low``, ``difference_high`` (Student's t interval over the draws).
    """
    rows = []
    for count, draws in results.groupby("labels_per_class"):
        difference = (draws["frozen"] - draws["from_scratch"]).to_numpy()
        low, high = mean_interval(difference, parameters.confidence)
        rows.append(
            {
                "labels_per_class": count,
                "frozen": draws["frozen"].mean(),
                "frozen_std": draws["frozen"].std(),
                "from_scratch": draws["from_scratch"].mean(),
                "from_scratch_std": draws["from_scratch"].std(),
                "difference": difference.mean(),
                "difference_low": low,
                "difference_high": high,
            }
        )
    summary = pd.DataFrame(rows)
    _log_summary(summary)
    return summary


def draw_few_shot_curve(few_shot_summary: pd.DataFrame) -> Figure:
    """Draw accuracy on dev against the number of labels a class."""
    return draw_few_shot(few_shot_summary)


def write_few_shot_report(
    few_shot_summary: pd.DataFrame,
    few_shot_curve: bytes,
    splits: pd.DataFrame,
    parameters: FewShotParameters,
) -> str:
    """Write the few-shot report: one HTML page."""
    return render_page(
        "few_shot.html",
        rows=few_shot_summary.to_dict("records"),
        curve=few_shot_curve,
        parameters=parameters,
        dev_count=int((splits["split"] == "dev").sum()),
    )


def _prepare_trainings(
    dimension: int, class_count: int, backbone: BackboneParameters, parameters: FewShotParameters
) -> dict[str, Any]:
    from graft.models.backbones import build_backbone
    from graft.models.heads import build_head, join_classifier
    from graft.training.heads_on_features import RepeatedTraining

    def build_head_for(inputs: int, seed: int) -> KerasModel:
        return build_head(inputs, class_count, parameters.dropout, parameters.weight_decay, seed)

    def build_from_scratch(seed: int) -> KerasModel:
        network = build_backbone(backbone.name, backbone.image_size, "random", seed)
        network.trainable = True
        return join_classifier(network, build_head_for(network.output_shape[-1], seed))

    ways: dict[str, Callable[[int], KerasModel]] = {
        "frozen": partial(build_head_for, dimension),
        "from_scratch": build_from_scratch,
    }
    return {way: RepeatedTraining(build, parameters.learning_rate) for way, build in ways.items()}


def _refuse_too_few(splits: pd.DataFrame, needed: int) -> None:
    sizes = splits.loc[splits["split"] == "train", "label"].value_counts()
    if sizes.min() < needed:
        raise GraftError(
            f"few_shot.label_counts asks for {needed} labels a class, but train has only "
            f"{sizes.min()} pictures of class '{sizes.idxmin()}'; allowed are 1 to {sizes.min()}"
        )


def _log_summary(summary: pd.DataFrame) -> None:
    logger.info("\nlabels a class   frozen   from scratch   difference (interval)")
    for row in summary.to_dict("records"):
        logger.info(
            "%14d   %6.3f   %12.3f   %+.3f (%+.3f to %+.3f)",
            row["labels_per_class"],
            row["frozen"],
            row["from_scratch"],
            row["difference"],
            row["difference_low"],
            row["difference_high"],
        )
