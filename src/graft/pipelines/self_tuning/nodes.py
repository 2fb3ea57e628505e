"""Nodes of the fine-tuning on pictures without a label."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.choosing import Outcome, find_kept
from graft.analysis.predictions import measure_log_loss
from graft.analysis.self_training import TEACHER, beats, find_sure, sharpen
from graft.analysis.unlabelled_verdicts import Pool, Verdict, judge_student
from graft.datasets.features import FeatureTable
from graft.images.colours import copy_pictures, make_reader
from graft.parameters.fine_tuning import FineTuningParameters, find_settings
from graft.parameters.self_learning import SelfTrainingParameters
from graft.pipelines.unlabelled import choose_near
from graft.progress import tell
from graft.training.backup import TrainingBackup
from graft.types import KerasModel

STUDENT = "fine_tuned_student"
_BATCH = 64
_HEAD_ALONE = (
    "No fine-tuning learnt from pictures without a label: of all recipes the head alone was kept."
)


def tune_on_unlabelled(
    backbone: KerasModel,
    head: KerasModel,
    fine_tuned: KerasModel,
    fine_tuned_recipe: dict[str, Any],
    images: np.ndarray,
    features: FeatureTable,
    splits: pd.DataFrame,
    unlabelled_pixels: np.ndarray,
    unlabelled_features: FeatureTable,
    unlabelled_pictures: pd.DataFrame,
    backup: TrainingBackup,
    fine_tuning: FineTuningParameters,
    parameters: SelfTrainingParameters,
) -> tuple[KerasModel, pd.DataFrame, Verdict]:
    """Train a student by the recipe of the fine-tuned classifier, its teacher, on its answers too.

    The student begins where the teacher began. It learns the labels of train and the teacher's
    sharpened answers, those that are sure enough, which together weigh no more than the labels.
    Mixup is left out, for the answers are mixtures already. Dev decides between the two.

    Returns:
        ``self_tuned.classifier``: the student if it has more pictures of dev right, else the
        teacher. ``self_tuned.history``: of the student, a row an epoch; without rows if there was
        nothing to train.
        ``self_tuned.unlabelled_verdict``: see
        :func:`graft.analysis.unlabelled_verdicts.judge_student`.
    """
    from graft.models.freezing import cut_classifier
    from graft.models.inference import predict_rows
    from graft.training.devices import seed_everything
    from graft.training.soft_labels import Pictures, join_pictures
    from graft.training.tails import make_empty_history, train_tail
    from graft.training.views import FreshViews, ViewPools

    near, left_out = choose_near(
        features, unlabelled_features, unlabelled_pictures, splits, parameters
    )
    thought = np.empty((0, fine_tuned.output_shape[-1]))
    if len(near):
        read = make_reader(unlabelled_pixels, fine_tuned.input_shape[-1])
        thought = predict_rows(fine_tuned, read, near, _BATCH, "asking the teacher")
    train, dev = (np.flatnonzero(splits["split"] == split) for split in ("train", "dev"))
    labels = splits["label_index"].to_numpy(np.int64)
    is_sure = find_sure(thought, parameters.confidence)
    sure, shares = near[is_sure], sharpen(thought[is_sure])
    settings = _follow_teacher(fine_tuning, fine_tuned_recipe, backbone, len(train) + len(sure))
    classifiers, history = {TEACHER: fine_tuned}, make_empty_history()
    if len(sure) and settings.unfreeze != "none":
        seed_everything(settings.seed)
        cut = cut_classifier(backbone, head, settings.unfreeze)
        labelled = partial(copy_pictures, images)
        learnt = join_pictures(
            Pictures(labelled, train, np.eye(shares.shape[1])[labels[train]]),
            Pictures(partial(copy_pictures, unlabelled_pixels), sure, shares),
            images.shape[1],
            settings,
        )
        plain = FreshViews(labelled, dev, None)
        measured = ViewPools(plain, labels[dev], np.ones(len(dev), np.float32))
        history = train_tail(cut, learnt, measured, settings, settings.layer_decay, backup)
        history["kept"] = np.arange(len(history)) == find_kept(history, settings.keep)
        classifiers[STUDENT] = cut.whole
    outcomes = {
        way: _judge(one, images, dev, labels[dev], float(way != TEACHER))
        for way, one in classifiers.items()
    }
    student = [*outcomes][-1]
    chosen = student if beats(outcomes[student], outcomes[TEACHER]) else TEACHER
    pool = Pool(len(sure), left_out, int((~is_sure).sum()))
    clusters = splits["cluster"].to_numpy()[dev]
    verdict = judge_student(outcomes, chosen, TEACHER, student, pool, clusters)
    if settings.unfreeze == "none":
        verdict["sentence"] = _HEAD_ALONE
    tell("Self-tuned", str(verdict["sentence"]))
    return classifiers[chosen], history, verdict


def _follow_teacher(
    fine_tuning: FineTuningParameters,
    fine_tuned_recipe: dict[str, Any],
    backbone: KerasModel,
    pictures: int,
) -> FineTuningParameters:
    """The parameters of the teacher's training, as its recipe has them for so many pictures."""
    from graft.models.blocks import find_blocks
    from graft.training.tuning_recipes import follow, get_recipe

    settings = find_settings(fine_tuning, fine_tuned_recipe)
    if fine_tuning.recipe == "custom" or settings.unfreeze == "none":
        return settings
    recipe = get_recipe(fine_tuned_recipe["recipe"])
    return follow(recipe, settings, pictures, len(find_blocks(backbone)))


def _judge(
    classifier: KerasModel, images: np.ndarray, rows: np.ndarray, labels: np.ndarray, cost: float
) -> Outcome:
    from graft.models.inference import predict_rows

    read = make_reader(images, classifier.input_shape[-1])
    probabilities = predict_rows(classifier, read, rows, _BATCH).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    return Outcome(right, measure_log_loss(labels, probabilities), cost)
