"""Activations at the boundary as a stream of rows, in which what is known is taken over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from graft.fine_tuning_parameters import FineTuningParameters
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.blocks import RowStream
from graft.images.colours import copy_pictures
from graft.images.origins import TracedRows, copy_known, find_known, trace_results
from graft.progress import track
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.models.boundary import BoundaryPlan

# Plan, shape and dtype of what is stored, rows to compute, and the seconds they may take.
Tell = Callable[["BoundaryPlan", tuple[int, ...], str, int, "float | None"], None]


def stream_activations(
    trunk: KerasModel,
    plan: BoundaryPlan,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    former: TracedRows | None,
    parameters: FineTuningParameters,
    tell: Tell | None = None,
) -> RowStream:
    """Pass pictures and their views through the frozen blocks, as far as they are not known.

    Args:
        trunk: The frozen blocks.
        plan: Which pictures and views.
        images: All pictures.
        image_origins: Column ``origin``: what the rows of ``images`` were made of.
        splits: A row a picture.
        former: Activations stored before, of whatever plan; rows of the same pixels and blocks
            are taken over.
        parameters: Of augmentation, type and batches.
        tell: Called with what is to be done before it is.

    Returns:
        A stream that holds a batch at a time; it raises ``GraftError`` while it is stored if an
        activation is too large for its type.
    """
    from graft.models.augmentation import PictureAugmenter
    from graft.models.boundary import BoundaryRun

    run = BoundaryRun(
        trunk,
        partial(copy_pictures, images),
        splits["image_id"].to_numpy(),
        PictureAugmenter(parameters.augmentation, images.shape[1]),
        parameters.activation_batch_size,
        parameters.seed,
        parameters.activation_dtype,
    )
    shape = (len(plan), *trunk.output_shape[1:])
    origins = trace_views(plan, trunk, image_origins, parameters)
    known = former or TracedRows(np.empty((0, 0)), [])
    found = find_known(origins, known.origins)
    new = np.flatnonzero(found < 0)
    if tell is not None:
        seconds = run.measure_seconds(plan, new)
        tell(plan, shape, parameters.activation_dtype, len(new), seconds)
    computed = track(run.compute(plan, new), len(new), "storing", "views")
    rows = chain(copy_known(known, found), computed)
    return RowStream(shape, parameters.activation_dtype, rows, origins)


def trace_views(
    plan: BoundaryPlan,
    trunk: KerasModel,
    image_origins: pd.DataFrame,
    parameters: FineTuningParameters,
) -> list[str]:
    """Origins of the rows of a plan: pixels, network, and of a view how it is made.

    Args:
        plan: Which pictures and views.
        trunk: The frozen blocks.
        image_origins: Of the decoding stage.
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
    plain = trace_results(image_origins["origin"], forward)
    return [
        hash_parts(plain[picture], augmentation, int(number)) if number else plain[picture]
        for picture, number in zip(pictures, numbers, strict=True)
    ]
