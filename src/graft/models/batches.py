"""Training batches whose order depends on the seed and the number of the epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import tensorflow as tf

from graft.models.row_pools import Rows


class BatchSource(Protocol):
    """Rows to train or to measure on: :class:`~graft.models.row_pools.RowPools`, or your own.

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
            Pools of inputs (n, …), class indices int64 (n,) and weights float32 (n,).
        """

    def fingerprint(self) -> str:
        """Name of the content: equal only if every pass yields the same rows."""


def shuffle_batches(
    source: BatchSource, batch_size: int, epochs: int, seed: int, first_epoch: int = 0
) -> tf.data.Dataset:
    """Training batches of the epochs ``first_epoch`` to ``epochs - 1``, one after the other.

    The last batch of an epoch may be shorter; no batch reaches over its end.
    """
    return _batch_passes(
        source,
        lambda epoch: np.random.default_rng([seed, int(epoch)]),
        batch_size,
        range(first_epoch, epochs),
    )


def batch_in_order(source: BatchSource, batch_size: int, passes: int) -> tf.data.Dataset:
    """Batches of so many passes over all rows, each in their order, to measure on."""
    return _batch_passes(source, lambda _: None, batch_size, range(passes))


def _batch_passes(
    source: BatchSource,
    make_random: Callable[[int], np.random.Generator | None],
    batch_size: int,
    passes: range,
) -> tf.data.Dataset:
    """One endless-looking data set: to start a new one each epoch costs more than a pass."""
    signature = (
        tf.TensorSpec((None, *source.input_shape), source.input_dtype),
        tf.TensorSpec((None,), tf.int64),
        tf.TensorSpec((None,), tf.float32),
    )

    @tf.autograph.experimental.do_not_convert
    def draw_pass(number: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_generator(
            lambda number: lend_copies(source.draw(make_random(number))),
            args=(number,),
            output_signature=signature,
        ).rebatch(batch_size)

    return tf.data.Dataset.range(passes.start, passes.stop).flat_map(draw_pass).prefetch(2)


def lend_copies(pools: Iterator[Rows]) -> Iterator[Rows]:
    """Copies of pools, for TensorFlow to do with as it likes.

    It takes NumPy arrays that are aligned to 64 bytes as they are, believes that it owns them,
    and reuses their memory for results. A pool that is kept for the next pass would be changed.
    """
    for inputs, labels, weights in pools:
        yield np.array(inputs), np.array(labels), np.array(weights)
