"""JAX: where there is a GPU. An epoch is one compiled loop, over rows that stay on the device."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from graft.backends.backend import Accelerator, DrawnRows, Epochs
from graft.backends.jax_epochs import EpochRunner, list_values
from graft.progress import tell

# float32 is float32: by default a GPU would round what it multiplies to ten bits of mantissa, and
# a classifier would give other probabilities than on a processor. Who wants speed takes bfloat16.
jax.config.update("jax_default_matmul_precision", "highest")


def seed(seed: int) -> None:
    """Seed all generators that Keras draws from.

    ``keras.utils.set_random_seed`` would import TensorFlow, wherever there is one, to seed it too.
    """
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - Keras shuffles arrays by NumPy's global generator


def make_deterministic() -> None:
    """Nothing: XLA gives the same bits again on a processor.

    On a GPU its flag ``--xla_gpu_deterministic_ops`` has it do so, which is set before the first
    import (:mod:`graft.runtime`).
    """


def list_accelerators() -> list[Accelerator]:
    """The GPUs of this host."""
    return [
        # NVIDIA computes bfloat16 in hardware since compute capability 8.0.
        Accelerator(device.device_kind, float(getattr(device, "compute_capability", 0)) >= 8)
        for device in jax.local_devices()
        if device.platform == "gpu"
    ]


def describe_devices() -> str:
    """Kinds of the devices."""
    return str(sorted(device.device_kind for device in jax.local_devices()))


def count_threads() -> int:
    """0: JAX takes as many threads as there are processors."""
    return 0


def compile_forward(model: keras.Model, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
    """As of :class:`graft.backends.backend.Backend`."""
    variables = model.variables  # to ask for them takes as long as to pass a few pictures

    @jax.jit
    def forward(values: list, batch: jax.Array) -> jax.Array:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return model(batch, training=False)

    return lambda batch: np.array(forward(list_values(variables), batch))


def compile_function(
    function: Callable[..., Any], inputs: Sequence[tuple[tuple[int | None, ...], str]]
) -> Callable[..., np.ndarray]:
    """As of :class:`graft.backends.backend.Backend`; rows of any number must not mix.

    JAX compiles a function for every shape: rows of any number are filled up to a power of two.
    """
    compiled = jax.jit(function)
    is_open = [shape[0] is None for shape, _ in inputs]

    def run(*arrays: np.ndarray) -> np.ndarray:
        counts = {len(array) for array, is_any in zip(arrays, is_open, strict=True) if is_any}
        count = max(counts, default=0)
        filled = [
            _fill(np.asarray(array, dtype), 1 << max(count - 1, 0).bit_length()) if is_any
            else np.asarray(array, dtype)
            for array, is_any, (_, dtype) in zip(arrays, is_open, inputs, strict=True)
        ]  # fmt: skip
        found = np.array(compiled(*filled))
        return found[:count] if counts else found

    return run


def _fill(rows: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), rows.dtype)])


def compile_gradient(
    network: keras.Model,
    score: Callable[..., Any],
    finish: Callable[..., Any],
    inputs: Sequence[tuple[tuple[int, ...], str]],
) -> Callable[..., np.ndarray]:
    """As of :class:`graft.backends.backend.Backend`.

    JAX differentiates by arguments of a function, and the inner tensor is none. So nothing is
    added to it, and the score differentiated by that nothing.
    """
    inner = network.outputs[0]
    operation = inner._keras_history.operation
    variables = network.variables

    def pass_through(first: jax.Array, nothing: jax.Array) -> Any:
        def add_nothing(one: keras.Operation) -> Callable[..., Any]:
            if one is not operation:
                return one
            return lambda *given, **options: one(*given, **options) + nothing

        return network._run_through_graph(first, operation_fn=add_nothing)

    @jax.jit
    def measure(values: list, first: jax.Array, *others: jax.Array) -> jax.Array:
        def add_up(nothing: jax.Array) -> tuple[jax.Array, jax.Array]:
            found, output = pass_through(first, nothing)
            # Rows do not mix: the gradient of the sum holds that of every row.
            return score(output, *others).sum(), found

        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            nothing = jnp.zeros((first.shape[0], *inner.shape[1:]), inner.dtype)
            gradient, found = jax.grad(add_up, has_aux=True)(nothing)
            return finish(found, gradient)

    kinds = [dtype for _, dtype in inputs]

    def run(*arrays: np.ndarray) -> np.ndarray:
        # Class indices are of 64 bits elsewhere; JAX has 32 unless it is told otherwise.
        given = [
            array.astype("int32" if kind == "int64" else kind)
            for array, kind in zip(arrays, kinds, strict=True)
        ]
        return np.array(measure(list_values(variables), *given))

    return run


def open_scope(model: keras.Model) -> AbstractContextManager[Any]:
    """As of :class:`graft.backends.backend.Backend`."""
    return nullcontext()


def count_replicas(model: keras.Model) -> int:
    """One: see :func:`copy_to_devices`."""
    return 1


def copy_to_devices(model: keras.Model, devices: Sequence[str] | None = None) -> keras.Model:
    """The model itself: with JAX one device trains it, and the others are told to have no work."""
    count = len(list_accelerators())
    if count > 1:
        tell("Devices", "1 of %d GPUs trains; with TensorFlow all of them would", count)
    return model


def run_epochs(
    model: keras.Model,
    train: DrawnRows,
    dev: DrawnRows | None,
    epochs: Epochs,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """As of :class:`graft.backends.backend.Backend`.

    What Keras' ``fit`` does, but that all steps between two calls of a callback are one compiled
    loop: of an epoch, unless a callback looks at single steps.
    """
    EpochRunner(model, train, dev, epochs, callbacks).run()


def repeat_batches(
    inputs: np.ndarray, labels: np.ndarray, batch_size: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As of :class:`graft.backends.backend.Backend`."""
    drawn = np.random.default_rng(seed)
    waiting = np.empty(0, np.int64)
    while True:
        while len(waiting) < batch_size:
            waiting = np.concatenate([waiting, drawn.permutation(len(labels))])
        rows, waiting = waiting[:batch_size], waiting[batch_size:]
        yield inputs[rows], labels[rows]


def compile_steps(
    measure: Callable[..., Any],
    finish: Callable[..., Any],
    optimizer: keras.optimizers.Optimizer,
    variables: list[keras.Variable],
) -> Callable[[Sequence[np.ndarray], Sequence[Any]], np.ndarray]:
    """As of :class:`graft.backends.backend.Backend`."""

    @jax.jit
    def run_steps(state: tuple[list, list], arrays: tuple, constants: tuple) -> Any:
        def take_step(state: tuple[list, list], parts: tuple) -> tuple[tuple[list, list], None]:
            values, own = state
            gradients = jax.grad(measure)(values, *parts, *constants)
            values, own = optimizer.stateless_apply(own, gradients, values)
            return (values, own), None

        state, _ = jax.lax.scan(take_step, state, arrays)
        return state, finish(state[0], *constants)

    def run(arrays: Sequence[np.ndarray], constants: Sequence[Any]) -> np.ndarray:
        state = list_values(variables), list_values(optimizer.variables)
        (values, own), found = run_steps(state, tuple(arrays), tuple(constants))
        for variable, value in zip(
            [*variables, *optimizer.variables], [*values, *own], strict=True
        ):
            variable.assign(value)
        return np.array(found)

    return run
