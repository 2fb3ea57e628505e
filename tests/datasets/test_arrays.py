"""Arrays: written row by row in any order, loaded without filling the memory."""

from __future__ import annotations

import errno
import os
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kedro.io import DatasetError

from graft.compute.streams import RowStream
from graft.datasets import (
    AtomicDataset,
    NumpyArrayDataset,
    TracedArrayDataset,
    WeightsDataset,
)
from graft.errors import GraftError


@pytest.fixture
def dataset(tmp_path):
    return NumpyArrayDataset(filepath=str(tmp_path / "rows.npy"))


def stream(array, order):
    return RowStream(array.shape, str(array.dtype), ((int(row), array[row]) for row in order))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "float64", "bool"])
def test_an_array_comes_back_as_it_was(dataset, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    dataset.save(array)
    loaded = dataset.load()
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype == dtype


def test_an_array_is_mapped_and_cannot_be_changed(dataset):
    dataset.save(np.arange(6))
    loaded = dataset.load()
    assert isinstance(loaded, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        loaded[0] = 1


def test_an_array_without_rows_comes_back(dataset):
    dataset.save(np.zeros((0, 3), np.float16))
    assert dataset.load().shape == (0, 3)


@pytest.fixture
def large_stream():
    """A stream that complains when its rows are asked for."""

    def refuse():
        raise AssertionError("rows are made although there is no room for them")
        yield

    return RowStream((1000, 1000), "float16", refuse())


def test_what_the_disk_has_no_room_for_is_refused_before_its_first_row(
    tmp_path, monkeypatch, large_stream
):
    usage = SimpleNamespace(free=1_500_000)
    monkeypatch.setattr("graft.datasets.arrays.shutil.disk_usage", lambda _: usage)
    dataset = AtomicDataset(
        filepath=tmp_path / "rows.npy", dataset="graft.datasets.NumpyArrayDataset"
    )
    with pytest.raises(DatasetError) as error:
        dataset.save(large_stream)
    assert isinstance(error.value.__cause__, GraftError)
    assert "too small for 'rows.npy': it needs 2.0 MB" in str(error.value.__cause__)
    assert str(error.value.__cause__).endswith("got 1.5 MB free")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_meanwhile_or_a_quota_is_told(
    dataset, monkeypatch, large_stream, code
):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(DatasetError) as error:
        dataset.save(large_stream)
    assert "the disk is too small" in str(error.value.__cause__)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_rows_may_arrive_in_any_order(dataset, data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=5))
    dtype = data.draw(st.sampled_from(["uint8", "float32", "float16"]))
    array = data.draw(hnp.arrays(dtype, shape, elements=st.integers(0, 200)))
    dataset.save(stream(array, data.draw(st.permutations(range(len(array))))))
    np.testing.assert_array_equal(dataset.load(), array)


def test_a_streamed_array_is_the_same_file_as_a_whole_one(dataset, tmp_path):
    array = np.random.default_rng(0).random((7, 5, 3)).astype("float32")
    dataset.save(stream(array, [3, 1, 6, 0, 2, 5, 4]))
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), array)
    streamed = (tmp_path / "rows.npy").read_bytes()
    dataset.save(array)
    assert (tmp_path / "rows.npy").read_bytes() == streamed


def test_rows_of_another_type_are_converted(dataset):
    rows = [(1, np.array([1, 2], dtype="int64")), (0, np.array([3.0, 4.0]))]
    dataset.save(RowStream((2, 2), "uint8", rows))
    assert dataset.load().tolist() == [[3, 4], [1, 2]]


def test_rows_that_are_not_contiguous_are_kept_in_order(dataset):
    array = np.arange(24).reshape(2, 3, 4)
    dataset.save(stream(array.transpose(0, 2, 1), [0, 1]))
    np.testing.assert_array_equal(dataset.load(), array.transpose(0, 2, 1))


@pytest.mark.parametrize("row", [np.zeros(2), np.zeros(4), np.float64(0)])
def test_a_row_of_another_length_is_refused(dataset, row):
    # It would be written over its neighbour, or leave a part of its own place empty.
    with pytest.raises(DatasetError):
        dataset.save(RowStream((2, 3), "float64", [(0, np.ones(3)), (1, row)]))


@pytest.mark.parametrize("numbers", [[0], [0, 0], [0, 1, 2], [-1, 0]])
def test_a_stream_without_every_row_once_is_refused(dataset, numbers):
    # Missing rows would be black pictures.
    with pytest.raises(DatasetError):
        dataset.save(RowStream((2, 3), "uint8", [(n, np.ones(3)) for n in numbers]))


def test_python_objects_are_neither_saved_nor_loaded(dataset, tmp_path):
    with pytest.raises(DatasetError, match="Object arrays cannot be saved"):
        dataset.save(np.array([{"a": 1}], dtype=object))
    np.save(tmp_path / "rows.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DatasetError):
        dataset.load()


def test_an_array_exists_once_it_is_saved(dataset):
    assert not dataset.exists()
    dataset.save(np.zeros(3))
    assert dataset.exists()


def trace(array, names):
    return RowStream(array.shape, str(array.dtype), enumerate(array), names)


@pytest.mark.parametrize("kind", [NumpyArrayDataset, TracedArrayDataset])
def test_origins_come_back_with_the_rows(kind, tmp_path):
    array = np.arange(6, dtype="uint8").reshape(3, 2)
    names = [f"{number:064x}" for number in range(3)]
    path = str(tmp_path / "rows.npy")
    kind(filepath=path).save(trace(array, names))
    loaded = TracedArrayDataset(filepath=path).load()
    np.testing.assert_array_equal(loaded.rows, array)
    assert isinstance(loaded.rows, np.memmap)
    assert list(loaded.origins) == names


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_whoever_does_not_ask_for_origins_sees_the_array_alone(mmap_mode, dataset, tmp_path):
    array = np.arange(6, dtype="uint8").reshape(3, 2)
    dataset.save(trace(array, ["a" * 64] * 3))
    np.testing.assert_array_equal(dataset.load(), array)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy", mmap_mode=mmap_mode), array)


def test_an_array_without_origins_has_none(dataset, tmp_path):
    dataset.save(np.zeros((3, 2)))
    loaded = TracedArrayDataset(filepath=str(tmp_path / "rows.npy")).load()
    assert (loaded.rows.shape, list(loaded.origins)) == ((3, 2), [])


WEIGHTS = {
    "block1_conv1/kernel": np.arange(6, dtype="float32").reshape(2, 3),
    "block1_bn1/beta": np.zeros(3, dtype="float32"),
}


@pytest.fixture
def weights_dataset(tmp_path):
    return WeightsDataset(filepath=str(tmp_path / "weights.npz"))


def test_weights_come_back_by_name(weights_dataset):
    weights_dataset.save(WEIGHTS)
    loaded = weights_dataset.load()
    assert list(loaded) == list(WEIGHTS)
    for name, array in WEIGHTS.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype


def test_weights_are_an_archive_of_plain_arrays(weights_dataset, tmp_path):
    weights_dataset.save(WEIGHTS)
    with zipfile.ZipFile(tmp_path / "weights.npz") as archive:
        assert archive.namelist() == [f"{name}.npy" for name in WEIGHTS]


def test_weights_with_python_objects_are_neither_saved_nor_loaded(weights_dataset, tmp_path):
    objects = {"w": np.array([{"a": 1}], dtype=object)}
    with pytest.raises(DatasetError):
        weights_dataset.save(objects)
    np.savez(tmp_path / "weights.npz", **objects)
    with pytest.raises(DatasetError, match="Object arrays cannot be loaded"):
        weights_dataset.load()


def test_weights_exist_once_they_are_saved(weights_dataset):
    assert not weights_dataset.exists()
    weights_dataset.save(WEIGHTS)
    assert weights_dataset.exists()
    assert "weights.npz" in str(weights_dataset)
