"""Ingestion: every file is described, the broken ones are set apart."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from graft.errors import GraftError
from graft.images.decoding import PictureError
from graft.images.sources import ImageSource
from graft.pipelines.ingestion import create_pipeline
from graft.pipelines.ingestion.nodes import check_images
from graft.pipelines.ingestion.parameters import IngestionParameters

PARAMETERS = IngestionParameters(min_side=4, max_pixels=1000, workers=2)


def _break(source: ImageSource, broken: dict[str, bytes | PictureError]) -> ImageSource:
    def read(image_id: str) -> bytes:
        content = broken.get(image_id)
        if isinstance(content, PictureError):
            raise content
        return source.read(image_id) if content is None else content

    return ImageSource(source.records, read)


def test_the_pipeline_makes_the_index_and_the_quarantine(source: ImageSource) -> None:
    catalog = DataCatalog(
        {"raw_images": MemoryDataset(source, copy_mode="assign"),
         "params:ingestion": MemoryDataset(PARAMETERS)}
    )  # fmt: skip
    outputs = SequentialRunner().run(create_pipeline(), catalog)
    assert set(outputs) == {"image_index", "quarantined_images"}
    assert len(outputs["image_index"].load()) == len(source.records)
    assert outputs["quarantined_images"].load().empty


def test_the_index_keeps_the_order_of_the_source(source: ImageSource) -> None:
    index, _ = check_images(source, PARAMETERS)
    assert index["image_id"].tolist() == source.records["image_id"].tolist()
    assert index["label"].tolist() == source.records["label"].tolist()


def test_the_index_describes_each_picture(source: ImageSource) -> None:
    index, _ = check_images(source, PARAMETERS)
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
    index, quarantined = check_images(broken, PARAMETERS)
    assert dict(zip(quarantined["image_id"], quarantined["reason"], strict=True)) == {
        "03.png": "empty file (0 bytes)",
        "05.png": "not a picture, or of a format that Pillow cannot read",
        "07.png": "cannot be read: no",
    }
    assert (index["status"] == "quarantined").sum() == 3


def test_a_quarantined_row_survives_parquet(source: ImageSource, tmp_path) -> None:
    index, _ = check_images(_break(source, {"03.png": b""}), PARAMETERS)
    index.to_parquet(tmp_path / "index.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "index.parquet"), index)


def test_the_log_closes_with_the_reasons(
    source: ImageSource, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="graft"):
        check_images(_break(source, {"03.png": b"", "05.png": b""}), PARAMETERS)
    assert caplog.messages[-1] == "Quarantined  2: 2 × empty file (0 bytes)"


def test_no_usable_picture_at_all_is_an_error(source: ImageSource) -> None:
    nothing = ImageSource(source.records, lambda _: b"nothing")
    with pytest.raises(GraftError, match=r"none of the 18 files .* '00.png' \(not a picture"):
        check_images(nothing, PARAMETERS)


def test_unlabelled_pictures_are_indexed_as_such(source: ImageSource) -> None:
    records = source.records.copy()
    records.loc[0, "label"] = np.nan
    index, _ = check_images(ImageSource(records, source.read), PARAMETERS)
    assert index["label"].isna().sum() == 1
    assert index["status"].eq("ok").all()
