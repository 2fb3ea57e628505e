"""Epochs on JAX: compiled loops over batches, of rows that stay on the device where they fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import keras
import numpy as np

from graft.backends.backend import DrawnRows, Epochs, HoldableRows

# Rows that do not stay on the device are sent to it so many bytes at a time.
_CHUNK_BYTES = 256 << 20
_HELD_SHARE, _HELD_BYTES = 0.4, 256 << 20
_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")

_ARGUMENT = "argument"

Arrays = dict[str, np.ndarray]
Change = Callable[..., Any]
# Trainable variables, others, the optimizer's, the metrics'.
State = tuple[list, list, list, list]


def list_values(variables: Iterable[Any]) -> list[jax.Array]:
    """What variables hold now."""
    return [variable.value for variable in variables]


@dataclass(frozen=True)
class Chunk:
    """Steps that follow each other without a look at them.

    Attributes:
        arrays: ``labels``, ``weights`` and ``counts`` (rows that are none of padding), and either
            ``inputs`` or ``rows`` and what changes these; all (steps, …).
        steps: Number of steps; the arrays may be longer.
    """

    arrays: Arrays
    steps: int


class Held:
    """Rows of a source that stay on the device.

    Args:
        inputs: Array (N, …).
        source: Lays them out.
    """

    def __init__(self, inputs: np.ndarray, source: HoldableRows) -> None:
        self.inputs = jax.device_put(inputs)
        self._source = source

    def cut(
        self, random: np.random.Generator | None, size: int, *, is_filled: bool
    ) -> tuple[list[Chunk], Change | None]:
        """A pass in as few chunks as may be, and what changes its inputs."""
        layout = self._source.lay_out(random)
        parts = {"rows": layout.rows.astype(np.int32), "labels": layout.labels}
        parts |= {f"{_ARGUMENT}{place}": part for place, part in enumerate(layout.arguments)}
        steps = math.ceil(len(layout.rows) / size)
        return list(_cut(parts, layout.weights, steps, size, is_filled=is_filled)), layout.change


def _cut(
    parts: Arrays, weights: np.ndarray, steps: int, size: int, *, is_filled: bool
) -> Iterator[Chunk]:
    """Deal rows (n, …) to steps.

    Args:
        parts: What there is of every row.
        weights: Of every row.
        steps: Length of a chunk: a loop of another length would be compiled anew.
        size: Rows a step.
        is_filled: Whether a last step that is short is filled up with rows that weigh nothing;
            else it is a chunk of its own.
    """
    parts = parts | {"weights": weights}
    if parts["labels"].dtype == np.int64:
        parts["labels"] = parts["labels"].astype(np.int32)  # as JAX would do, and warn of it
    count = len(weights)
    rest = 0 if is_filled else count % size
    whole = {name: rows[: count - rest] for name, rows in parts.items()}
    if count > rest:
        real = math.ceil((count - rest) / size)
        counts = np.zeros(steps, np.float32)
        counts[:real] = size
        counts[real - 1] = count - rest - (real - 1) * size
        dealt = {name: _deal(rows, steps, size) for name, rows in whole.items()}
        yield Chunk(dealt | {"counts": counts}, real)
    if rest:
        last = {name: rows[np.newaxis, -rest:] for name, rows in parts.items()}
        yield Chunk(last | {"counts": np.array([rest], np.float32)}, 1)


def _deal(rows: np.ndarray, steps: int, size: int) -> np.ndarray:
    filled = np.zeros((steps * size, *rows.shape[1:]), rows.dtype)
    filled[: len(rows)] = rows
    return filled.reshape(steps, size, *rows.shape[1:])


def cut_drawn(
    source: DrawnRows, random: np.random.Generator | None, size: int, *, is_filled: bool
) -> Iterator[Chunk]:
    """A pass of a source that does not stay on the device, as chunks of one length."""
    row_bytes = math.prod(source.input_shape) * np.dtype(source.input_dtype).itemsize
    steps = min(max(_CHUNK_BYTES // (row_bytes * size), 1), math.ceil(source.row_count / size))
    waiting: Arrays = {}
    for pool in source.draw(random):
        waiting = _join(waiting, dict(zip(("inputs", "labels", "weights"), pool, strict=True)))
        while len(waiting["weights"]) >= steps * size:
            yield from _cut_waiting(waiting, steps, size, is_filled=is_filled)
            waiting = {name: rows[steps * size :] for name, rows in waiting.items()}
    if len(waiting["weights"]):
        yield from _cut_waiting(waiting, steps, size, is_filled=is_filled)


def _join(before: Arrays, after: Arrays) -> Arrays:
    if not before or not len(before["weights"]):
        return after
    return {name: np.concatenate([before[name], rows]) for name, rows in after.items()}


def _cut_waiting(waiting: Arrays, steps: int, size: int, *, is_filled: bool) -> Iterator[Chunk]:
    first = {name: rows[: steps * size] for name, rows in waiting.items()}
    return _cut(first, first.pop("weights"), steps, size, is_filled=is_filled)


def hold(source: DrawnRows) -> Held | None:
    """Rows of a source on the device, if it can lay them out and they fit."""
    if not isinstance(source, HoldableRows):
        return None
    device = jax.local_devices()[0]
    memory = (device.memory_stats() or {}).get("bytes_limit") if device.platform == "gpu" else None
    inputs = source.hold_inputs(int(_HELD_SHARE * memory) if memory else _HELD_BYTES)
    return None if inputs is None else Held(inputs, source)


class EpochRunner:
    """What Keras' ``fit`` does between the first epoch and the last.

    Args:
        model: Compiled.
        train: Rows to learn from.
        dev: Rows to measure on; None for none.
        epochs: Which, and how.
        callbacks: In the order in which they are called.
    """

    def __init__(
        self,
        model: keras.Model,
        train: DrawnRows,
        dev: DrawnRows | None,
        epochs: Epochs,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        self._model, self._train, self._dev, self._epochs = model, train, dev, epochs
        self._steps = math.ceil(train.row_count / epochs.batch_size)
        self._watchers = keras.callbacks.CallbackList(
            callbacks, model=model, epochs=epochs.last, steps=self._steps, verbose=0
        )
        self._is_stepwise = any(map(_watches_steps, callbacks))
        self._held_train, self._held_dev = hold(train), None if dev is None else hold(dev)
        # Rows that are none would count in the statistics of a batch.
        self._is_filled = not any(
            isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
            for layer in model._flatten_layers()
        )
        self._compiled: dict[Any, Callable[..., State]] = {}

    def run(self) -> None:
        """Train; the weights are the model's after every epoch."""
        model, logs = self._model, {}
        self._build()
        model.stop_training = False
        self._watchers.on_train_begin()
        with ThreadPoolExecutor(1, "batches") as ahead:
            waiting = ahead.submit(self._prepare, self._epochs.first)
            for epoch in range(self._epochs.first, self._epochs.last):
                model.reset_metrics()
                self._watchers.on_epoch_begin(epoch)
                chunks, change = waiting.result()
                if epoch + 1 < self._epochs.last:
                    waiting = ahead.submit(self._prepare, epoch + 1)
                logs = self._run_epoch(chunks, change)
                if self._dev is not None:
                    found = self._measure()
                    logs |= {f"val_{name}": value for name, value in found.items()}
                self._watchers.on_epoch_end(epoch, logs)
                if model.stop_training:
                    break
        model.optimizer.finalize_variable_values(model.trainable_weights)
        self._watchers.on_train_end(logs)

    def _prepare(self, epoch: int) -> tuple[Iterable[Chunk], Change | None]:
        """The steps of an epoch, made while the one before is still computed."""
        random, size = self._epochs.draw_order(epoch), self._epochs.batch_size
        if self._held_train is None:
            return cut_drawn(self._train, random, size, is_filled=self._is_filled), None
        return self._held_train.cut(random, size, is_filled=self._is_filled)

    def _build(self) -> None:
        """Have Keras make what it makes at the first batch."""
        inputs = np.zeros((1, *self._train.input_shape), self._train.input_dtype)
        class_count = getattr(self._train, "class_count", 0)
        labels = np.zeros((1, class_count), np.float32) if class_count else np.zeros(1, np.int32)
        self._model._symbolic_build(data_batch=(inputs, labels, np.ones(1, np.float32)))

    def _run_epoch(self, chunks: Iterable[Chunk], change: Change | None) -> dict[str, Any]:
        done = 0
        for chunk in chunks:
            stride = 1 if self._is_stepwise else chunk.steps
            for start in range(0, chunk.steps, stride):
                self._watchers.on_train_batch_begin(done)
                self._take_steps(self._held_train, chunk, start, stride, change, is_trained=True)
                done += stride
                self._watchers.on_train_batch_end(done - 1, self._read_metrics())
                if self._model.stop_training:
                    return self._read_metrics()
        return self._read_metrics()

    def _measure(self) -> dict[str, Any]:
        """Loss and metrics of a pass over dev."""
        dev, size = self._dev, self._epochs.dev_rows
        assert dev is not None
        self._model.reset_metrics()
        self._watchers.on_test_begin()
        chunks: Iterable[Chunk] = cut_drawn(dev, None, size, is_filled=True)
        if self._held_dev is not None:
            chunks, _ = self._held_dev.cut(None, size, is_filled=True)
        for chunk in chunks:
            self._take_steps(self._held_dev, chunk, 0, chunk.steps, None, is_trained=False)
        found = self._read_metrics()
        self._watchers.on_test_end(found)
        return found

    def _read_metrics(self) -> dict[str, Any]:
        return {name: float(value) for name, value in self._model.get_metrics_result().items()}

    def _take_steps(
        self,
        held: Held | None,
        chunk: Chunk,
        start: int,
        count: int,
        change: Change | None,
        *,
        is_trained: bool,
    ) -> None:
        model = self._model
        key = is_trained, change
        if key not in self._compiled:
            self._compiled[key] = _compile(model, change, is_trained=is_trained)
        variables = (
            model.trainable_variables, model.non_trainable_variables,
            model.optimizer.variables, model.metrics_variables,
        )  # fmt: skip
        state = tuple(map(list_values, variables))
        inputs = None if held is None else held.inputs
        after = self._compiled[key](state, inputs, chunk.arrays, start, start + count)
        for group, values in zip(variables, after, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)


def _watches_steps(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback looks at single steps.

    One with an attribute ``watches_steps`` says so itself; of others it is seen by their methods.
    """
    told = getattr(callback, "watches_steps", None)
    if told is not None:
        return bool(told)
    if isinstance(callback, keras.callbacks.TensorBoard):
        return callback.update_freq != "epoch" or bool(callback.profile_batch)
    own = keras.callbacks.Callback
    return any(getattr(type(callback), hook) is not getattr(own, hook) for hook in _HOOKS)


def _compile(
    model: keras.Model, change: Change | None, *, is_trained: bool
) -> Callable[..., State]:
    """Some steps of a chunk as one function; see :meth:`EpochRunner._take_steps`."""
    take = _train_step if is_trained else _test_step

    @jax.jit
    def run(state: State, held: jax.Array | None, arrays: Any, start: int, stop: int) -> State:
        def step(number: jax.Array, state: State) -> State:
            part = {name: array[number] for name, array in arrays.items()}
            inputs = part["inputs"] if held is None else held[part["rows"]]
            if change is not None:
                count = sum(name.startswith(_ARGUMENT) for name in part)
                inputs = change(inputs, *(part[f"{_ARGUMENT}{place}"] for place in range(count)))
            return take(model, state, inputs, part)

        return jax.lax.fori_loop(start, stop, step, state)

    return run


def _train_step(model: keras.Model, state: State, inputs: jax.Array, part: Any) -> State:
    trainable, others, own, metrics = state
    measure = jax.value_and_grad(model.compute_loss_and_updates, has_aux=True)
    (_, (loss, found, others, metrics)), gradients = measure(
        trainable, others, metrics, inputs, part["labels"], _scale(part),
        training=True, optimizer_variables=own,
    )  # fmt: skip
    trainable, own = model.optimizer.stateless_apply(own, gradients, trainable)
    return trainable, others, own, _note(model, metrics, loss, inputs, found, part)


def _test_step(model: keras.Model, state: State, inputs: jax.Array, part: Any) -> State:
    trainable, others, own, metrics = state
    loss, (_, found, others, metrics) = model.compute_loss_and_updates(
        trainable, others, metrics, inputs, part["labels"], _scale(part), training=False
    )
    return trainable, others, own, _note(model, metrics, loss, inputs, found, part)


def _scale(part: dict[str, jax.Array]) -> jax.Array:
    return part["weights"] * (part["weights"].shape[0] / part["counts"])


def _note(
    model: keras.Model, metrics: list, loss: jax.Array, inputs: jax.Array, found: Any, part: Any
) -> list:
    """Metrics after a step, whose loss counts as many times as it has rows."""
    mapping = list(zip(model.metrics_variables, metrics, strict=True))
    with keras.StatelessScope(state_mapping=mapping) as scope:
        model._loss_tracker.update_state(loss, sample_weight=part["counts"])
        model.compute_metrics(inputs, part["labels"], found, part["weights"])
        return [
            variable.value if (value := scope.get_current_value(variable)) is None else value
            for variable in model.metrics_variables
        ]
