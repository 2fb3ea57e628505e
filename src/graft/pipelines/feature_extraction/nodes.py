"""Nodes of the feature extraction stage."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
import pandas as pd

from graft.compute.known_rows import find_known, trace_results
from graft.compute.shards import ShardStore
from graft.compute.spreading import Spread, map_rows, refuse_lost
from graft.datasets.features import FeatureBlock, FeatureTable
from graft.images.colours import lend_pictures
from graft.models.kept_exports import KeptExports
from graft.models.passes_elsewhere import SpreadPasses, find_file, write_network
from graft.parameters.base import BackboneParameters
from graft.parameters.compute import HERE, ComputeParameters
from graft.parameters.forward import AUTO, ForwardParameters
from graft.pipelines.feature_extraction.parameters import FeatureExtractionParameters
from graft.progress import tell, track
from graft.types import KerasModel

_ROWS_A_BLOCK = 2048


def build_backbone(parameters: BackboneParameters) -> KerasModel:
    """Build the pretrained network, preprocessing included.

    Returns:
        Model from (N, H, W, 3) uint8 to features (N, D) float32.

    Raises:
        GraftError: If the network is unknown or its weights are not to be had.
    """
    from graft.models.backbones import build_backbone as build
    from graft.training.devices import seed_everything

    seed_everything(parameters.seed)
    backbone = build(
        parameters.name,
        parameters.image_size,
        parameters.weights,
        parameters.seed,
        parameters.match,
    )
    tell(
        "Backbone",
        "%s, %s parameters, %s features a picture",
        parameters.name,
        f"{backbone.count_params():,}",
        f"{backbone.output_shape[-1]:,}",
    )
    tell("", "weights %s", parameters.weights.rpartition("/")[2])
    return backbone


def extract_features(
    backbone: KerasModel,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    image_index: pd.DataFrame,
    previous_features: FeatureTable | None,
    parameters: FeatureExtractionParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
    compute: ComputeParameters = HERE,
    feature_shards: ShardStore | None = None,
) -> Iterator[FeatureBlock]:
    """Pass every picture through the backbone, as a stream that holds a few of them at a time.

    A picture is known by what its pixels were made of: features that the last run made of the
    same pixels with the same network are taken over.

    Args:
        backbone: From pictures to features.
        images: Of the decoding stage.
        image_origins: Of the decoding stage: what the rows of ``images`` were made of.
        splits: Names the rows of ``images``.
        image_index: Columns ``image_id`` and ``sha256``.
        previous_features: What the last run made; None before the first.
        parameters: Size of a batch.
        forward: Which runtime passes them.
        exports: Where converted networks are kept.
        compute: Where pictures are passed.
        feature_shards: Where workers leave features, if there are any.

    Returns:
        Blocks of ``features``, in the order of ``images``; view 0 is the picture itself.
    """
    from graft.models.forward_passes import open_forward
    from graft.models.inference import pass_batches
    from graft.models.precision import choose_precision, clone_mixed

    if choose_precision(parameters.precision, "feature_extraction") != "float32":
        backbone = clone_mixed(backbone)
    hashes = image_index.set_index("image_id")["sha256"]
    keys = pd.DataFrame(
        {
            "image_id": splits["image_id"],
            "image_sha256": splits["image_id"].map(hashes),
            "view": np.zeros(len(splits), np.int16),
        }
    )
    passes = open_forward(
        backbone, partial(lend_pictures, images), np.arange(len(splits)), parameters.batch_size,
        forward.engine, exports,
    )  # fmt: skip
    origins = trace_results(image_origins["origin"], passes.identity)
    found = find_known(origins, previous_features.read_origins() if previous_features else [])
    if previous_features is not None:
        tell(
            "Features", "%s pictures computed, %s known",
            f"{(found < 0).sum():,}", f"{(found >= 0).sum():,}",
        )  # fmt: skip
    size = parameters.batch_size
    unknown = np.flatnonzero(found < 0)
    if compute.engine == "serial" or feature_shards is None:
        batches = (unknown[start : start + size] for start in range(0, len(unknown), size))
        made = pass_batches(passes.run, partial(lend_pictures, images), batches)
    else:
        file = find_file(images)
        extract = SpreadPasses(file, write_network(backbone, passes, size, feature_shards))
        spread = Spread(**compute.model_dump()).align(size)
        origins_of_unknown = [origins[row] for row in unknown]
        rows = map_rows(extract, unknown.tolist(), origins_of_unknown, spread, feature_shards)
        made = _gather(refuse_lost(rows, splits["image_id"].iloc[unknown].tolist()), size)
    tracked = track(made, len(unknown), "extracting", "pictures", step=size)
    blocks = _fill_blocks(backbone.output_shape[-1], tracked, previous_features, found)
    return (FeatureBlock(keys[rows], features, origins[rows]) for rows, features in blocks)


def _gather(rows: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    while some := list(islice(rows, size)):
        yield np.stack(some)


def _fill_blocks(
    dimension: int,
    made: Iterator[np.ndarray],
    previous: FeatureTable | None,
    found: np.ndarray,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows and their features: taken over where they are known, else as they come."""
    waiting = np.empty((0, dimension), np.float32)
    for start in range(0, len(found), _ROWS_A_BLOCK):
        rows = slice(start, min(start + _ROWS_A_BLOCK, len(found)))
        features = np.empty((rows.stop - rows.start, dimension), np.float32)
        known = found[rows] >= 0
        if previous is not None and known.any():
            features[known] = previous.read_rows(found[rows][known])
        new = np.flatnonzero(~known)
        while len(new):
            waiting = waiting if len(waiting) else next(made)
            count = min(len(new), len(waiting))
            features[new[:count]] = waiting[:count]
            new, waiting = new[count:], waiting[count:]
        yield rows, features
