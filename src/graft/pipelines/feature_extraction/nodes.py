"""Nodes of the feature extraction stage."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd

from graft.datasets.features import FeatureBlock
from graft.images.colours import copy_pictures
from graft.parameters import BackboneParameters
from graft.pipelines.feature_extraction.parameters import FeatureExtractionParameters
from graft.progress import track
from graft.types import KerasModel

logger = logging.getLogger(__name__)


def build_backbone(parameters: BackboneParameters) -> KerasModel:
    """Build the pretrained network, preprocessing included.

    Returns:
        Model from (N, H, W, 3) uint8 to features (N, D) float32.

    Raises:
        GraftError: If the network is unknown or its weights are not to be had.
    """
    from graft.models.backbones import build_backbone as build
    from graft.models.runtime import seed_everything

    seed_everything(parameters.seed)
    backbone = build(
        parameters.name,
        parameters.image_size,
        parameters.weights,
        parameters.seed,
        parameters.match,
    )
    logger.info(
        "Backbone     %s, weights %s, %s parameters, %d features a picture",
        parameters.name,
        parameters.weights.rpartition("/")[2],
        f"{backbone.count_params():,}",
        backbone.output_shape[-1],
    )
    return backbone


def extract_features(
    backbone: KerasModel,
    images: np.ndarray,
    splits: pd.DataFrame,
    image_index: pd.DataFrame,
    parameters: FeatureExtractionParameters,
) -> Iterator[FeatureBlock]:
    """Pass every picture through the backbone, as a stream that holds a batch at a time.

    Returns:
        Blocks of ``features``, in the order of ``images``; view 0 is the picture itself.
    """
    hashes = image_index.set_index("image_id")["sha256"]
    keys = pd.DataFrame(
        {
            "image_id": splits["image_id"],
            "image_sha256": splits["image_id"].map(hashes),
            "view": np.zeros(len(splits), np.int16),
        }
    )
    return _extract_blocks(backbone, images, keys, parameters.batch_size)


def _extract_blocks(
    backbone: KerasModel, images: np.ndarray, keys: pd.DataFrame, batch_size: int
) -> Iterator[FeatureBlock]:
    from graft.models.inference import compile_forward

    forward = compile_forward(backbone, batch_size)
    starts = range(0, len(images), batch_size)
    for start in track(starts, len(images), "extracting", "pictures", step=batch_size):
        rows = slice(start, start + batch_size)
        yield FeatureBlock(keys[rows], forward(copy_pictures(images, rows)))
