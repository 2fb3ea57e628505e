"""Pictures of more than 8 bits: one range for a set, said in the index and kept to the end."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graft.errors import GraftError
from graft.pipelines.ingestion.parameters import IngestionParameters


def write(path, high, seed):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, high + 1, (40, 40)).astype(np.uint16)
    pixels[0, 0] = high
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    path.write_bytes(buffer.getvalue())


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """Twelve pictures of 12 bits a class, and in one class a dark one."""
    for number in range(12):
        write(tmp_path / f"detector/bone/{number}.png", 4000, number)
        write(tmp_path / f"detector/lung/{number}.png", 3000, 100 + number)
    write(tmp_path / "detector/lung/dark.png", 300, 7)
    Image.new("RGB", (40, 40), (9, 99, 9)).save(tmp_path / "detector/bone/photo.jpg")
    return tmp_path / "detector"


UP_TO_PIXELS = ("--env=own_pictures", "--pipelines=ingestion,splitting,decoding", "--params")


def read(project: Path) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    index = pd.read_parquet(project / "data/02_intermediate/own_pictures/image_index.parquet")
    splits = pd.read_parquet(project / "data/03_primary/own_pictures/splits.parquet")
    images = np.load(project / "data/05_model_input/own_pictures/images.npy")
    return index.set_index("image_id"), dict(zip(splits["image_id"], images, strict=True))


def test_a_set_of_12_bits_is_seen_as_such_and_a_dark_picture_of_it_stays_dark(
    detector: Path, project: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro(*UP_TO_PIXELS, f"source={detector},image_size=40")
    assert outcome.code == 0, outcome.err
    assert "Deep         25 pictures of more than 8 bits (integers): 0-4095 become" in outcome.out
    index, images = read(project)
    assert {*index["value_range"].dropna()} == {"0-4095"}
    assert pd.isna(index.loc["bone/photo.jpg", "value_range"])
    assert index.loc["lung/dark.png", "value_high"] == 300
    assert images["bone/1.png"].max() == round(255 * 4000 / 4095)
    assert images["lung/dark.png"].max() == round(255 * 300 / 4095)


def test_the_range_can_be_given_and_another_makes_other_pixels(
    detector: Path, project: Path, run_kedro: Callable
) -> None:
    assert run_kedro(*UP_TO_PIXELS, f"source={detector},image_size=40").code == 0
    outcome = run_kedro(
        *UP_TO_PIXELS, f"source={detector},image_size=40,ingestion.value_range=0-300"
    )
    assert outcome.code == 0, outcome.err
    index, images = read(project)
    assert {*index["value_range"].dropna()} == {"0-300"}
    assert images["lung/dark.png"].max() == 255


@pytest.mark.parametrize("text", ["4095", "a-b", "9-3", "0-0", ""])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(GraftError, match=r"value_range must be auto, or two numbers such as 0-"):
        IngestionParameters.model_validate(
            {
                "min_side": 4, "max_pixels": 9, "seconds_per_picture": 1.0, "memory_mb": 64,
                "near_duplicate_radius": 4, "label_conflicts": "drop", "workers": 1,
                "value_range": text,
            }
        )  # fmt: skip
