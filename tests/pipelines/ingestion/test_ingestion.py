"""Ingestion: every file is described, the broken ones are set apart."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from graft.compute.shards import ShardStore
from graft.errors import GraftError, PictureError
from graft.parameters.compute import HERE
from graft.pipelines.ingestion import create_pipeline, nodes
from graft.pipelines.ingestion.labels import COLUMNS
from graft.pipelines.ingestion.nodes import check_images, cluster_images
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.sources.source import ImageSource
from helpers.told import read_told

PARAMETERS = IngestionParameters(
    min_side=4,
    max_pixels=1000,
    seconds_per_picture=0.5,
    memory_mb=100,
    workers=2,
    near_duplicate_radius=4,
    label_conflicts="drop",
)
NO_VERDICTS = pd.DataFrame(columns=COLUMNS, dtype="str")
# Where `misbehaving` lies, whose decoder does what the bytes say.
DECODERS = Path(__file__).parents[2] / "compute"


def _break(source: ImageSource, broken: dict[str, bytes | PictureError]) -> ImageSource:
    def read(image_id: str) -> bytes:
        content = broken.get(image_id)
        if isinstance(content, PictureError):
            raise content
        return source.read(image_id) if content is None else content

    return ImageSource(source.records, read)


def ingest(
    source: ImageSource, seconds: float = PARAMETERS.seconds_per_picture
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Index and quarantine of a source."""
    parameters = PARAMETERS.model_copy(update={"seconds_per_picture": seconds})
    checked = check_images(source, None, parameters)
    index, quarantined, *_ = cluster_images(checked, NO_VERDICTS, PARAMETERS)
    return index, quarantined


def test_the_pipeline_makes_the_index_and_the_quarantine(
    source: ImageSource, tmp_path: Path
) -> None:
    catalog = DataCatalog(
        {"raw_images": MemoryDataset(source, copy_mode="assign"),
         "previous_checked_images": MemoryDataset(None),
         "label_review": MemoryDataset(None),
         "params:ingestion": MemoryDataset(PARAMETERS),
         "params:compute": MemoryDataset(HERE),
         "checked_shards": MemoryDataset(ShardStore(tmp_path / "shards"))}
    )  # fmt: skip
    outputs = SequentialRunner().run(create_pipeline(), catalog)
    assert set(outputs) == {
        "image_index", "quarantined_images", "unlabelled_images",
        "duplicates", "label_conflicts", "image_links",
    }  # fmt: skip
    assert len(outputs["image_index"].load()) == len(source.records)
    assert outputs["quarantined_images"].load().empty


def test_the_index_keeps_the_order_of_the_source(source: ImageSource) -> None:
    index = check_images(source, None, PARAMETERS)
    assert index["image_id"].tolist() == source.records["image_id"].tolist()
    assert index["label"].tolist() == source.records["label"].tolist()


def test_the_index_describes_each_picture(source: ImageSource) -> None:
    index = check_images(source, None, PARAMETERS)
    first = index.iloc[0]
    assert (first["width"], first["height"], first["mode"], first["format"]) == (
        12,
        10,
        "RGB",
        "PNG",
    )
    assert first["bytes"] == len(source.read("00.png"))
    assert index["sha256"].is_unique


def test_whatever_is_wrong_with_a_file_it_is_quarantined_with_its_reason(
    source: ImageSource,
) -> None:
    broken = _break(
        source, {"03.png": b"", "05.png": b"text", "07.png": PictureError("cannot be read: no")}
    )
    index, quarantined = ingest(broken)
    assert dict(zip(quarantined["image_id"], quarantined["reason"], strict=True)) == {
        "03.png": "empty file (0 bytes)",
        "05.png": "not a picture, or of a format that Pillow cannot read",
        "07.png": "cannot be read: no",
    }
    assert (index["status"] == "quarantined").sum() == 3


# Only what would take forever may be ended by the clock, however busy the machine is.
@pytest.mark.parametrize(
    ("seconds", "wild", "reasons"),
    [
        (
            60.0,
            {"02.png": b"crash", "05.png": b"eat", "09.png": b"abort"},
            [
                "crashes its decoder (Segmentation fault)",
                "takes more memory to decode than the 100 MB that memory_mb allows",
                "crashes its decoder (Aborted)",
            ],
        ),
        (
            0.5,
            {"03.png": b"loop_in_c"},
            ["takes longer to decode than the 0.5 s that seconds_per_picture allows"],
        ),
    ],
    ids=["crashes", "hangs"],
)
def test_a_decoder_gone_wild_takes_only_its_own_picture_with_it(
    seconds: float,
    wild: dict[str, bytes],
    reasons: list[str],
    source: ImageSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(DECODERS)
    from misbehaving import check

    monkeypatch.setattr(nodes, "check_picture", check)
    index, quarantined = ingest(_break(source, wild), seconds)
    told = dict(zip(quarantined["image_id"], quarantined["reason"], strict=True))
    assert told == dict(zip(wild, reasons, strict=True))
    wild_rows = index["image_id"].isin(wild)
    # What the file holds is known even so.
    assert index.loc[wild_rows, "bytes"].tolist() == [len(content) for content in wild.values()]
    monkeypatch.undo()
    expected = check_images(source, None, PARAMETERS)
    pd.testing.assert_frame_equal(
        index[~wild_rows].drop(columns=["cluster", "value_range"]),
        expected[~wild_rows].drop(columns="origin"),
    )


def test_a_part_of_a_picture_is_described_as_such(source: ImageSource) -> None:
    records = source.records.copy()
    records.loc[[0, 1], "crop"] = ["1,2,9,8", "1,2,99,8"]
    index, quarantined = ingest(ImageSource(records, source.read))
    whole = check_images(source, None, PARAMETERS)
    assert (index["width"][0], index["height"][0], index["status"][0]) == (8, 6, "ok")
    assert index["sha256"][0] == whole["sha256"][0]
    assert index["pixel_sha256"][0] != whole["pixel_sha256"][0]
    assert quarantined["reason"].tolist() == [
        "its crop leaves the picture of 12×10 pixels: 1,2,99,8 (left, top, right, bottom)"
    ]


def test_the_index_tells_the_colours_of_each_picture(source: ImageSource) -> None:
    index = check_images(_break(source, {"03.png": b""}), None, PARAMETERS)
    looks = index[["brightness", "contrast", "red", "green", "blue"]]
    assert (looks.dtypes == np.float32).all()
    assert looks.iloc[0].tolist() == [255, 0, 255, 255, 255]
    assert looks.iloc[3].isna().all()


def test_two_runs_give_the_same_index_bit_for_bit(source: ImageSource) -> None:
    one, other = (
        check_images(source, None, PARAMETERS.model_copy(update={"workers": workers}))
        for workers in (1, 2)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize(
    "wrong", [{"seconds_per_picture": 0}, {"seconds_per_picture": np.inf}, {"memory_mb": 1}]
)
def test_limits_that_no_picture_could_keep_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(GraftError, match=next(iter(wrong))):
        IngestionParameters.model_validate(PARAMETERS.model_dump() | wrong)


def test_a_quarantined_row_survives_parquet(source: ImageSource, tmp_path) -> None:
    index = check_images(_break(source, {"03.png": b""}), None, PARAMETERS)
    index.to_parquet(tmp_path / "index.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "index.parquet"), index)


def test_the_log_closes_with_the_reasons(
    source: ImageSource, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="graft"):
        ingest(_break(source, {"03.png": b"", "05.png": b""}))
    assert caplog.messages[-1] == "Quarantined  2: 2 × empty file (0 bytes)"


def test_pictures_without_a_label_are_counted_apart(
    source: ImageSource, caplog: pytest.LogCaptureFixture
) -> None:
    records = source.records.copy()
    records.loc[[0, 1], "label"] = np.nan
    with caplog.at_level(logging.INFO, logger="graft"):
        ingest(ImageSource(records, source.read))
    (found,) = [line for line in caplog.messages if line.startswith("Found ")]
    assert re.fullmatch(r"Found +16 pictures in \d classes \(.+\), and 2 without a label", found)


def test_look_alikes_across_classes_are_told_with_what_unties_them(
    source: ImageSource, caplog: pytest.LogCaptureFixture
) -> None:
    index = check_images(source, None, PARAMETERS)
    one, other = index["label"].drop_duplicates().index[:2]
    index.loc[[one, other], "perceptual_hash"] = "00ff00ff00ff00ff"
    with caplog.at_level(logging.INFO, logger="graft"):
        cluster_images(index, NO_VERDICTS, PARAMETERS)
    assert read_told(caplog)[-1] == (
        "Look alike   2 pictures and ones of another class: they stay on one side together "
        "(--params near_duplicate_radius=null unties them)"
    )


def test_no_usable_picture_at_all_is_an_error(source: ImageSource) -> None:
    nothing = ImageSource(source.records, lambda _: b"nothing")
    with pytest.raises(GraftError, match=r"none of the 18 files .* '00.png' \(not a picture"):
        ingest(nothing)


def test_unlabelled_pictures_are_indexed_as_such(source: ImageSource) -> None:
    records = source.records.copy()
    records.loc[0, "label"] = np.nan
    index = check_images(ImageSource(records, source.read), None, PARAMETERS)
    assert index["label"].isna().sum() == 1
    unlabelled = cluster_images(index, NO_VERDICTS, PARAMETERS)[2]
    assert unlabelled["image_id"].tolist() == ["00.png"]
    assert index["status"].eq("ok").all()
