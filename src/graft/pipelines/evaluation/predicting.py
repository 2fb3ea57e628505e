"""Nodes of the evaluation stage that classify."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from graft.analysis.log_loss import measure_log_loss
from graft.analysis.predictions import check_probabilities
from graft.compute.known_rows import TracedRows, copy_known, find_known, trace_results
from graft.compute.streams import RowStream, copy_rows
from graft.images.colours import copy_pictures
from graft.pipelines.evaluation.parameters import TrainSampleParameters
from graft.progress import track
from graft.types import KerasModel


def list_measured(splits: pd.DataFrame, parameters: TrainSampleParameters) -> np.ndarray:
    """Rows of train_dev, dev and test and of a random sample of train, in order, int (n,).

    The error on train is one step of a error_breakdown and needs no more pictures than the others; a pass
    of all pictures of train through a fine-tuned network may cost as much as an epoch. Drawn are
    those with the smallest salted hash: a few new pictures change the sample by a few.
    """
    train = np.flatnonzero(splits["split"] == "train")
    salted = [f"{parameters.seed} {content}" for content in splits["sha256"].iloc[train]]
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in salted]
    drawn = train[np.argsort(hashes, kind="stable")[: parameters.pictures]]
    held_out = np.flatnonzero(splits["split"].isin(["train_dev", "dev", "test"]))
    return np.sort(np.concatenate([drawn, held_out]))


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
    previous_measured_activations: TracedRows | None,
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


FINE_TUNED = "fine_tuned"


def predict_from_pictures(
    fine_tuned_classifier: KerasModel,
    fine_tuning_history: pd.DataFrame,
    measured_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
) -> pd.DataFrame:
    """Classify the held-out pictures and some of train with the fine-tuned classifier.

    Returns:
        ``fine_tuned_predictions``, with the columns of ``frozen_predictions`` and in the order of
        ``splits``; no row if nothing was fine-tuned.
    """
    rows = list_tuned(splits, fine_tuning_history, parameters)
    probabilities = classify_measured(fine_tuned_classifier, measured_activations, images, rows)
    return tabulate_predictions(FINE_TUNED, splits.iloc[rows], probabilities, class_names)


def tabulate_predictions(
    model: str, pictures: pd.DataFrame, probabilities: np.ndarray, class_names: list[str]
) -> pd.DataFrame:
    """Predictions of a model as a table, a row a picture, with a probability column a class."""
    table = pictures[["image_id", "split", "label"]].reset_index(drop=True)
    table.insert(2, "model", model)
    table["predicted"] = np.array(class_names)[probabilities.argmax(axis=1)]
    columns = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in class_names])
    return table.join(columns).astype({"split": "str", "model": "str", "predicted": "str"})


def collect_predictions(
    frozen_predictions: pd.DataFrame,
    fine_tuned_predictions: pd.DataFrame,
    from_scratch_predictions: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Put the predictions of all models together, and choose the better model by dev.

    Returns:
        ``predictions``: of all models on held-out pictures. ``chosen_predictions``: of the model
        with the lower log loss on dev; the earlier one in this order if they are equal.
        ``train_predictions``: of all models on the same pictures of train.

    Raises:
        GraftError: If a model's outputs are no probabilities.
    """
    tables = [frozen_predictions, fine_tuned_predictions, from_scratch_predictions]
    tables = [table for table in tables if len(table)]
    for table in tables:
        name = table["model"].iloc[0].replace("_", "-")
        probabilities = table.filter(regex="^probability_").to_numpy(np.float64)
        check_probabilities(probabilities, f"the {name} classifier", table["image_id"].tolist())
    everything = pd.concat(tables, ignore_index=True)
    is_train = everything["split"] == "train"
    predictions = everything[~is_train].reset_index(drop=True)
    chosen = min(tables, key=measure_dev_loss)["model"].iloc[0]
    return (
        predictions,
        predictions[predictions["model"] == chosen].reset_index(drop=True),
        everything[is_train].reset_index(drop=True),
    )


def measure_dev_loss(predictions: pd.DataFrame) -> float:
    """Log loss on dev, the figure of ``metrics.json``; infinite without rows."""
    dev = predictions[predictions["split"] == "dev"]
    if dev.empty:
        return float("inf")
    probabilities = dev.filter(regex="^probability_")
    labels = probabilities.columns.get_indexer([f"probability_{name}" for name in dev["label"]])
    return measure_log_loss(labels, probabilities.to_numpy(np.float64))


FROM_SCRATCH = "from_scratch"
_PICTURES_A_BATCH = 64


def predict_from_scratch(
    trained_classifier: KerasModel,
    training_history: pd.DataFrame,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
) -> pd.DataFrame:
    """Classify the held-out pictures and some of train with the network from scratch.

    Returns:
        ``from_scratch_predictions``, with the columns of ``frozen_predictions`` and in the order
        of ``splits``; no row if no network was trained.
    """
    from graft.training.views import classify_batches

    rows = list_measured(splits, parameters)
    if training_history.empty:
        rows = rows[:0]
    batches = classify_batches(
        trained_classifier, partial(copy_rows, images), rows, _PICTURES_A_BATCH
    )
    told = track(batches, len(rows), "predicting", "pictures", step=_PICTURES_A_BATCH)
    probabilities = np.concatenate([np.zeros((0, len(class_names)), np.float32), *told])
    return tabulate_predictions(FROM_SCRATCH, splits.iloc[rows], probabilities, class_names)
