"""What the fine-tuned classifier says, without passing its frozen blocks twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from graft.compute.known_rows import TracedRows, copy_known, find_known, trace_results
from graft.compute.streams import RowStream, copy_rows
from graft.images.colours import copy_pictures
from graft.parameters.base import TrainSampleParameters
from graft.pipelines.candidates import list_measured, tabulate_predictions
from graft.progress import track
from graft.types import KerasModel

_BATCH = 32


def store_measured_activations(
    classifier: KerasModel,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    previous_measured_activations: TracedRows | None,
    parameters: TrainSampleParameters,
) -> RowStream | np.ndarray:
    """Pass the measured pictures through the blocks that fine-tuning has left as they were.

    These blocks give the same whatever was trained after them, so that a picture passes them
    once: what the last run made of the same pixels is taken over.

    Returns:
        ``measured_activations`` (n, …), float32, in the order of ``splits``; without rows if
        everything was fine-tuned.
    """
    from graft.models.freezing import divide_tuned
    from graft.models.inference import identify_forward

    rows = list_measured(splits, parameters)
    trunk, _ = divide_tuned(classifier)
    if trunk is None or not len(rows):
        return np.zeros((0, 1), np.float32)
    forward = identify_forward(trunk, _BATCH)
    origins = trace_results(image_origins["origin"].iloc[rows], forward)
    previous = previous_measured_activations or TracedRows(np.empty((0, 0)), [])
    found = find_known(origins, previous.origins)
    return RowStream(
        shape=(len(rows), *trunk.output_shape[1:]),
        dtype="float32",
        rows=_chain_rows(trunk, images, rows, previous, found),
        origins=origins,
    )


def _chain_rows(
    trunk: KerasModel, images: np.ndarray, rows: np.ndarray, previous: TracedRows, found: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    from graft.models.inference import compile_forward

    yield from copy_known(previous, found)
    forward, new = compile_forward(trunk, _BATCH), np.flatnonzero(found < 0)
    starts = range(0, len(new), _BATCH)
    for start in track(starts, len(new), "predicting", "pictures", step=_BATCH):
        some = new[start : start + _BATCH]
        yield from zip(some.tolist(), forward(copy_pictures(images, rows[some])), strict=True)


def classify_measured(
    classifier: KerasModel, activations: np.ndarray, images: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Probabilities (n, C), float32, of the pictures that are measured.

    Args:
        classifier: The fine-tuned one.
        activations: Of :func:`store_measured_activations`.
        images: Of the decoding stage; read only where there are no activations.
        rows: Of :func:`~graft.pipelines.candidates.list_measured`.
    """
    from graft.models.freezing import divide_tuned
    from graft.models.inference import predict_rows

    trunk, tail = divide_tuned(classifier)
    if trunk is None:
        return predict_rows(tail, partial(copy_pictures, images), rows, _BATCH)
    return predict_rows(tail, partial(copy_rows, activations), np.arange(len(rows)), _BATCH)


def predict_from_pictures(
    classifier: KerasModel,
    measured_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
) -> pd.DataFrame:
    """Classify the held-out pictures and some of train with the fine-tuned classifier.

    Returns:
        ``fine_tuned.predictions``, see :func:`~graft.pipelines.candidates.tabulate_predictions`.
    """
    rows = list_measured(splits, parameters)
    probabilities = classify_measured(classifier, measured_activations, images, rows)
    return tabulate_predictions(splits.iloc[rows], probabilities, class_names)
