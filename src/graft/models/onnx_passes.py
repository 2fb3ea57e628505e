"""A network on ONNX Runtime, run picture by picture.

On a CPU ONNX Runtime passes pictures through MobileNetV2 or EfficientNet about twice as fast as
TensorFlow does. A picture is a pass of its own, on one thread; as many pass at once as there are
threads. So its output depends neither on its neighbours nor on the number of processors, and its
activations stay in the cache of one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np

from graft.backends.backend import load_backend
from graft.compute.streams import count_workers

Run = Callable[[np.ndarray], np.ndarray]
LIBRARIES = ("tf2onnx", "onnxruntime")


def find_missing_library() -> str | None:
    """The first library that is missing for this; None if all are there."""
    return next((name for name in LIBRARIES if not find_spec(name)), None)


def open_passes(content: bytes, output_shape: tuple[int, ...], threads: int | None = None) -> Run:
    """Open a network that :func:`graft.backends.onnx_conversion.convert_to_onnx` wrote.

    Args:
        content: The ONNX model.
        output_shape: Of one picture.
        threads: Pictures at a time; None for as many as the backend would have threads.

    Returns:
        Function from pictures (n, …) to float32 (n, …).

    Raises:
        Exception: Of a kind of ONNX Runtime's, if it does not take the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    count = threads or load_backend().count_threads() or count_workers()
    pool = ThreadPoolExecutor(count, "passes")

    def run_one(picture: np.ndarray) -> np.ndarray:
        found: np.ndarray = session.run(None, {given.name: picture[np.newaxis]})[0][0]
        return found

    def run(pictures: np.ndarray) -> np.ndarray:
        found = np.empty((len(pictures), *output_shape), np.float32)
        for place, output in enumerate(pool.map(run_one, pictures)):
            found[place] = output
        return found

    return run
