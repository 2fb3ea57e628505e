"""Decoding: pixels in the order of the splits, whatever order they are read in."""

from __future__ import annotations

from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from graft.compute.shards import ShardStore
from graft.datasets import NumpyArrayDataset
from graft.errors import GraftError
from graft.parameters.compute import HERE
from graft.parameters.pictures import DecodingParameters
from graft.pipelines.decoding import create_pipeline, nodes
from graft.pipelines.decoding.nodes import decode_images
from graft.sources.source import ImageSource
from helpers.pictures import encode, hash_files

PARAMETERS = DecodingParameters(
    image_size=8, max_pixels=1000, seconds_per_picture=0.5, memory_mb=100, workers=2
)
# Where `misbehaving` lies, whose decoder does what the bytes say.
DECODERS = Path(__file__).parents[2] / "compute"


def _decode(source: ImageSource, splits: pd.DataFrame, tmp_path) -> np.ndarray:
    dataset = NumpyArrayDataset(filepath=str(tmp_path / "images.npy"))
    dataset.save(decode_images(source, splits, None, PARAMETERS)[0])
    return dataset.load()


def test_the_pipeline_makes_one_array_of_all_pictures(
    source: ImageSource, splits: pd.DataFrame, tmp_path
) -> None:
    catalog = DataCatalog(
        {
            "raw_images": MemoryDataset(source, copy_mode="assign"),
            "splits": MemoryDataset(splits),
            "previous_images": MemoryDataset(None),
            "params:decoding": MemoryDataset(PARAMETERS),
            "params:compute": MemoryDataset(HERE),
            "image_shards": MemoryDataset(ShardStore(tmp_path / "shards")),
            "images": NumpyArrayDataset(filepath=str(tmp_path / "images.npy")),
        }
    )
    images = SequentialRunner().run(create_pipeline(), catalog)["images"].load()
    assert images.shape == (len(splits), 8, 8, 3)
    assert images.dtype == np.uint8


def test_rows_are_in_the_order_of_the_splits(
    source: ImageSource, splits: pd.DataFrame, tmp_path
) -> None:
    shuffled = splits.sample(frac=1, random_state=0).reset_index(drop=True)
    images = _decode(source, shuffled, tmp_path)
    numbers = shuffled["image_id"].str[:2].astype(int)
    shades = np.where(numbers % 2, numbers, 255 - numbers)
    np.testing.assert_array_equal(images[:, 0, 0, 0], shades)


def test_pictures_are_read_in_the_order_of_the_source(
    source: ImageSource, splits: pd.DataFrame, tmp_path
) -> None:
    # A compressed archive only runs forward: any other order would unpack it again and again.
    seen: list[str] = []

    def read(image_id: str) -> bytes:
        seen.append(image_id)
        return source.read(image_id)

    _decode(ImageSource(source.records, read), splits.sample(frac=1, random_state=1), tmp_path)
    assert seen == source.records["image_id"].tolist()


def test_only_pictures_of_the_splits_are_read(
    source: ImageSource, splits: pd.DataFrame, tmp_path
) -> None:
    assert len(_decode(source, splits.head(5), tmp_path)) == 5


@pytest.mark.parametrize("change", ["removed", "broken"])
def test_a_picture_that_changed_since_it_was_checked_is_named(
    change: str, source: ImageSource, splits: pd.DataFrame
) -> None:
    if change == "removed":
        now = ImageSource(source.records[source.records["image_id"] != "04.png"], source.read)
    else:
        now = ImageSource(
            source.records, lambda name: b"" if name == "04.png" else source.read(name)
        )
    with pytest.raises(GraftError, match=r"'04.png' was usable .* run again from the ingestion"):
        list(decode_images(now, splits, None, PARAMETERS)[0].rows)


def test_a_part_of_a_picture_is_decoded(
    source: ImageSource, splits: pd.DataFrame, tmp_path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    data = encode(pixels)
    records = source.records.copy()
    records.loc[2, "crop"] = "3,1,11,9"
    photo = ImageSource(records, lambda _: data)
    images = _decode(photo, splits.assign(sha256=hash_files(photo)), tmp_path)
    np.testing.assert_array_equal(images[2], pixels[1:9, 3:11])


@pytest.mark.parametrize(
    ("deed", "reason"),
    [(b"crash", "crashes its decoder"), (b"sleep", "takes longer"), (b"eat", "takes more")],
)
def test_a_decoder_gone_wild_ends_the_run_in_one_line(
    deed: bytes,
    reason: str,
    source: ImageSource,
    splits: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(DECODERS)
    from misbehaving import decode_in_size

    monkeypatch.setattr(nodes, "decode_picture", decode_in_size)
    wild = ImageSource(source.records, lambda name: deed if name == "04.png" else b"good")
    splits = splits.assign(sha256=hash_files(wild))
    # Only what would take forever may be ended by the clock, however busy the machine is.
    seconds = 0.5 if deed == b"sleep" else 60.0
    parameters = PARAMETERS.model_copy(update={"seconds_per_picture": seconds})
    with pytest.raises(
        GraftError, match=rf"'04.png' was usable .*\({reason}.* run again from"
    ) as error:
        list(decode_images(wild, splits, None, parameters)[0].rows)
    assert "\n" not in str(error.value)
    assert active_children() == []


def test_a_stream_that_nobody_reads_to_its_end_leaves_no_process(
    source: ImageSource, splits: pd.DataFrame
) -> None:
    rows = iter(decode_images(source, splits, None, PARAMETERS)[0].rows)
    next(rows)
    rows.close()
    assert active_children() == []
