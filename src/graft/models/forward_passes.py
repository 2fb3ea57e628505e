"""What passes pictures through a network that is not being trained: Keras or ONNX Runtime.

Which one is decided by counts, never by a clock: the same pictures, network, parameters and
libraries give the same bytes. Whatever ONNX Runtime is given was compared with Keras first, on
pictures of this very run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np

from graft.backends.backend import load_backend
from graft.errors import GraftError
from graft.fingerprints import fingerprint_code, get_backend, hash_parts
from graft.models import inference
from graft.models.kept_exports import KeptExports
from graft.models.onnx_passes import Run, find_missing_library, open_passes
from graft.progress import tell

# Converting takes about 20 ms a layer and 0.4 s a million weights; a picture of 224 × 224 pixels
# gains 0.01 to 0.04 ms a layer (`python benchmarks/forward.py`).
_WORTH_PICTURES, _MORE_A_MILLION_WEIGHTS, _WORTH_SIDE = 600, 80, 224
_CHECKED = 8
_LARGEST_DIFFERENCE = 1e-5


@dataclass(frozen=True)
class Forward:
    """A network's forward pass.

    Attributes:
        engine: ``keras`` or ``onnx``.
        identity: Digest of all that its outputs are made of, but the inputs: where it is the same,
            so are the bits.
        run: From an array (n, …), n at most the size of a batch, to float32 (n, …).
        content: The network as an ONNX model; None on Keras.
    """

    engine: str
    identity: str
    run: Run
    content: bytes | None = None


class _RefusedError(Exception):
    """Why ONNX Runtime does not get a network."""


def open_forward(
    network: keras.Model,
    read: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
    batch_size: int,
    engine: str = "auto",
    exports: KeptExports | None = None,
) -> Forward:
    """Make ready what passes the rows through a network.

    Args:
        network: Any model of one input and one output.
        read: From row numbers to inputs; eight rows are read for the comparison.
        rows: Row numbers (n,) of all that is to have outputs, known ones among them: whether
            outputs are taken over must not change the engine.
        batch_size: Rows a forward pass of Keras.
        engine: ``keras``; ``onnx``; ``auto``, see :func:`choose_engine`.
        exports: Where converted networks are kept; None keeps none.

    Raises:
        GraftError: If ONNX Runtime was asked for by name and is not installed, or if the backend
            is not TensorFlow, which converts networks for it.
    """
    missing = find_missing_library()
    converts = get_backend() == "tensorflow"
    if engine == "onnx" and not converts:
        raise GraftError(
            "forward.engine onnx converts networks with TensorFlow; set the variable KERAS_BACKEND "
            "to tensorflow, or forward.engine to auto or keras; got "
            f"KERAS_BACKEND={get_backend()}"
        )
    if engine == "onnx" and missing:
        raise GraftError(
            "forward.engine onnx needs tf2onnx and ONNX Runtime; install them with `pip install -c "
            "constraints.txt -e '.[train]'`, or set forward.engine to auto or keras; got no module "
            f"'{missing}'"
        )
    if engine == "auto":
        engine = choose_engine(network, len(rows)) if converts and missing is None else "keras"
    if engine == "onnx" and len(rows):
        chosen = np.linspace(0, len(rows) - 1, min(_CHECKED, len(rows))).astype(np.int64)
        try:
            return _open_onnx(network, lambda: read(rows[chosen]), len(rows), exports)
        except _RefusedError as refused:
            tell("Engine", f"Keras, for ONNX Runtime {refused}")
    run = inference.compile_forward(network, batch_size)
    return Forward("keras", inference.identify_forward(network, batch_size), run)


def choose_engine(network: keras.Model, count: int) -> str:
    """``onnx`` where so many pictures pay for the conversion and there is no GPU, else ``keras``.

    What is gained grows with the pixels of a picture, and both this and what conversion takes with
    the number of layers; conversion takes longer the more weights there are.

    Args:
        network: Any model of one input.
        count: Number of pictures.
    """
    shape = network.input_shape[1:]
    if len(shape) != 3 or None in shape or load_backend().list_accelerators():
        return "keras"
    worth = _WORTH_PICTURES + _MORE_A_MILLION_WEIGHTS * network.count_params() / 10**6
    return "onnx" if count * math.prod(shape[:2]) >= worth * _WORTH_SIDE**2 else "keras"


def _open_onnx(
    network: keras.Model,
    read_sample: Callable[[], np.ndarray],
    count: int,
    exports: KeptExports | None,
) -> Forward:
    """The network on ONNX Runtime.

    Raises:
        _RefusedError: If it cannot be converted or loaded, or gives something else than Keras.
    """
    from graft.backends.onnx_conversion import convert_to_onnx

    name = hash_parts(fingerprint_code(convert_to_onnx), *inference.describe_network(network))
    started = time.perf_counter()
    make = partial(convert_to_onnx, network)
    try:
        content = make() if exports is None else exports.find(name, make)
        passes = open_passes(content, network.output_shape[1:])
    except Exception as error:  # the converter and ONNX Runtime have a kind for every fault
        raise _RefusedError(f"does not take '{network.name}' ({_shorten(error)})") from error
    seconds = time.perf_counter() - started
    pictures = read_sample().astype(network.inputs[0].dtype, copy=False)
    difference = measure_difference(network, passes, pictures)
    if not difference <= _LARGEST_DIFFERENCE:
        raise _RefusedError(
            f"gives something else than Keras on {len(pictures)} pictures of this run, by "
            f"{difference:.1g} of the largest output"
        )

    def run(rows: np.ndarray) -> np.ndarray:
        inference.refuse_other_shape(network, rows)
        return passes(rows)

    tell(
        "Engine",
        f"ONNX Runtime for {count:,} passes through '{network.name}': ready in {seconds:.1f} s, "
        f"within {difference:.0e} of Keras",
    )
    identity = hash_parts("onnx", name, inference.describe_processor())
    return Forward("onnx", identity, run, content)


def measure_difference(network: keras.Model, passes: Run, pictures: np.ndarray) -> float:
    """Largest difference of an output from Keras', as a share of the largest output."""
    from graft.backends.onnx_conversion import convert_quietly

    with convert_quietly():  # Keras counts how often a grouped convolution is traced
        expected = np.asarray(network(pictures, training=False))
    largest = float(np.abs(expected).max(initial=np.finfo(np.float32).tiny))
    return float(np.abs(passes(pictures) - expected).max(initial=0.0)) / largest


def _shorten(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:160]
