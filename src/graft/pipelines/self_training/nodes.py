"""Nodes of the training on pictures without a label."""

from __future__ import annotations

import numpy as np
import pandas as pd

from graft.analysis.choosing import Outcome
from graft.analysis.clusters import has_few_clusters
from graft.analysis.self_training import (
    RIVAL,
    TEACHER,
    WAYS,
    Labelled,
    LinearClassifier,
    choose_way,
    judge_ways,
    judge_ways_on_folds,
)
from graft.analysis.unlabelled_verdicts import Pool, Verdict, judge_student
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.parameters.self_learning import SelfTrainingParameters
from graft.pipelines.unlabelled import choose_near
from graft.progress import tell
from graft.types import KerasModel


def train_on_unlabelled(
    features: FeatureTable,
    unlabelled_features: FeatureTable,
    unlabelled_pictures: pd.DataFrame,
    backbone: KerasModel,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: SelfTrainingParameters,
) -> tuple[KerasModel, KerasModel, pd.DataFrame, Verdict]:
    """Train a head on train and on pictures without a label, if dev says that these help.

    Returns:
        ``self_trained_head``: from features (N, D) to probabilities (N, C).
        ``self_trained.classifier``: the same from pictures (N, H, W, 3) uint8.
        ``self_trained.history``: a row, of the head as it ended, measured on train and dev.
        ``self_trained.unlabelled_verdict``: see
        :func:`graft.analysis.unlabelled_verdicts.judge_student`; the rival's way is the last.

    Raises:
        GraftError: If a class has no picture in train.
    """
    train, dev = (_read(features, splits, side) for side in ("train", "dev"))
    missing = sorted(set(range(len(class_names))) - set(train.labels.tolist()))
    if missing:
        raise GraftError(
            "a head can only be self-trained on classes with a picture in train; label some, or "
            "leave self_trained out of candidates; got none of "
            f"{', '.join(class_names[place] for place in missing)}"
        )
    rows, left_out = choose_near(
        features, unlabelled_features, unlabelled_pictures, splits, parameters
    )
    pool = unlabelled_features.read(unlabelled_pictures["image_id"].iloc[rows])
    judged, classifiers = judge_ways(train, dev, pool, len(class_names))
    measured_on, clusters = "dev", dev.clusters
    if has_few_clusters(dev.clusters):
        both = _read(features, splits, "train", "dev")
        on_folds = judge_ways_on_folds(
            both, pool, len(class_names), parameters.folds, parameters.seed
        )
        if on_folds:
            judged, measured_on, clusters = on_folds, "folds", both.clusters
    chosen, student = choose_way(judged), choose_way(judged, WAYS[1:])
    told = Pool(len(pool), left_out, measured_on=measured_on)
    verdict = judge_student(judged, chosen, TEACHER, student, told, clusters)
    _tell(judged, chosen, verdict)
    head, classifier = _build(classifiers[chosen], backbone)
    return head, classifier, _tabulate(classifiers[chosen], train, dev), verdict


def _read(features: FeatureTable, splits: pd.DataFrame, *sides: str) -> Labelled:
    own = splits[splits["split"].isin(sides)]
    return Labelled(
        features.read(own["image_id"]),
        own["label_index"].to_numpy(np.int64),
        own["cluster"].to_numpy(np.int64),
    )


def _build(found: LinearClassifier, backbone: KerasModel) -> tuple[KerasModel, KerasModel]:
    from graft.models.heads import build_head, join_classifier

    dimension, classes = found.kernel.shape
    head = build_head(dimension, classes, dropout=0.0, weight_decay=0.0, seed=0)
    head.set_weights([found.kernel.astype(np.float32), found.bias.astype(np.float32)])
    return head, join_classifier(backbone, head)


def _tabulate(found: LinearClassifier, train: Labelled, dev: Labelled) -> pd.DataFrame:
    from graft.analysis.predictions import measure_log_loss

    row: dict[str, object] = {"epoch": 1}
    for prefix, side in (("", train), ("dev_", dev)):
        probabilities = found.predict(side.features)
        row[f"{prefix}loss"] = measure_log_loss(side.labels, probabilities)
        row[f"{prefix}accuracy"] = float((probabilities.argmax(axis=1) == side.labels).mean())
    return pd.DataFrame([row])


def _tell(judged: dict[str, Outcome], chosen: str, verdict: Verdict) -> None:
    tell("Self-trained", str(verdict["sentence"]))
    ways = {chosen.replace("_", " "): chosen, "a stronger penalty alone": RIVAL}
    losses = [
        f"{name}: accuracy {judged[way].right.mean():.3f}, log loss {judged[way].log_loss:.3f}"
        for name, way in ways.items()
    ]
    tell("", "; ".join(losses))
