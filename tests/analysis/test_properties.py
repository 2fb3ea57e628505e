"""Trivial properties are derived from the index, missing values stay missing."""

from __future__ import annotations

import numpy as np
import pytest

from graft.analysis.shortcuts import PROPERTIES, derive_properties
from helpers.exploration import make_index


def test_aspect_ratio_and_opponent_colours_by_hand():
    index = make_index(["cat"]).assign(width=300, height=200, red=90.0, green=50.0, blue=20.0)
    row = derive_properties(index).iloc[0]
    assert row["aspect_ratio"] == 1.5
    assert (row["red_green"], row["yellow_blue"]) == (40.0, 50.0)


@pytest.mark.filterwarnings("error")
def test_missing_values_stay_missing():
    index = make_index(["cat", "dog"])
    index.loc[0, ["width", "brightness", "format"]] = None
    row = derive_properties(index).iloc[0]
    assert np.isnan([row["width"], row["aspect_ratio"], row["brightness"]]).all()
    assert row.isna()["format"]


def test_every_property_has_its_columns():
    table = derive_properties(make_index(["cat"] * 3))
    assert {name for one in PROPERTIES for name in one.columns} <= set(table)
    assert table.index.tolist() == [0, 1, 2]
