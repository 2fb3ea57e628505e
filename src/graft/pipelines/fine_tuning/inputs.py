"""What the fine-tuning is trained on: stored activations, or pictures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.fine_tuning_parameters import FineTuningParameters
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.blocks import copy_rows
from graft.images.colours import copy_pictures
from graft.images.origins import trace_rows
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.models.boundary import BoundaryPlan
    from graft.models.freezing import CutBackbone, CutClassifier
    from graft.models.view_pools import ViewPools


def is_stored(cut: CutBackbone, parameters: FineTuningParameters) -> bool:
    """Whether the tail is trained on stored activations, and not the whole on pictures."""
    return bool(cut.frozen and cut.unfrozen and parameters.activation_cache)


def make_plan(splits: pd.DataFrame, parameters: FineTuningParameters) -> BoundaryPlan:
    """Which activations are stored; nothing of the test split is."""
    from graft.models.boundary import BoundaryPlan

    train, dev = (np.flatnonzero(splits["split"] == split) for split in ("train", "dev"))
    return BoundaryPlan(train, dev, parameters.views)


def trace_views(
    plan: BoundaryPlan, trunk: KerasModel, images: np.ndarray, parameters: FineTuningParameters
) -> list[str]:
    """Origins of the rows of a plan: pixels, network, and of a view how it is made.

    Args:
        plan: Which pictures and views.
        trunk: The frozen blocks.
        images: Of the decoding stage.
        parameters: Of augmentation, type and batches.
    """
    from graft.models.augmentation import PictureAugmenter
    from graft.models.inference import identify_forward

    forward = hash_parts(
        identify_forward(trunk, parameters.activation_batch_size), parameters.activation_dtype
    )
    augmentation = hash_parts(
        fingerprint_code(PictureAugmenter),
        parameters.augmentation.model_dump_json(),
        parameters.seed,
    )
    pictures, numbers = plan.list_rows()
    plain = trace_rows(images, forward)
    return [
        hash_parts(plain[picture], augmentation, int(number)) if number else plain[picture]
        for picture, number in zip(pictures, numbers, strict=True)
    ]


def make_pools(
    cut: CutClassifier,
    activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: FineTuningParameters,
) -> tuple[ViewPools, ViewPools]:
    """The batches of train and dev, from stored activations or from pictures.

    Raises:
        GraftError: If the activations were stored with other parameters.
    """
    from graft.models.augmentation import PictureAugmenter, is_active
    from graft.models.class_weights import read_sample_weights, weigh_pictures
    from graft.models.view_pools import FreshViews, StoredViews, ViewPools, ViewReader

    plan = make_plan(splits, parameters)
    train: ViewReader
    dev: ViewReader
    if is_stored(cut, parameters):
        _check_stored(activations, plan, cut)
        read = partial(copy_rows, activations)
        train = StoredViews(read, 0, len(plan.train), plan.views)
        dev = StoredViews(read, len(plan) - len(plan.dev), len(plan.dev), views=0)
    else:
        augmenter = PictureAugmenter(parameters.augmentation, images.shape[1])
        active = augmenter if is_active(parameters.augmentation) else None
        read = partial(copy_pictures, images)
        train = FreshViews(read, plan.train, active)
        dev = FreshViews(read, plan.dev, None)
    labels = splits["label_index"].to_numpy(np.int64)
    weights = weigh_pictures(labels[plan.train], len(class_names), parameters.class_weights)
    if parameters.sample_weights is not None:
        weights = weights * read_sample_weights(
            splits.iloc[plan.train], parameters.sample_weights, parameters.stage
        )
    return (
        ViewPools(train, labels[plan.train], weights),
        ViewPools(dev, labels[plan.dev], np.ones(len(plan.dev), np.float32)),
    )


def _check_stored(activations: np.ndarray, plan: BoundaryPlan, cut: CutClassifier) -> None:
    expected = (len(plan), *cut.tail.input_shape[1:])
    if activations.shape != expected:
        raise GraftError(
            "the stored activations are of other parameters (unfreeze, views, image_size, "
            f"splits) than now; run --pipelines=fine_tuning as a whole; they should be {expected}; "
            f"got {activations.shape}"
        )
