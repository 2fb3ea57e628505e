"""Features: a folder of Parquet shards without labels, read a block at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graft.datasets import FeatureShardsDataset, arrays
from graft.datasets.features import FeatureBlock
from graft.errors import GraftError

DIMENSION = 3


def make_block(start, stop):
    numbers = np.arange(start, stop)
    keys = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in numbers],
            "image_sha256": [f"{number:064x}" for number in numbers],
            "view": numbers % 2,
        }
    )
    return FeatureBlock(keys, np.float32(numbers[:, None] + [0.0, 0.25, 0.5]))


def make_blocks(count, size):
    return [make_block(start, min(start + size, count)) for start in range(0, count, size)]


def get_features(count):
    return make_block(0, count).features


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "features"


@pytest.fixture
def dataset(folder, monkeypatch):
    """Shards of 8 rows in groups of 4, so that a few rows fill several."""
    monkeypatch.setattr(FeatureShardsDataset, "ROW_GROUP_ROWS", 4)
    return FeatureShardsDataset(filepath=str(folder), shard_rows=8)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9, 21])
@pytest.mark.parametrize("size", [1, 3, 4, 7, 50])
def test_features_and_keys_come_back_in_order(dataset, count, size):
    dataset.save(iter(make_blocks(count, size)))
    table = dataset.load()
    assert len(table) == count
    assert table.dimension == DIMENSION
    pd.testing.assert_frame_equal(table.keys, make_block(0, count).keys, check_dtype=False)
    read = np.concatenate([features for _, features in table.read_blocks()])
    np.testing.assert_array_equal(read, get_features(count))


def test_the_blocks_cover_all_rows_in_order(dataset):
    dataset.save(make_blocks(21, 5))
    table = dataset.load()
    assert table.blocks == [(0, 4), (4, 8), (8, 12), (12, 16), (16, 20), (20, 21)]
    slices = [rows for rows, _ in table.read_blocks()]
    assert [(rows.start, rows.stop) for rows in slices] == table.blocks


@pytest.mark.parametrize("number", range(6))
def test_a_block_can_be_read_alone(dataset, number):
    dataset.save(make_blocks(21, 5))
    table = dataset.load()
    block = table.read_block(number)
    assert block.dtype == np.float32
    np.testing.assert_array_equal(block, get_features(21)[slice(*table.blocks[number])])


def test_a_shard_holds_shard_rows_in_groups(dataset, folder):
    dataset.save(make_blocks(21, 5))
    shards = sorted(folder.iterdir())
    assert [shard.name for shard in shards] == [f"shard_{n:05d}.parquet" for n in range(3)]
    assert [pq.read_metadata(shard).num_rows for shard in shards] == [8, 8, 5]
    assert [pq.read_metadata(shard).num_row_groups for shard in shards] == [2, 2, 2]


@pytest.mark.parametrize("shard_rows", [1, 3, 4, 6, 11])
def test_no_shard_holds_more_than_shard_rows(dataset, folder, shard_rows):
    FeatureShardsDataset(filepath=str(folder), shard_rows=shard_rows).save(make_blocks(21, 5))
    assert max(pq.read_metadata(shard).num_rows for shard in folder.iterdir()) <= shard_rows


def test_the_columns_hold_no_label_and_no_split(dataset, folder):
    dataset.save(make_blocks(3, 3))
    schema = pq.read_schema(folder / "shard_00000.parquet")
    assert schema.names == ["image_id", "image_sha256", "view", "feature"]
    assert schema.field("feature").type == pa.list_(pa.float32(), DIMENSION)
    assert pa.types.is_integer(schema.field("view").type)


def test_other_columns_of_the_keys_are_not_stored(dataset):
    block = make_block(0, 3)
    dataset.save([FeatureBlock(block.keys.assign(label="cat"), block.features)])
    assert list(dataset.load().keys.columns) == ["image_id", "image_sha256", "view"]


def test_features_of_another_precision_are_stored_as_float32(dataset):
    block = make_block(0, 3)
    dataset.save([FeatureBlock(block.keys, block.features.astype(np.float64))])
    np.testing.assert_array_equal(dataset.load().read_block(0), block.features)


@pytest.mark.parametrize("rows", [[], [0], [20, 0, 3, 4, 20], [7, 8], list(range(20, -1, -1))])
def test_rows_are_read_in_any_order(dataset, rows):
    dataset.save(make_blocks(21, 5))
    read = dataset.load().read_rows(np.array(rows, np.int64))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, get_features(21)[rows])


@pytest.mark.parametrize("rows", [[], [0], [20, 0, 3, 4, 20], list(range(20, -1, -1))])
def test_scattered_rows_are_read_in_any_order(dataset, rows):
    dataset.save(make_blocks(21, 5))
    table = dataset.load()
    for _ in range(2):
        read = table.read_scattered(np.array(rows, np.int64))
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, get_features(21)[rows])


def test_scattered_rows_cost_one_pass_over_the_blocks_however_often_they_are_read(
    dataset, folder, monkeypatch
):
    dataset.save(make_blocks(21, 5))
    table, read = dataset.load(), []
    one_block = table.read_block
    monkeypatch.setattr(
        table, "read_block", lambda number: read.append(number) or one_block(number)
    )
    for _ in range(3):
        table.read_scattered(np.array([20, 0, 9, 3, 8]))
    assert read == list(range(6))
    assert [path.name for path in folder.parent.iterdir()] == ["features"]


def test_scattered_rows_that_the_disk_has_no_room_for_are_told(dataset, monkeypatch):
    dataset.save(make_blocks(21, 5))
    monkeypatch.setattr(arrays.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(GraftError, match=r"too small for 'features'.* 0\.0 MB free$"):
        dataset.load().read_scattered(np.arange(3))


def test_every_block_is_read_once_however_its_rows_are_mixed(dataset, monkeypatch):
    dataset.save(make_blocks(21, 5))
    table, read = dataset.load(), []
    one_block = table.read_block
    monkeypatch.setattr(
        table, "read_block", lambda number: read.append(number) or one_block(number)
    )
    table.read_rows(np.array([20, 0, 9, 3, 8]))
    assert read == [0, 2, 5]


def test_origins_come_back_in_order(dataset, folder):
    blocks = make_blocks(21, 5)
    names = [f"origin {number}" for number in range(21)]
    given = iter(names)
    dataset.save(
        FeatureBlock(block.keys, block.features, [next(given) for _ in block.features])
        for block in blocks
    )
    assert dataset.load().read_origins() == names
    columns = ["image_id", "image_sha256", "view", "origin", "feature"]
    assert pq.read_schema(folder / "shard_00000.parquet").names == columns


def test_features_without_origins_have_none(dataset):
    dataset.save(make_blocks(3, 3))
    assert dataset.load().read_origins() == []


def test_loading_reads_no_feature(dataset, monkeypatch):
    dataset.save(make_blocks(21, 5))

    def fail(*_, **__):
        raise AssertionError("features were read")

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", fail)
    assert len(dataset.load()) == 21


def test_features_exist_once_they_are_saved(dataset):
    assert not dataset.exists()
    dataset.save(make_blocks(3, 3))
    assert dataset.exists()
    assert "features" in str(dataset)
