"""Running a model forward, at the speed of the network and with reproducible bits."""

from __future__ import annotations

import os
import platform
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import keras
import numpy as np

from graft.backends.backend import load_backend
from graft.errors import GraftError
from graft.fingerprints import fingerprint_code, get_backend, hash_parts
from graft.progress import track

# An H200 passed 36,600 pictures a second with two of 512 pictures, 43,000 with four.
_ON_THEIR_WAY = 4


def compile_forward(model: keras.Model, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a model's forward pass for one fixed batch shape.

    A batch of another size would be a graph of its own, with other kernels and other last
    bits. Short batches are filled up with zeros and the answer cut, so a picture's output does
    not depend on what else is in the run. On some processors its last bits depend on its place in
    the batch.

    Args:
        model: Any model of one input and one output.
        batch_size: Rows a forward pass.

    Returns:
        Function from an array (n, …) with n ≤ ``batch_size`` to float32 (n, …). It raises
        ``GraftError`` if the rows are not of the shape that the model takes, as ``--force`` on
        what was made for another size of pictures would have it.
    """
    forward = load_backend().compile_forward(model, batch_size)

    def run(batch: np.ndarray) -> np.ndarray:
        refuse_other_shape(model, batch)
        missing = batch_size - len(batch)
        if missing:
            batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)])
        return forward(batch)[: batch_size - missing]

    return run


def refuse_other_shape(model: keras.Model, rows: np.ndarray) -> None:
    """Refuse rows (n, …) that a model does not take.

    Raises:
        GraftError: If they are of another shape.
    """
    wanted = tuple(model.input_shape[1:])
    sides = zip(wanted, rows.shape[1:], strict=False)
    fits = len(wanted) == rows.ndim - 1 and all(side in (None, given) for side, given in sides)
    if not fits:
        raise GraftError(
            f"'{model.name}' takes rows of shape {wanted}, and these were made for another network "
            "or size of pictures; make them again with `kedro run`, without --force; "
            f"got {rows.shape[1:]}"
        )


def pass_batches(
    run: Callable[[np.ndarray], np.ndarray],
    read: Callable[[np.ndarray], np.ndarray],
    batches: Iterable[np.ndarray],
) -> Iterator[np.ndarray]:
    """Outputs of batches, in their order.

    A GPU would wait while the next batch is read and sent to it, so some are on their way at a
    time; a processor has no hands left for that.

    Args:
        run: Passes a batch.
        read: From row numbers to inputs.
        batches: Row numbers of each batch.
    """
    batches = iter(batches)
    # What is compiled at the first one is compiled once, on this thread.
    alone = None if not load_backend().list_accelerators() else 1
    for batch in islice(batches, alone):
        yield run(read(batch))
    with ThreadPoolExecutor(_ON_THEIR_WAY, "passes") as pool:
        waiting: deque[Future[np.ndarray]] = deque()
        for batch in batches:
            waiting.append(pool.submit(lambda rows: run(read(rows)), batch))
            if len(waiting) > _ON_THEIR_WAY:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def predict_rows(
    model: keras.Model,
    read: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
    batch_size: int,
    task: str | None = None,
    forward: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Outputs (n, …), float32, of inputs that are read a batch at a time.

    Args:
        model: Any model of one input and one output.
        read: From row numbers to inputs; they are cast to what the model takes.
        rows: Row numbers (n,).
        batch_size: Rows a forward pass.
        task: What is told to take so long; None tells nothing.
        forward: What passes a batch through the model; None compiles it.
    """
    forward, dtype = forward or compile_forward(model, batch_size), model.inputs[0].dtype
    found = np.empty((len(rows), *model.output_shape[1:]), np.float32)
    starts = range(0, len(rows), batch_size)
    batches = (rows[start : start + batch_size] for start in starts)
    passed = pass_batches(forward, lambda some: read(some).astype(dtype, copy=False), batches)
    if task is not None:
        passed = track(passed, len(rows), task, "pictures", step=batch_size)
    for start, outputs in zip(starts, passed, strict=True):
        found[start : start + batch_size] = outputs
    return found


def identify_forward(model: keras.Model, batch_size: int) -> str:
    """Digest of all that the outputs of :func:`compile_forward` are made of, but the inputs.

    Weights and layers of the model, the size of a batch, the code, the versions of the
    libraries, the backend and its devices, and what the processor can do, for its kernels are
    chosen by it: where the digest is the same, so are the bits.

    Args:
        model: As given to :func:`compile_forward`.
        batch_size: As given there.

    Returns:
        SHA-256 in hexadecimal.
    """
    return hash_parts(
        fingerprint_code(compile_forward), batch_size, get_backend(),
        load_backend().describe_devices(), describe_processor(),
        os.environ.get("TF_ENABLE_ONEDNN_OPTS"), *describe_network(model),
    )  # fmt: skip


def describe_network(model: keras.Model) -> list[str | bytes]:
    """Layers and weights of a model, to be hashed."""
    weights = (
        part
        for weight in model.weights
        for part in (weight.path, weight.dtype, np.ascontiguousarray(weight.numpy()).tobytes())
    )
    return [model.to_json(), *weights]


def describe_processor() -> str:
    """Its extensions where Linux lists them (AVX-512 and the like), else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    listed = (line for line in lines if line.startswith(("flags", "Features")))
    return next(listed, f"{platform.machine()} {platform.processor()}")
