"""TensorFlow: the default, and the only backend that exports."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from graft.backends.backend import Accelerator, DrawnRows, Epochs, Rows
from graft.progress import tell

tf.get_logger().setLevel("ERROR")
_INDICES = tf.TensorSpec((None,), tf.int64)


def seed(seed: int) -> None:
    """Seed all generators that Keras draws from."""
    keras.utils.set_random_seed(seed)


def make_deterministic() -> None:
    """Replace operations whose result depends on the order of threads by ordered ones."""
    tf.config.experimental.enable_op_determinism()


def list_accelerators() -> list[Accelerator]:
    """The GPUs of this host.

    Nothing is set here: TensorFlow has taken them with the first network that was loaded. That
    it takes their memory as it is needed is said where the package is first imported.
    """
    found = []
    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        # NVIDIA computes bfloat16 in hardware since compute capability 8.0.
        is_quick = details.get("compute_capability", (0,)) >= (8,)
        found.append(Accelerator(details.get("device_name", "GPU"), is_quick))
    return found


def describe_devices() -> str:
    """Kinds of the devices."""
    return str(sorted(device.device_type for device in tf.config.list_physical_devices()))


def count_threads() -> int:
    """Threads that an operation was limited to; 0 for no limit."""
    return int(tf.config.threading.get_intra_op_parallelism_threads())


def compile_forward(model: keras.Model, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
    """As of :class:`graft.backends.backend.Backend`."""
    # A later run may load the model that an earlier one built, and seed nothing.
    make_deterministic()
    signature = tf.TensorSpec((batch_size, *model.input_shape[1:]), model.inputs[0].dtype)
    forward = tf.function(
        lambda batch: model(batch, training=False), input_signature=[signature], autograph=False
    )
    return lambda batch: forward(tf.convert_to_tensor(batch)).numpy()


def compile_function(
    function: Callable[..., Any], inputs: Sequence[tuple[tuple[int | None, ...], str]]
) -> Callable[..., np.ndarray]:
    """As of :class:`graft.backends.backend.Backend`."""
    traced = tf.function(
        function,
        input_signature=[tf.TensorSpec(shape, dtype) for shape, dtype in inputs],
        autograph=False,
    )
    return lambda *arrays: traced(*map(tf.convert_to_tensor, arrays)).numpy()


def compile_gradient(
    network: keras.Model,
    score: Callable[..., Any],
    finish: Callable[..., Any],
    inputs: Sequence[tuple[tuple[int, ...], str]],
) -> Callable[..., np.ndarray]:
    """As of :class:`graft.backends.backend.Backend`."""
    make_deterministic()

    def trace(first: tf.Tensor, *others: tf.Tensor) -> tf.Tensor:
        return trace_gradient(network, score, finish, first, *others)

    return compile_function(trace, inputs)


def trace_gradient(
    network: keras.Model,
    score: Callable[..., Any],
    finish: Callable[..., Any],
    first: tf.Tensor,
    *others: tf.Tensor,
) -> tf.Tensor:
    """The operations of :func:`compile_gradient`, within a graph."""
    inner, output = network(first, training=False)
    # Rows do not mix: the gradient of the sum holds that of every row.
    (gradient,) = tf.gradients(score(output, *others), [inner])
    return finish(inner, gradient)


def open_scope(model: keras.Model) -> AbstractContextManager[Any]:
    """As of :class:`graft.backends.backend.Backend`."""
    scope: AbstractContextManager[Any] = model.distribute_strategy.scope()
    return scope


def count_replicas(model: keras.Model) -> int:
    """Devices that train a model together."""
    return int(model.distribute_strategy.num_replicas_in_sync)


def copy_to_devices(model: keras.Model, devices: Sequence[str] | None = None) -> keras.Model:
    """A copy of a model with the same weights on all GPUs; the model itself if there are not two.

    Its trained weights come back with ``model.set_weights(copy.get_weights())``.

    Args:
        model: Not compiled.
        devices: Names of logical devices to use in place of the GPUs.
    """
    names = devices or [device.name for device in tf.config.list_logical_devices("GPU")]
    if len(names) < 2:
        return model
    tell("Devices", "%d, a share of every batch on each", len(names))
    with _spread_over(tuple(names)).scope():
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    for mine, other in zip(copy._flatten_layers(), model._flatten_layers(), strict=True):
        if not isinstance(mine, keras.Model):
            mine.trainable = other.trainable
    return copy


@cache
def _spread_over(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """One for all trainings of this process.

    Each strategy numbers its exchanges between devices from 100 on, and TensorFlow remembers the
    shapes of a number: the second training of a race, of another depth, would end with the first
    one's.
    """
    return tf.distribute.MirroredStrategy(list(devices))


def run_epochs(
    model: keras.Model,
    train: DrawnRows,
    dev: DrawnRows | None,
    epochs: Epochs,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """As of :class:`graft.backends.backend.Backend`."""
    measured = {}
    if dev is not None:
        measured = {
            "validation_data": batch_in_order(dev, epochs.dev_rows, epochs.planned),
            "validation_steps": math.ceil(dev.row_count / epochs.dev_rows),
        }
    batches, replicas = shuffle_batches(train, epochs), count_replicas(model)
    model.fit(
        batches if replicas == 1 else _even_out(batches, replicas),
        epochs=epochs.last,
        initial_epoch=epochs.first,
        steps_per_epoch=math.ceil(train.row_count / epochs.batch_size),
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
        **measured,
    )


def shuffle_batches(source: DrawnRows, epochs: Epochs) -> tf.data.Dataset:
    """Training batches of all epochs from the first one on, one after the other.

    The last batch of an epoch may be shorter; no batch reaches over its end.
    """
    # A training that has ended draws nothing, but Keras asks for a data set.
    first = min(epochs.first, epochs.planned - 1)
    return _batch_passes(source, epochs.draw_order, epochs.batch_size, range(first, epochs.planned))


def _even_out(batches: tf.data.Dataset, devices: int) -> tf.data.Dataset:
    """The same batches in even shares: as many rows for every device.

    The loss of a batch is the mean of the devices' means, in which a row of the smaller share
    would count for more. So a batch that cannot be divided gets rows that weigh nothing.
    """

    def fill_up(
        inputs: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        count = tf.shape(weights)[0]
        filled = count + -count % devices
        rows = tf.range(filled)
        is_real = rows < count
        # Their last row again, and no zeros: it is something that a network can be asked about.
        rows = tf.minimum(rows, count - 1)
        factor = tf.cast(filled / count, weights.dtype)
        weights = tf.where(is_real, tf.gather(weights, rows) * factor, 0)
        return tf.gather(inputs, rows), tf.gather(labels, rows), weights

    return batches.map(fill_up)


def batch_in_order(source: DrawnRows, batch_size: int, passes: int) -> tf.data.Dataset:
    """Batches of so many passes over all rows, each in their order, to measure on."""
    return _batch_passes(source, lambda _: None, batch_size, range(passes))


def _batch_passes(
    source: DrawnRows,
    make_random: Callable[[int], np.random.Generator | None],
    batch_size: int,
    passes: range,
) -> tf.data.Dataset:
    """One endless-looking data set: to start a new one each epoch costs more than a pass."""
    class_count = getattr(source, "class_count", 0)
    signature = (
        tf.TensorSpec((None, *source.input_shape), source.input_dtype),
        tf.TensorSpec((None, class_count), tf.float32) if class_count else _INDICES,
        tf.TensorSpec((None,), tf.float32),
    )

    @tf.autograph.experimental.do_not_convert
    def draw_pass(number: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_generator(
            lambda number: _lend_copies(source.draw(make_random(int(number)))),
            args=(number,),
            output_signature=signature,
        ).rebatch(batch_size)

    return tf.data.Dataset.range(passes.start, passes.stop).flat_map(draw_pass).prefetch(2)


def _lend_copies(pools: Iterator[Rows]) -> Iterator[Rows]:
    """Copies of pools, for TensorFlow to do with as it likes.

    It takes NumPy arrays that are aligned to 64 bytes as they are, believes that it owns them,
    and reuses their memory for results. A pool that is kept for the next pass would be changed.
    """
    for inputs, labels, weights in pools:
        yield np.array(inputs), np.array(labels), np.array(weights)


def repeat_batches(
    inputs: np.ndarray, labels: np.ndarray, batch_size: int, seed: int
) -> tf.data.Dataset:
    """As of :class:`graft.backends.backend.Backend`."""
    return (
        tf.data.Dataset.from_tensor_slices((inputs, labels))
        .shuffle(len(labels), seed=seed, reshuffle_each_iteration=True)
        .repeat()
        .batch(batch_size)
    )


def compile_steps(
    measure: Callable[..., Any],
    finish: Callable[..., Any],
    optimizer: keras.optimizers.Optimizer,
    variables: list[keras.Variable],
) -> Callable[[Sequence[np.ndarray], Sequence[Any]], np.ndarray]:
    """As of :class:`graft.backends.backend.Backend`."""

    @tf.function(autograph=False, jit_compile=True)
    def run_steps(arrays: tuple[tf.Tensor, ...], constants: tuple[tf.Tensor, ...]) -> tf.Tensor:
        values = [variable.value for variable in variables]

        def take_step(step: tf.Tensor) -> tuple[tf.Tensor]:
            with tf.GradientTape() as tape:
                loss = measure(values, *(array[step] for array in arrays), *constants)
            optimizer.apply(tape.gradient(loss, values), variables)
            return (step + 1,)

        count = tf.shape(arrays[0])[0]
        tf.while_loop(lambda step: step < count, take_step, (tf.constant(0),))
        return finish(values, *constants)

    def run(arrays: Sequence[np.ndarray], constants: Sequence[Any]) -> np.ndarray:
        # Heads are so small that a GPU would wait for its next step most of the time.
        with tf.device("CPU"):
            tensors = tuple(map(tf.constant, arrays))
            found: np.ndarray = run_steps(tensors, tuple(constants)).numpy()
        return found

    return run
