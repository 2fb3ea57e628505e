"""What is shown of a picture: only what was checked, and the pictures nearest to it."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graft.datasets import FeatureShardsDataset
from graft.datasets.features import FeatureBlock
from graft.errors import PictureError
from graft.labelling.looks import LARGE, Looks, make_finder
from helpers.labelling import make_index, make_source


def test_a_file_that_is_another_one_since_is_not_decoded() -> None:
    source = make_source(3, 1)
    index = make_index(source)
    changed = Looks(replace(source, read=lambda _: b"something else"), index, 10_000)
    with pytest.raises(PictureError, match="the picture has changed since the last run"):
        changed.take(0, LARGE)


def test_a_crop_is_what_is_shown_of_it() -> None:
    source = make_source(1, 1)
    index = make_index(source).assign(crop="10,10,30,20")
    # 20×10 pixels are few: each of them is shown as a square.
    data = Looks(source, index, 10_000).take(0, LARGE)
    assert Image.open(BytesIO(data)).size == (1000, 500)


def test_the_nearest_are_labelled_pictures_and_never_the_picture_itself(tmp_path: Path) -> None:
    index = make_index(make_source(5, 4))
    names = [f"{number}.png" for number in range(4)]
    dataset = FeatureShardsDataset(filepath=str(tmp_path / "features"))
    keys = pd.DataFrame({"image_id": [*names, "0.png"], "image_sha256": "", "view": [0] * 4 + [1]})
    vectors = np.array([[1, 0], [1, 0.5], [0, 1], [1, 0.1], [1, 0]], np.float32)
    dataset.save([FeatureBlock(keys, vectors)])
    find = make_finder(dataset.load(), index, 2)
    assert [(one["row"], one["label"]) for one in find("0.png")] == [(3, "犬"), (1, "犬")]
    assert find("0.png")[0]["similarity"] == pytest.approx(0.995)
    # Of a picture without features nothing is near.
    assert find("4.png") == []
