"""What is settled before anything is trained: mirroring, and how many passes a time is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from graft.analysis.mirroring import judge_mirroring
from graft.datasets.features import FeatureTable
from graft.fingerprints import hash_parts
from graft.images.colours import copy_pictures
from graft.parameters.fine_tuning import FineTuningParameters
from graft.pipelines.candidates import is_warm
from graft.pipelines.fine_tuning.pools import list_recipes, measure_load
from graft.pipelines.fine_tuning.telling import tell_budget, tell_mirroring
from graft.training.backup import Snapshot, TrainingBackup
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.training.tuning_recipes import Workload

# More pictures of dev than these make the answer no clearer.
_MOST = 1000


def settle_fine_tuning(
    backbone: KerasModel,
    head: KerasModel,
    features: FeatureTable,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    parameters: FineTuningParameters,
    starting_point: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Find what the parameters leave to be found: ``horizontal_flip: auto``, a budget in time.

    In a warm start it is as it was found for the champion, and no budget is spent.

    Returns:
        ``fine_tuning_settled``: ``mirroring``, see
        :func:`graft.analysis.mirroring.judge_mirroring`, empty where nobody asked; ``budget``
        with ``given`` and ``passes``, empty if it was given in passes.
    """
    if is_warm(starting_point):
        before = starting_point["recipe"] or {}
        return {"mirroring": before.get("mirroring", {}), "budget": {}}
    mirroring: dict[str, Any] = {}
    if parameters.augmentation.horizontal_flip == "auto" and augments(parameters):
        mirroring = _test_mirroring(
            backbone, head, features, images, splits, class_names, parameters
        )
        tell_mirroring(mirroring)
    budget: dict[str, Any] = {}
    if parameters.recipe == "auto" and parameters.budget_seconds is not None:
        budget = _turn_into_passes(backbone, images, splits, backup, parameters)
        tell_budget(budget)
    return {"mirroring": mirroring, "budget": budget}


def augments(parameters: FineTuningParameters) -> bool:
    """Whether any training that these parameters may lead to changes pictures."""
    if parameters.recipe == "custom":
        is_stored = parameters.activation_cache and parameters.unfreeze != "all"
        return parameters.views > 0 or not is_stored
    return any(
        recipe.augmentation > 0 and recipe.depth != "none"
        for recipe in list_recipes(parameters.recipe)
    )


def _test_mirroring(
    backbone: KerasModel,
    head: KerasModel,
    features: FeatureTable,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: FineTuningParameters,
) -> dict[str, Any]:
    from graft.models.inference import predict_rows

    dev = np.flatnonzero(splits["split"] == "dev")
    rows = dev[np.linspace(0, len(dev) - 1, min(_MOST, len(dev))).astype(np.int64)]
    labels = splits["label_index"].to_numpy(np.int64)[rows]
    batch = parameters.activation_batch_size

    def read_mirrored(some: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(copy_pictures(images, some)[:, :, ::-1])

    plain = features.read(splits["image_id"].iloc[rows])
    mirrored = predict_rows(backbone, read_mirrored, rows, batch)
    was_right, is_right = (
        predict_rows(head, given.__getitem__, np.arange(len(rows)), batch).argmax(axis=1) == labels
        for given in (plain, mirrored)
    )
    clusters = splits["cluster"].to_numpy()[rows]
    return judge_mirroring(was_right, is_right, labels, clusters, class_names)


def _turn_into_passes(
    backbone: KerasModel,
    images: np.ndarray,
    splits: pd.DataFrame,
    backup: TrainingBackup,
    parameters: FineTuningParameters,
) -> dict[str, Any]:
    """How many passes a time is worth: measured in the first run with that time, then kept.

    A race decides by passes alone, so that it is the same whenever it is run again.
    """
    from graft.training.tuning_recipes import find_passes

    load, recipes = measure_load(backbone, splits, parameters), list_recipes(parameters.recipe)
    name = hash_parts(parameters.budget, repr(load), *(recipe.name for recipe in recipes))
    store = backup.enter("budget")
    with store.hold():
        known = store.load_newest(name)
        if known is None:
            seconds = time_pass_of(backbone, images, splits, load)
            passes = find_passes(parameters.budget_seconds or 0.0, load, recipes, seconds)
            known = Snapshot(name, {"passes": passes}, {})
            store.finish(known)
    return {"given": parameters.budget, "passes": float(known.facts["passes"])}


def time_pass_of(
    backbone: KerasModel, images: np.ndarray, splits: pd.DataFrame, load: Workload
) -> float:
    """Seconds of a pass over the pictures to train on, measured now."""
    from graft.training.race import time_pass

    train = np.flatnonzero(splits["split"] == "train")
    return time_pass(backbone, partial(copy_pictures, images), train, load.batch_size)


def apply_settled(
    parameters: FineTuningParameters, settled: dict[str, Any]
) -> FineTuningParameters:
    """The parameters with all that was settled; what nobody asked is left out, not mirrored."""
    changes: dict[str, Any] = {}
    augmentation = parameters.augmentation
    if augmentation.horizontal_flip == "auto":
        flip = bool(settled["mirroring"].get("is_allowed", False))
        changes["augmentation"] = augmentation.model_copy(update={"horizontal_flip": flip})
    if settled["budget"]:
        changes["budget"] = settled["budget"]["passes"]
    elif isinstance(parameters.budget, str):
        # One recipe alone, which no budget keeps from being trained.
        changes["budget"] = FineTuningParameters.model_fields["budget"].default
    return parameters.model_copy(update=changes)
