"""Weights of pictures from a column of the table of labels."""

from __future__ import annotations

import pytest

from graft.errors import GraftError
from graft.images.layouts import TableColumns, read_label_table
from graft.images.sources import RECORD_COLUMNS

PICTURES = {f"{name}.png": b"" for name in "abcdef"}
COLUMNS = TableColumns(file_column="file", label_column="label", weight_column="trust")


def read(pack_folder, *cells, columns=COLUMNS):
    rows = [f"{name}.png,cat,{cell}" for name, cell in zip("abcdef", cells, strict=False)]
    table = "\n".join(["file,label,trust", *rows]).encode()
    return read_label_table(pack_folder({**PICTURES, "labels.csv": table}), columns)


def test_a_column_gives_every_labelled_picture_its_weight(pack_folder, get_facts):
    weights = get_facts(read(pack_folder, "1", "0", " 0.25 ", "1e-3", "+2"), "weight")
    assert list(weights.values()) == ["1", "0", "0.25", "1e-3", "+2", None]
    assert "weight" in RECORD_COLUMNS


def test_a_column_that_nobody_asks_for_may_hold_anything(pack_folder, get_facts):
    columns = TableColumns(file_column="file", label_column="label")
    source = read(pack_folder, "-1", "", columns=columns)
    assert set(get_facts(source, "weight").values()) == {None}


@pytest.mark.parametrize(
    "cell",
    ["", "-1", "nan", "NaN", "inf", "much", "0,5", "1_000", "0x1", "\u0661", "1e39", "1e999"],
)
def test_what_is_no_weight_is_refused_with_its_row(pack_folder, cell):
    with pytest.raises(
        GraftError,
        match=r"^the weight .* at least 0, such as 0\.5; 1 rows .*row 3 of 'labels\.csv': '",
    ):
        read(pack_folder, "1", f'"{cell}"')


def test_all_wrong_rows_are_counted_and_the_first_named(pack_folder):
    with pytest.raises(GraftError) as error:
        read(pack_folder, "1", "-1", "", "nan", "2", "?")
    assert str(error.value).endswith(
        "4 rows have another or none; got row 3 of 'labels.csv': '-1'; row 4 of 'labels.csv': ''; "
        "row 5 of 'labels.csv': 'nan'; row 7 of 'labels.csv': '?'"
    )


def test_a_picture_without_a_label_needs_no_weight(pack_folder, get_facts):
    table = b"file,label,trust\na.png,cat,1\nb.png,,\n"
    source = read_label_table(pack_folder({**PICTURES, "labels.csv": table}), COLUMNS)
    assert get_facts(source, "weight")["b.png"] is None


def test_two_weights_of_one_picture_contradict_each_other(pack_folder):
    table = b"file,label,trust\na.png,cat,1\na.png,cat,2\n"
    with pytest.raises(GraftError, match=r"contradict each other about 'a\.png'.*'weight': '2'"):
        read_label_table(pack_folder({**PICTURES, "labels.csv": table}), COLUMNS)
