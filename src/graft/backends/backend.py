"""What the rest of the house asks of a backend, and which one it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

from graft.errors import GraftError

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Accelerator:
    """A GPU.

    Attributes:
        name: As its maker calls it.
        is_quick_in_bfloat16: Whether it computes bfloat16 faster than float32.
    """

    name: str
    is_quick_in_bfloat16: bool


@dataclass(frozen=True)
class Layout:
    """One pass over rows that stay where they are: which of them in which order, changed how.

    Attributes:
        rows: Places of the inputs, int (n,).
        labels: Class indices int64 (n,), or shares of the classes float32 (n, C).
        weights: float32 (n,).
        change: From inputs and arguments, a row each, to what is trained on, of ``keras.ops``
            alone; the same object in every pass. None leaves the inputs as they are.
        arguments: Of ``change``; arrays (n, …).
    """

    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    change: Callable[..., Any] | None = None
    arguments: tuple[np.ndarray, ...] = ()


class DrawnRows(Protocol):
    """Rows to train or to measure on, a pass after the other.

    Attributes:
        row_count: Rows of one pass; every pass has so many.
        input_shape: Shape of one input: (D,) of features, (H, W, C) of pictures.
        input_dtype: Name of its dtype: ``float32``, ``float16``, ``uint8``.
    """

    @property
    def row_count(self) -> int: ...

    @property
    def input_shape(self) -> tuple[int, ...]: ...

    @property
    def input_dtype(self) -> str: ...

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """Yield all rows of one pass in pools of any size.

        Args:
            random: Source of all that is random in this pass; None for the plain order.

        Returns:
            Pools of inputs (n, …), class indices int64 (n,) and weights float32 (n,). With an
            attribute ``class_count``, instead of indices the shares of all classes, float32
            (n, C).
        """


@runtime_checkable
class HoldableRows(DrawnRows, Protocol):
    """Rows whose inputs, or what these are made of, can stay in one array."""

    def hold_inputs(self, most_bytes: int) -> np.ndarray | None:
        """The array (N, …); None if it is of more bytes than that."""

    def lay_out(self, random: np.random.Generator | None = None) -> Layout:
        """The pass that ``draw`` would yield, of the rows of that array."""


@dataclass(frozen=True)
class Epochs:
    """How a compiled model is trained.

    Attributes:
        batch_size: Rows a step; the last step of an epoch may have fewer.
        seed: Of the order, with the number of the epoch.
        planned: Epochs of the whole training, as if it were not paused.
        first: Number of the first epoch, from 0.
        last: Number of the first epoch that is not run.
        dev_rows: Rows that are measured at a time.
    """

    batch_size: int
    seed: int
    planned: int
    first: int
    last: int
    dev_rows: int = 1

    def draw_order(self, epoch: int) -> np.random.Generator:
        """Source of all that is random in an epoch."""
        return np.random.default_rng([self.seed, epoch])


class Backend(Protocol):
    """A module of this room, as the others see it."""

    def seed(self, seed: int) -> None:
        """Seed all generators that Keras draws from."""

    def make_deterministic(self) -> None:
        """Have every operation give the same bits again, as far as the backend can."""

    def list_accelerators(self) -> list[Accelerator]:
        """The GPUs that computations go to; none on a processor."""

    def describe_devices(self) -> str:
        """Kinds of the devices and what decides the bits that they give, for a fingerprint."""

    def count_threads(self) -> int:
        """Threads that this process was limited to; 0 for no limit."""

    def compile_forward(
        self, model: keras.Model, batch_size: int
    ) -> Callable[[np.ndarray], np.ndarray]:
        """The inference of a model as a function of exactly ``batch_size`` inputs."""

    def compile_function(
        self, function: Callable[..., Any], inputs: Sequence[tuple[tuple[int | None, ...], str]]
    ) -> Callable[..., np.ndarray]:
        """A function of ``keras.ops`` as one graph, from arrays to an array.

        Args:
            function: Of tensors to a tensor.
            inputs: Shape and dtype of each; None in a shape for any number.
        """

    def compile_gradient(
        self,
        network: keras.Model,
        score: Callable[..., Any],
        finish: Callable[..., Any],
        inputs: Sequence[tuple[tuple[int, ...], str]],
    ) -> Callable[..., np.ndarray]:
        """What the gradient of a network's score by one of its inner tensors says, as one graph.

        Args:
            network: From one input to the inner tensor and the network's output.
            score: From the output and the inputs beside the first to a score a row.
            finish: From the inner tensor's values and the gradient to what is returned.
            inputs: As of :meth:`compile_function`; the first is the network's.
        """

    def open_scope(self, model: keras.Model) -> AbstractContextManager[Any]:
        """Within it, what is made belongs to the devices of a model."""

    def count_replicas(self, model: keras.Model) -> int:
        """Devices that train a model together."""

    def copy_to_devices(
        self, model: keras.Model, devices: Sequence[str] | None = None
    ) -> keras.Model:
        """A copy of a model on several devices; the model itself where one is to train it.

        Args:
            model: Not compiled.
            devices: Names of devices; None for all GPUs of this host.
        """

    def run_epochs(
        self,
        model: keras.Model,
        train: DrawnRows,
        dev: DrawnRows | None,
        epochs: Epochs,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        """Train a compiled model, with Keras' callbacks around its epochs.

        Args:
            model: Compiled with a loss and, with dev, the weighted metric ``accuracy``.
            train: Rows to learn from.
            dev: Rows to measure on after every epoch; None measures nothing.
            epochs: Which, and how.
            callbacks: In the order in which they are called.
        """

    def repeat_batches(
        self, inputs: np.ndarray, labels: np.ndarray, batch_size: int, seed: int
    ) -> Any:
        """Endless batches of a few rows, shuffled anew every time, as ``Model.fit`` takes them."""

    def compile_steps(
        self,
        measure: Callable[..., Any],
        finish: Callable[..., Any],
        optimizer: keras.optimizers.Optimizer,
        variables: list[keras.Variable],
    ) -> Callable[[Sequence[np.ndarray], Sequence[Any]], np.ndarray]:
        """Many steps of gradient descent as one compiled function.

        Args:
            measure: From the values of the variables, the parts of the arrays that belong to one
                step, and the constants to the loss; of ``keras.ops`` alone, as is the next.
            finish: From the values after the last step and the constants to what is returned.
            optimizer: Built for the variables.
            variables: Changed in place.

        Returns:
            Function of arrays, each (steps, …), and of constants.
        """


@cache
def load_backend() -> Backend:
    """The backend that Keras was started with, by the variable ``KERAS_BACKEND``.

    Raises:
        GraftError: If it is another one than TensorFlow or JAX.
    """
    name = keras.config.backend()
    if name == "tensorflow":
        from graft.backends import on_tensorflow

        return on_tensorflow
    if name == "jax":
        from graft.backends import on_jax

        return on_jax
    raise GraftError(
        "Graft computes with TensorFlow or JAX; set the variable KERAS_BACKEND to tensorflow or "
        f"jax; got '{name}'"
    )
