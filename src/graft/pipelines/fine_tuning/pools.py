"""What fine-tuning trains and measures on, and what that costs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from graft.compute.streams import copy_rows
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.parameters.fine_tuning import FineTuningParameters
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.models.freezing import CutBackbone, CutClassifier
    from graft.training.boundary import BoundaryPlan
    from graft.training.shuffling import BatchSource
    from graft.training.tuning_recipes import Recipe, Workload
    from graft.training.views import ViewReader

# Rows of ``splits`` to train and to measure on.
Sides = tuple[np.ndarray, np.ndarray]


def is_stored(cut: CutBackbone, parameters: FineTuningParameters) -> bool:
    """Whether the tail is trained on stored activations, and not the whole on pictures."""
    return bool(cut.frozen and cut.unfrozen and parameters.activation_cache)


def make_plan(splits: pd.DataFrame, parameters: FineTuningParameters) -> BoundaryPlan:
    """Which activations are stored; nothing of the test split is."""
    from graft.training.boundary import BoundaryPlan

    train, dev = (np.flatnonzero(splits["split"] == split) for split in ("train", "dev"))
    return BoundaryPlan(train, dev, parameters.views)


def make_pools(
    cut: CutClassifier,
    activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: FineTuningParameters,
    sides: Sides | None = None,
) -> tuple[BatchSource, BatchSource]:
    """What is trained and measured on, from stored activations or from pictures.

    Args:
        cut: The classifier, whose tail takes activations or the whole of which takes pictures.
        activations: ``boundary_activations``.
        images: Of the decoding stage.
        splits: A row a picture.
        class_names: By class index.
        parameters: Of the training.
        sides: Rows of ``splits`` to train and to measure on, of train and dev; None for these.

    Raises:
        GraftError: If the activations were stored with other parameters.
    """
    from graft.models.augmentation import PictureAugmenter, is_active
    from graft.training.losses import read_sample_weights, weigh_pictures
    from graft.training.mixup import MixedRows
    from graft.training.views import FreshViews, ViewPools

    plan = make_plan(splits, parameters)
    trained, measured = sides or (plan.train, plan.dev)
    train: ViewReader
    dev: ViewReader
    if is_stored(cut, parameters):
        _check_stored(activations, plan, cut)
        train = _read_stored(activations, plan, trained, 0 if sides else plan.views)
        dev = _read_stored(activations, plan, measured, 0)
    else:
        augmenter = PictureAugmenter(parameters.augmentation, images.shape[1])
        active = augmenter if is_active(parameters.augmentation) else None
        read = partial(copy_pictures, images)
        train, dev = FreshViews(read, trained, active), FreshViews(read, measured, None)
    labels = splits["label_index"].to_numpy(np.int64)
    weights = weigh_pictures(labels[trained], len(class_names), parameters.class_weights)
    if parameters.sample_weights is not None:
        weights = weights * read_sample_weights(
            splits.iloc[trained], parameters.sample_weights, parameters.stage
        )
    pools: BatchSource = ViewPools(train, labels[trained], weights, parameters.repeats)
    if parameters.mixup:
        pools = MixedRows(pools, parameters.mixup, len(class_names))
    return pools, ViewPools(dev, labels[measured], np.ones(len(measured), np.float32))


def _read_stored(
    activations: np.ndarray, plan: BoundaryPlan, rows: np.ndarray, views: int
) -> ViewReader:
    """The stored views of some pictures, as if they were stored one after another."""
    from graft.training.views import StoredViews

    step, pictures = 1 + plan.views, len(plan.train)
    first = np.full(1 + max(plan.train.max(), plan.dev.max()), -1)
    first[plan.train] = np.arange(pictures) * step
    first[plan.dev] = pictures * step + np.arange(len(plan.dev))
    places = (first[rows][:, None] + np.arange(1 + views)).ravel()
    return StoredViews(lambda some: copy_rows(activations, places[some]), 0, len(rows), views)


def _check_stored(activations: np.ndarray, plan: BoundaryPlan, cut: CutClassifier) -> None:
    expected = (len(plan), *cut.tail.input_shape[1:])
    if activations.shape != expected:
        raise GraftError(
            "the stored activations are of other parameters (unfreeze, views, image_size, "
            f"splits) than now; run --pipelines=fine_tuning as a whole; they should be {expected}; "
            f"got {activations.shape}"
        )


def list_recipes(name: str) -> list[Recipe]:
    """The recipes that may start: all, or the one of that name."""
    from graft.training.tuning_recipes import RECIPES

    return [recipe for recipe in RECIPES if name in ("auto", recipe.name)]


def find_stored_settings(
    backbone: KerasModel, splits: pd.DataFrame, parameters: FineTuningParameters
) -> FineTuningParameters:
    """The parameters of the recipe that trains on stored activations; of all, one does.

    If none does, those of a recipe for which nothing is stored.
    """
    from graft.training.tuning_recipes import follow

    load = measure_load(backbone, splits, parameters)
    recipes = list_recipes(parameters.recipe)
    stored = [recipe for recipe in recipes if load.is_first(recipe) and recipe.depth != "none"]
    recipe = stored[0] if stored else recipes[-1]
    return follow(recipe, parameters, load.pictures, len(load.shares))


def measure_load(
    backbone: KerasModel, splits: pd.DataFrame, parameters: FineTuningParameters
) -> Workload:
    """What a training of this backbone on these pictures costs."""
    from graft.models.blocks import find_blocks
    from graft.training.tuning_recipes import Workload

    works = [block.multiply_adds for block in find_blocks(backbone)]
    return Workload(
        pictures=int((splits["split"] == "train").sum()),
        dev=int((splits["split"] == "dev").sum()),
        batch_size=parameters.batch_size,
        shares=tuple(work / sum(works) for work in works),
        multiply_adds=sum(works),
        is_cached=parameters.activation_cache,
    )
