"""What the fine-tuned classifier says, without passing its frozen blocks twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from graft.compute.known_rows import TracedRows, copy_known, find_known, trace_results
from graft.compute.streams import RowStream, lend_rows
from graft.images.colours import lend_pictures
from graft.models.kept_exports import KeptExports
from graft.parameters.base import TrainSampleParameters
from graft.parameters.forward import AUTO, ForwardParameters
from graft.pipelines.candidates import list_measured, tabulate_predictions
from graft.progress import track
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.models.forward_passes import Forward

_BATCH = 32


def store_measured_activations(
    classifier: KerasModel,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    previous_measured_activations: TracedRows | None,
    parameters: TrainSampleParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
) -> RowStream | np.ndarray:
    """Pass the measured pictures through the blocks that fine-tuning has left as they were.

    These blocks give the same whatever was trained after them, so that a picture passes them
    once: what the last run made of the same pixels is taken over.

    Returns:
        ``measured_activations`` (n, …), float32, in the order of ``splits``; without rows if
        everything was fine-tuned.
    """
    from graft.models.forward_passes import open_forward
    from graft.models.freezing import divide_tuned

    rows = list_measured(splits, parameters)
    trunk, _ = divide_tuned(classifier)
    if trunk is None or not len(rows):
        return np.zeros((0, 1), np.float32)
    read = partial(lend_pictures, images)
    passes = open_forward(trunk, read, rows, _BATCH, forward.engine, exports)
    origins = trace_results(image_origins["origin"].iloc[rows], passes.identity)
    previous = previous_measured_activations or TracedRows(np.empty((0, 0)), [])
    found = find_known(origins, previous.origins)
    return RowStream(
        shape=(len(rows), *trunk.output_shape[1:]),
        dtype="float32",
        rows=_chain_rows(passes, images, rows, previous, found),
        origins=origins,
    )


def _chain_rows(
    passes: Forward, images: np.ndarray, rows: np.ndarray, previous: TracedRows, found: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    yield from copy_known(previous, found)
    new = np.flatnonzero(found < 0)
    starts = range(0, len(new), _BATCH)
    for start in track(starts, len(new), "predicting", "pictures", step=_BATCH):
        some = new[start : start + _BATCH]
        yield from zip(some.tolist(), passes.run(lend_pictures(images, rows[some])), strict=True)


def classify_measured(
    classifier: KerasModel,
    activations: np.ndarray,
    images: np.ndarray,
    rows: np.ndarray,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
) -> np.ndarray:
    """Probabilities (n, C), float32, of the pictures that are measured.

    Args:
        classifier: The fine-tuned one.
        activations: Of :func:`store_measured_activations`.
        images: Of the decoding stage; read only where there are no activations.
        rows: Of :func:`~graft.pipelines.candidates.list_measured`.
        forward: Which runtime passes pictures.
        exports: Where converted networks are kept.
    """
    from graft.models.forward_passes import open_forward
    from graft.models.freezing import divide_tuned
    from graft.models.inference import predict_rows

    trunk, tail = divide_tuned(classifier)
    if trunk is None:
        read = partial(lend_pictures, images)
        passes = open_forward(tail, read, rows, _BATCH, forward.engine, exports)
        return predict_rows(tail, read, rows, _BATCH, forward=passes.run)
    return predict_rows(tail, partial(lend_rows, activations), np.arange(len(rows)), _BATCH)


def predict_from_pictures(
    classifier: KerasModel,
    measured_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
) -> pd.DataFrame:
    """Classify the held-out pictures and some of train with the fine-tuned classifier.

    Returns:
        ``fine_tuned.predictions``, see :func:`~graft.pipelines.candidates.tabulate_predictions`.
    """
    rows = list_measured(splits, parameters)
    probabilities = classify_measured(
        classifier, measured_activations, images, rows, forward, exports
    )
    return tabulate_predictions(splits.iloc[rows], probabilities, class_names)
