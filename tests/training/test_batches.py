"""Batches of rows: every row once an epoch, in an order that the seed alone decides."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.training.shuffling import ArrayReader, RowPools, batch_in_order, shuffle_batches


class Table:
    """Features in memory whose value is the number of their row; counts what is read."""

    def __init__(self, count, block_rows):
        starts = range(0, count, block_rows)
        self.blocks = [(start, min(start + block_rows, count)) for start in starts]
        self.reads = 0
        self._count = count

    def __len__(self):
        return self._count

    def read_block(self, number):
        self.reads += 1
        rows = np.arange(*self.blocks[number], dtype=np.float32)
        return np.stack([rows, -rows], axis=1)


ROW_BYTES = 8


def make_pools(count=50, block_rows=7, pool_rows=1000, rows=None):
    rows = np.arange(count) if rows is None else np.asarray(rows)
    weights = (rows / 8).astype("float32")
    return RowPools(Table(count, block_rows), rows, rows % 3, weights, pool_rows * ROW_BYTES)


IN_MEMORY, STREAMED = 1000, 15
POOLS = pytest.mark.parametrize("pool_rows", [IN_MEMORY, STREAMED], ids=["in memory", "streamed"])


def collect(dataset):
    return [tuple(part.numpy() for part in batch) for batch in dataset]


def list_rows(batches):
    return np.concatenate([features[:, 0] for features, _, _ in batches]).astype(int).tolist()


def list_epochs(pools, epochs=2, batch_size=8, seed=0):
    """Row numbers of each epoch, in order."""
    rows = list_rows(collect(shuffle_batches(pools, batch_size, epochs, seed)))
    size = len(rows) // epochs
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@given(
    count=st.integers(1, 60),
    block_rows=st.integers(1, 20),
    pool_rows=st.integers(1, 80),
    seed=st.integers(0, 9),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_every_row_is_drawn_once_with_its_own_label_and_weight(
    count, block_rows, pool_rows, seed, data
):
    chosen = data.draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True))
    pools = make_pools(count, block_rows, pool_rows, chosen)
    drawn = list(pools.draw(np.random.default_rng(seed)))
    features, labels, weights = (np.concatenate(part) for part in zip(*drawn, strict=True))
    rows = features[:, 0].astype(int)
    assert sorted(rows.tolist()) == sorted(chosen)
    np.testing.assert_array_equal(features[:, 1], -rows)
    np.testing.assert_array_equal(labels, rows % 3)
    np.testing.assert_array_equal(weights, rows / 8)
    assert pools.row_count == len(chosen)


@POOLS
def test_every_epoch_has_every_row_once(pool_rows):
    for epoch in list_epochs(make_pools(pool_rows=pool_rows), epochs=3):
        assert sorted(epoch) == list(range(50))


@POOLS
def test_labels_and_weights_stay_with_their_rows(pool_rows):
    for features, labels, weights in collect(
        shuffle_batches(make_pools(pool_rows=pool_rows), 8, 2, 0)
    ):
        np.testing.assert_array_equal(labels, features[:, 0] % 3)
        np.testing.assert_array_equal(weights, features[:, 0] / 8)


@POOLS
def test_every_epoch_has_another_order(pool_rows):
    first, second = list_epochs(make_pools(pool_rows=pool_rows))
    assert first != second
    assert first != sorted(first)


@POOLS
def test_the_same_seed_gives_the_same_order_and_another_seed_another(pool_rows):
    first, again, other = (
        list_epochs(make_pools(pool_rows=pool_rows), seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@POOLS
def test_an_epoch_does_not_depend_on_how_many_follow(pool_rows):
    pools = make_pools(pool_rows=pool_rows)
    assert list_epochs(pools, epochs=3)[:2] == list_epochs(pools, epochs=2)


@POOLS
@pytest.mark.parametrize("batch_size", [1, 8, 25, 50, 64])
def test_only_the_last_batch_of_an_epoch_is_shorter(pool_rows, batch_size):
    sizes = [
        len(labels)
        for _, labels, _ in collect(
            shuffle_batches(make_pools(pool_rows=pool_rows), batch_size, 2, 0)
        )
    ]
    whole, rest = divmod(50, batch_size)
    assert sizes == 2 * ([batch_size] * whole + [rest] * bool(rest))


def test_rows_that_fit_into_one_pool_are_read_once():
    pools = make_pools(pool_rows=IN_MEMORY)
    list_epochs(pools, epochs=1)
    reads = pools._reader.reads
    list_epochs(pools, epochs=3)
    assert pools._reader.reads == reads


def test_streaming_holds_little_more_than_a_pool():
    pools = make_pools(pool_rows=STREAMED)
    sizes = [len(labels) for _, labels, _ in pools.draw(np.random.default_rng(0))]
    assert len(sizes) > 1
    assert max(sizes) < STREAMED + 7


def test_blocks_without_a_wanted_row_are_not_read():
    pools = make_pools(rows=[0, 1, 49])
    before = pools._reader.reads
    list_epochs(pools)
    assert pools._reader.reads == before + 2


def test_streaming_mixes_rows_of_distant_blocks():
    # Blocks of one class each, as they lie on the disk: a batch of one class teaches badly.
    first = list_epochs(make_pools(count=200, block_rows=10, pool_rows=60))[0][:20]
    assert len({row // 10 for row in first}) > 3


@POOLS
def test_rows_to_measure_on_come_in_their_order_in_every_pass(pool_rows):
    batches = collect(batch_in_order(make_pools(pool_rows=pool_rows, rows=range(0, 50, 2)), 8, 2))
    assert list_rows(batches) == 2 * list(range(0, 50, 2))
    assert [len(labels) for _, labels, _ in batches] == 2 * [8, 8, 8, 1]


def test_rows_may_be_given_in_any_order():
    batches = collect(batch_in_order(make_pools(rows=[9, 2, 30]), 8, passes=1))
    assert list_rows(batches) == [2, 9, 30]
    np.testing.assert_array_equal(batches[0][1], [2, 0, 0])


def align(array):
    """A copy that begins at a multiple of 64 bytes, as one array in four does by chance."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    aligned = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    aligned[...] = array
    return aligned


def test_measuring_leaves_the_rows_as_they_are():
    # TensorFlow reuses the memory of an aligned array that it was lent.
    pools = make_pools(count=500, pool_rows=IN_MEMORY)
    pools._only_pool = tuple(map(align, pools._only_pool))
    before = [array.copy() for array in pools._only_pool]
    width = pools._only_pool[0].shape[1]
    model = keras.Sequential([keras.Input((width,)), keras.layers.Dense(10, "softmax")])
    model.compile(
        loss="sparse_categorical_crossentropy",
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    model.evaluate(batch_in_order(pools, 200, passes=3), steps=9, verbose=0)
    for array, expected in zip(pools._only_pool, before, strict=True):
        np.testing.assert_array_equal(array, expected)


@POOLS
def test_a_training_that_goes_on_sees_the_epochs_it_would_have_seen(pool_rows):
    pools = make_pools(pool_rows=pool_rows)
    whole = collect(shuffle_batches(pools, 8, epochs=3, seed=0))
    rest = collect(shuffle_batches(pools, 8, epochs=3, seed=0, first_epoch=2))
    assert list_rows(rest) == list_rows(whole)[100:]


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_rows_may_be_pictures_or_activations_of_any_dtype(dtype, tmp_path):
    array = np.arange(6 * 2 * 2 * 3).reshape(6, 2, 2, 3).astype(dtype)
    np.save(tmp_path / "array.npy", array)
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")
    rows = np.array([1, 4])
    pools = RowPools(ArrayReader(mapped, 2), rows, rows, np.ones(2, "float32"))
    assert (pools.input_shape, pools.input_dtype) == ((2, 2, 3), dtype)
    [(inputs, labels, _)] = collect(batch_in_order(pools, 8, passes=1))
    assert inputs.dtype == dtype
    np.testing.assert_array_equal(inputs, array[rows])
    np.testing.assert_array_equal(labels, rows)


def test_pools_of_the_same_content_have_the_same_fingerprint():
    assert make_pools().fingerprint() == make_pools(pool_rows=STREAMED).fingerprint()


@pytest.mark.parametrize("pool_bytes", [16 * 32, 1 << 20])
def test_any_one_row_of_other_content_has_another_fingerprint(pool_bytes):
    # A training that has ended is not done again for the same fingerprint.
    inputs = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")

    def name():
        rows = np.arange(300)
        reader = ArrayReader(inputs, 32)
        return RowPools(reader, rows, rows % 3, np.ones(300, "float32"), pool_bytes).fingerprint()

    before = name()
    inputs[299, 3] += 1
    assert name() != before


@pytest.mark.parametrize("change", ["rows", "labels", "weights", "inputs"])
def test_any_other_content_has_another_fingerprint(change):
    rows = np.arange(8)
    content = {
        "rows": rows,
        "labels": rows % 2,
        "weights": np.ones(8, "float32"),
        "inputs": np.eye(10, dtype="float32"),
    }

    def name():
        reader = ArrayReader(content["inputs"])
        return RowPools(
            reader, content["rows"], content["labels"], content["weights"]
        ).fingerprint()

    before = name()
    content[change] = content[change] + 1
    assert name() != before
