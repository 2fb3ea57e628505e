"""The table that every layout of pictures becomes."""

from __future__ import annotations

import pytest

from graft.errors import GraftError
from graft.images.crops import format_crop, parse_crop
from graft.sources.source import RECORD_COLUMNS, Record, make_records


def test_records_have_the_columns_that_all_stages_know():
    assert RECORD_COLUMNS == [
        "image_id", "label", "group", "source", "crop", "weight", "given_split"
    ]  # fmt: skip


def test_records_are_text_or_missing():
    records = make_records(
        [Record("1.png"), Record("2.png", "cat", "g", "web", "0,0,1,1", "2", "val")]
    )
    assert (records.dtypes == "str").all()
    assert records.isna().iloc[0].tolist() == [False, True, True, True, True, True, True]
    assert records.iloc[1].tolist() == ["2.png", "cat", "g", "web", "0,0,1,1", "2", "val"]


def test_no_records_are_a_table_of_the_same_columns():
    records = make_records([])
    assert list(records.columns) == RECORD_COLUMNS
    assert (records.dtypes == "str").all()


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_crop_is_the_whole_picture(missing):
    assert parse_crop(missing) is None


def test_a_crop_is_left_top_right_bottom():
    assert parse_crop("6,5,37,36") == (6, 5, 37, 36)


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", "1,2,3,4,5", "-1,0,3,4", "1.5,2,3,4", "5,0,5,9", "0,9,5,9", "9,0,5,9", "a,b,c,d",
     " 1,2,3,4", "1,2,3,4\n", "1e2,0,300,4", "9" * 5_000 + ",0,1,1", "٣,0,9,9"],
)  # fmt: skip
def test_what_is_no_crop_is_refused_in_one_line(text):
    with pytest.raises(GraftError, match=r"a crop is 'left,top,right,bottom'.*; got") as error:
        parse_crop(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_cells_of_whole_numbers_are_a_crop():
    assert format_crop([" 6", "5.0", "037", "36."]) == "6,5,37,36"
    assert format_crop(["", " ", "", ""]) is None


@pytest.mark.parametrize(
    "cells", [["1", "", "3", "4"], ["1", "2", "3", "nan"], ["1,2", "3", "4", ""]]
)
def test_other_cells_are_refused(cells):
    with pytest.raises(GraftError, match="a crop is"):
        format_crop(cells)


def test_one_name_in_two_spellings_of_unicode_is_one_class():
    records = make_records([Record("1.png", "caf\u00e9"), Record("2.png", "cafe\u0301")])
    assert records["label"].tolist() == ["caf\u00e9"] * 2
