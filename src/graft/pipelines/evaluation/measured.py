"""What the frozen blocks of the fine-tuned classifier give for the pictures that are measured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from graft.images.blocks import RowStream, copy_rows
from graft.images.colours import copy_pictures
from graft.images.origins import TracedRows, copy_known, find_known, trace_results
from graft.pipelines.evaluation.parameters import TrainSampleParameters
from graft.pipelines.evaluation.sampling import list_measured
from graft.progress import track
from graft.types import KerasModel

_BATCH = 32


def list_tuned(
    splits: pd.DataFrame, history: pd.DataFrame, parameters: TrainSampleParameters
) -> np.ndarray:
    """Rows of the pictures to classify; none if nothing was fine-tuned."""
    rows = list_measured(splits, parameters)
    return rows[:0] if history.empty else rows


def store_measured_activations(
    fine_tuned_classifier: KerasModel,
    fine_tuning_history: pd.DataFrame,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    former_measured_activations: TracedRows | None,
    parameters: TrainSampleParameters,
) -> RowStream | np.ndarray:
    """Pass the measured pictures through the blocks that fine-tuning has left as they were.

    These blocks give the same whatever was trained after them, so that a picture passes them
    once: what the last run made of the same pixels is taken over.

    Returns:
        ``measured_activations`` (n, …), float32, in the order of ``splits``; without rows if
        nothing was fine-tuned, or everything.
    """
    from graft.models.freezing import divide_tuned
    from graft.models.inference import identify_forward

    rows = list_tuned(splits, fine_tuning_history, parameters)
    trunk, _ = divide_tuned(fine_tuned_classifier)
    if trunk is None or not len(rows):
        return np.zeros((0, 1), np.float32)
    forward = identify_forward(trunk, _BATCH)
    origins = trace_results(image_origins["origin"].iloc[rows], forward)
    former = former_measured_activations or TracedRows(np.empty((0, 0)), [])
    found = find_known(origins, former.origins)
    return RowStream(
        shape=(len(rows), *trunk.output_shape[1:]),
        dtype="float32",
        rows=_chain_rows(trunk, images, rows, former, found),
        origins=origins,
    )


def _chain_rows(
    trunk: KerasModel, images: np.ndarray, rows: np.ndarray, former: TracedRows, found: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    from graft.models.inference import compile_forward

    yield from copy_known(former, found)
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
        rows: Of :func:`list_tuned`.
    """
    from graft.models.freezing import divide_tuned
    from graft.models.inference import compile_forward

    trunk, tail = divide_tuned(classifier)
    forward = compile_forward(tail, _BATCH)
    probabilities = np.zeros((len(rows), classifier.output_shape[-1]), np.float32)
    for start in range(0, len(rows), _BATCH):
        places = slice(start, start + _BATCH)
        if trunk is None:
            probabilities[places] = forward(copy_pictures(images, rows[places]))
        else:
            probabilities[places] = forward(copy_rows(activations, places))
    return probabilities
