"""Formats of TensorFlow: written from a SavedModel, and opened again."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

Run = Callable[[np.ndarray], list[np.ndarray]]


class LackingOperationError(Exception):
    """A network has an operation that a format lacks; the message is its name."""


def convert_to_litert(source: Path, calibration: np.ndarray | None) -> bytes:
    """Write a SavedModel as LiteRT.

    Args:
        source: Folder of the SavedModel.
        calibration: Pictures (n, H, W, channels) uint8, by which int8 finds the ranges of values;
            None keeps float32.

    Raises:
        LackingOperationError: If LiteRT lacks one of its operations.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(source))
    if calibration is not None:

        def list_inputs() -> Iterator[list[np.ndarray]]:
            yield from ([picture[np.newaxis]] for picture in calibration)

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = list_inputs
    try:
        content: bytes = converter.convert()
    except ConverterError as error:
        operation = re.search(r"tf\.(\w+)|fused\[\"(\w+)", str(error))
        what = next(filter(None, operation.groups())) if operation else "what it did not name"
        raise LackingOperationError(what) from error
    return content


def open_saved_model(place: Path) -> Run:
    """Open a SavedModel; it takes any number of pictures."""
    loaded = tf.saved_model.load(str(place))

    def run(pictures: np.ndarray) -> list[np.ndarray]:
        return [part.numpy() for part in tf.nest.flatten(loaded.serve(pictures))]

    return run


def open_litert(place: Path) -> Run:
    """Open a network of LiteRT; it takes any number of pictures."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(model_path=str(place))
    runner = interpreter.get_signature_runner()
    (argument,) = runner.get_input_details()
    names = sorted(runner.get_output_details())

    def run(pictures: np.ndarray) -> list[np.ndarray]:
        found = runner(**{argument: pictures})
        return [np.array(found[name]) for name in names]

    return run
