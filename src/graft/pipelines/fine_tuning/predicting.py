"""What the fine-tuned classifier says, without passing its frozen blocks twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from graft.compute.known_rows import TracedRows, copy_known, find_known, trace_results
from graft.compute.shards import ShardStore
from graft.compute.spreading import Spread, map_rows, refuse_lost
from graft.compute.streams import RowStream, lend_rows
from graft.images.colours import lend_pictures
from graft.models.kept_exports import KeptExports
from graft.models.passes_elsewhere import SpreadPasses, find_file, write_network
from graft.parameters.base import TrainSampleParameters
from graft.parameters.compute import HERE, ComputeParameters
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
    compute: ComputeParameters = HERE,
    measured_shards: ShardStore | None = None,
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
    new = np.flatnonzero(found < 0)
    made: Iterable[np.ndarray]
    if compute.engine == "serial" or measured_shards is None:
        made = _pass_here(passes, images, rows[new])
    else:
        network = write_network(trunk, passes, _BATCH, measured_shards)
        results = map_rows(
            SpreadPasses(find_file(images), network), rows[new].tolist(),
            [origins[row] for row in new], Spread(**compute.model_dump()).align(_BATCH),
            measured_shards,
        )  # fmt: skip
        made = refuse_lost(results, splits["image_id"].iloc[rows[new]].tolist())
    tracked = track(made, len(new), "predicting", "pictures")
    return RowStream(
        shape=(len(rows), *trunk.output_shape[1:]),
        dtype="float32",
        rows=chain(copy_known(previous, found), zip(new.tolist(), tracked, strict=True)),
        origins=origins,
    )


def _pass_here(passes: Forward, images: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _BATCH):
        yield from passes.run(lend_pictures(images, rows[start : start + _BATCH]))


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
