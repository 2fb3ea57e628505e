"""Batches of rows: every row once an epoch, in an order that the seed alone decides."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graft.backends.backend import Epochs
from graft.backends.on_tensorflow import batch_in_order, shuffle_batches
from graft.training import shuffling as row_pools
from graft.training.shuffling import ArrayReader, RowPools


class Table:
    """Features whose value is the number of their row; notes what is read, and how."""

    def __init__(self):
        self.read = []
        self.scattered = []

    def read_rows(self, rows):
        self.read.append(rows.tolist())
        return np.stack([rows, -rows], axis=1).astype(np.float32)

    def read_scattered(self, rows):
        self.scattered.append(rows.tolist())
        return np.stack([rows, -rows], axis=1).astype(np.float32)


ROW_BYTES = 8


def make_pools(count=50, pool_rows=1000, rows=None):
    rows = np.arange(count) if rows is None else np.asarray(rows)
    weights = (rows / 8).astype("float32")
    return RowPools(Table(), rows, rows % 3, weights, pool_rows * ROW_BYTES)


@pytest.fixture(autouse=True)
def _draw_in_small_pieces(monkeypatch):
    monkeypatch.setattr(row_pools, "_PIECE_BYTES", 4 * ROW_BYTES)


IN_MEMORY, STREAMED = 1000, 15
POOLS = pytest.mark.parametrize("pool_rows", [IN_MEMORY, STREAMED], ids=["in memory", "streamed"])


def collect(dataset):
    return [tuple(part.numpy() for part in batch) for batch in dataset]


def list_rows(batches):
    return np.concatenate([batch[0][:, 0] for batch in batches]).astype(int).tolist()


def draw_passes(pools, count):
    """Row numbers of each pass (count, N), without the batches."""
    pieces = [pools.draw(np.random.default_rng(number)) for number in range(count)]
    return np.array([list_rows(piece) for piece in pieces])


def shuffle(pools, batch_size=8, epochs=2, seed=0, first=0):
    return shuffle_batches(pools, Epochs(batch_size, seed, epochs, first, epochs))


def list_epochs(pools, epochs=2, batch_size=8, seed=0):
    """Row numbers of each epoch, in order."""
    rows = list_rows(collect(shuffle(pools, batch_size, epochs, seed)))
    size = len(rows) // epochs
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@given(
    count=st.integers(1, 60),
    pool_rows=st.integers(1, 80),
    seed=st.integers(0, 9),
    data=st.data(),
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_row_is_drawn_once_with_its_own_label_and_weight(count, pool_rows, seed, data):
    chosen = data.draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True))
    pools = make_pools(count, pool_rows, chosen)
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
    for features, labels, weights in collect(shuffle(make_pools(pool_rows=pool_rows))):
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
    batches = collect(shuffle(make_pools(pool_rows=pool_rows), batch_size))
    sizes = [len(labels) for _, labels, _ in batches]
    whole, rest = divmod(50, batch_size)
    assert sizes == 2 * ([batch_size] * whole + [rest] * bool(rest))


def test_rows_that_fit_into_one_pool_are_read_once():
    pools = make_pools(pool_rows=IN_MEMORY)
    list_epochs(pools, epochs=1)
    reads = list(pools._reader.read)
    list_epochs(pools, epochs=3)
    assert pools._reader.read == reads
    assert not pools._reader.scattered


def test_rows_that_do_not_fit_are_read_forward_a_pool_at_a_time():
    pools = make_pools(pool_rows=STREAMED)
    drawn = [features[:, 0] for features, _, _ in pools.draw(np.random.default_rng(0))]
    assert max(map(len, drawn)) <= 4
    read = pools._reader.scattered
    assert max(map(len, read)) <= 4
    falls = [before[-1] > after[0] for before, after in itertools.pairwise(read)]
    assert sum(falls) == 3  # pools of 15, 15, 15 and 5 rows, each read forward
    assert all(rows == sorted(rows) for rows in read)


def test_rows_to_measure_on_are_read_as_they_lie():
    pools = make_pools(pool_rows=STREAMED)
    list(pools.draw())
    assert not pools._reader.scattered


def test_rows_of_other_splits_are_not_read():
    pools = make_pools(rows=[0, 1, 49], pool_rows=2)
    list_epochs(pools)
    read = pools._reader.read + pools._reader.scattered
    assert {row for rows in read for row in rows} == {0, 1, 49}


@pytest.mark.parametrize("pool_rows", [7, 60, 150])
def test_memory_decides_nothing_about_the_order(pool_rows):
    several = list_epochs(make_pools(count=200, pool_rows=pool_rows), epochs=3)
    assert several == list_epochs(make_pools(count=200, pool_rows=IN_MEMORY), epochs=3)


@pytest.mark.parametrize("pool_rows", [100, 1000, 10_000])
def test_rows_that_lie_class_by_class_come_mixed_in_every_part_of_a_pass(pool_rows):
    # 40 classes of 100 neighbours. A batch of one class teaches little, and a network with batch
    # normalisation something false.
    count, classes = 4000, 40
    for epoch in draw_passes(make_pools(count, pool_rows), 2):
        labels = epoch // (count // classes)
        parts = labels.reshape(40, 100)
        counts = np.array([np.bincount(part, minlength=classes) for part in parts])
        # Of a random hundred of them, 37 classes are seen (standard deviation 1.5), and the most
        # frequent one about 7 times. Pools of neighbours show 10 classes or fewer.
        assert (counts > 0).sum(axis=1).min() >= 30
        assert counts.max() <= 14


@pytest.mark.parametrize("pool_rows", [20, 1000])
def test_any_two_rows_are_as_likely_as_others_to_come_together(pool_rows):
    # Where blocks are drawn whole, neighbours share a pool in every pass.
    passes = draw_passes(make_pools(200, pool_rows), 200)
    place = np.argsort(passes, axis=1)
    together = (place[:, :-1] // 20 == place[:, 1:] // 20).mean()
    # 19 of the 199 others are among the same twenty rows: 0.0955, with 39,800 draws.
    assert together == pytest.approx(19 / 199, abs=0.01)


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
    kept = pools._all_inputs, pools._labels, pools._weights = tuple(
        map(align, (pools._all_inputs, pools._labels, pools._weights))
    )
    before = [array.copy() for array in kept]
    width = pools.input_shape[0]
    model = keras.Sequential([keras.Input((width,)), keras.layers.Dense(10, "softmax")])
    model.compile(
        loss="sparse_categorical_crossentropy",
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    model.evaluate(batch_in_order(pools, 200, passes=3), steps=9, verbose=0)
    for array, expected in zip(kept, before, strict=True):
        np.testing.assert_array_equal(array, expected)


@POOLS
def test_a_training_that_goes_on_sees_the_epochs_it_would_have_seen(pool_rows):
    pools = make_pools(pool_rows=pool_rows)
    whole = collect(shuffle(pools, epochs=3))
    rest = collect(shuffle(pools, epochs=3, first=2))
    assert list_rows(rest) == list_rows(whole)[100:]


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_rows_may_be_pictures_or_activations_of_any_dtype(dtype, tmp_path):
    array = np.arange(6 * 2 * 2 * 3).reshape(6, 2, 2, 3).astype(dtype)
    np.save(tmp_path / "array.npy", array)
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")
    rows = np.array([1, 4])
    pools = RowPools(ArrayReader(mapped.__getitem__), rows, rows, np.ones(2, "float32"))
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
        reader = ArrayReader(inputs.__getitem__)
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
        reader = ArrayReader(content["inputs"].__getitem__)
        return RowPools(
            reader, content["rows"], content["labels"], content["weights"]
        ).fingerprint()

    before = name()
    content[change] = content[change] + 1
    assert name() != before
