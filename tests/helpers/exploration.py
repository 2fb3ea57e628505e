"""Made-up indexes of pictures with the columns that ingestion writes."""

from __future__ import annotations

import numpy as np
import pandas as pd


def make_index(labels, seed=0, brighter=None, **columns):
    """An index in which no property has to do with the label, but for what is asked for.

    Args:
        labels: One a picture.
        seed: Of all properties.
        brighter: Class whose pictures are 60 levels brighter.
        columns: Columns to replace.
    """
    random, count = np.random.default_rng(seed), len(labels)
    brightness = random.normal(110, 20, count)
    if brighter is not None:
        brightness += 60 * (np.array(labels) == brighter)
    index = {
        "image_id": [f"{number:05d}.jpg" for number in range(count)],
        "label": pd.Series(labels, dtype="str"),
        "group": pd.Series([None] * count, dtype="str"),
        "crop": pd.Series([None] * count, dtype="str"),
        "width": pd.Series(random.integers(200, 500, count), dtype="Int32"),
        "height": pd.Series(random.integers(200, 500, count), dtype="Int32"),
        "bytes": random.lognormal(10, 0.3, count).astype(np.int64),
        "brightness": brightness,
        "contrast": random.normal(50, 8, count),
        **{colour: random.normal(110, 20, count) for colour in ("red", "green", "blue")},
        "format": pd.Series(["JPEG"] * count, dtype="str"),
        "mode": pd.Series(["RGB"] * count, dtype="str"),
        "status": pd.Series(["ok"] * count, dtype="str"),
        "reason": pd.Series([""] * count, dtype="str"),
        "cluster": np.arange(count),
    }
    return pd.DataFrame(index | columns)
