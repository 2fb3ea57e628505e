"""CSV files for people: no formula, no row too many, and everything read back unharmed."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from graft.datasets import CSVDataset, LabelReviewDataset
from graft.spreadsheets import escape_formula, unescape_formula

SIGNS = "=+-@\t\r\n＝＋－＠"
# Names as file systems and tables may have them: any characters but NUL.
texts = st.text(st.sampled_from(f"'{SIGNS}a,;\"1 猫"), min_size=1, max_size=6) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
)
anything = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None
)


def read_rows(path, delimiter=","):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter, strict=True))


def make_dataset(path, *columns):
    types = {"dtype": dict.fromkeys(columns, str), "keep_default_na": False, "na_values": [""]}
    return CSVDataset(filepath=str(path), load_args=types)


@anything
@given(names=st.lists(texts, min_size=1))
@example(names=["=HYPERLINK(A1)", "Icon\r", "x\ry.jpg", "'=1", "''@", "'", "\r", "a\r\nb"])
def test_names_are_read_back_unharmed(tmp_path, names):
    dataset = make_dataset(tmp_path / "table.csv", "image_id")
    dataset.save(pd.DataFrame({"image_id": names, "change": -1.5}))
    loaded = dataset.load()
    assert loaded["image_id"].tolist() == names
    assert (loaded["change"] == -1.5).all()


@anything
@given(names=st.lists(texts, min_size=1), column=texts)
def test_no_cell_is_a_formula_and_every_row_is_one(tmp_path, names, column):
    make_dataset(tmp_path / "table.csv").save(pd.DataFrame({column: names, "number": -1}))
    rows = read_rows(tmp_path / "table.csv")
    assert len(rows) == 1 + len(names)
    assert not any(row[0].startswith(tuple(SIGNS)) for row in rows)
    # Numbers are numbers, negative ones too.
    assert {row[1] for row in rows[1:]} == {"-1"}


@settings(deadline=None)
@given(text=texts)
def test_escaping_is_undone_and_leaves_a_plain_text_alone(text):
    assert unescape_formula(escape_formula(text)) == text
    assert (escape_formula(text) == text) == (not text.lstrip("'").startswith(tuple(SIGNS)))


def test_names_of_columns_are_escaped_too(tmp_path):
    dataset = make_dataset(tmp_path / "table.csv")
    dataset.save(pd.DataFrame({"=1+1": [1]}))
    assert read_rows(tmp_path / "table.csv")[0] == ["'=1+1"]
    assert list(dataset.load()) == ["=1+1"]


def test_a_table_is_not_changed_by_being_saved(tmp_path):
    table = pd.DataFrame({"image_id": ["=1", None], "kind": pd.Categorical(["@a", "b"])})
    before = table.copy(deep=True)
    make_dataset(tmp_path / "table.csv").save(table)
    pd.testing.assert_frame_equal(table, before)
    assert read_rows(tmp_path / "table.csv")[1:] == [["'=1", "'@a"], ["", "b"]]


def save_again(path, delimiter, keeps_apostrophes):
    """As a spreadsheet does: other separators, a byte order mark, no quotes unless needed."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, delimiter=delimiter, lineterminator="\r\n")
    for row in read_rows(path):
        writer.writerow(row if keeps_apostrophes else map(unescape_formula, row))
    path.write_bytes(table.getvalue().encode("utf-8-sig"))


@anything
@pytest.mark.parametrize("keeps_apostrophes", [True, False])
@given(names=st.lists(texts, min_size=1, unique=True), delimiter=st.sampled_from(",;\t"))
def test_a_review_of_labels_comes_back_from_a_spreadsheet(
    tmp_path, names, delimiter, keeps_apostrophes
):
    if not keeps_apostrophes:
        # LibreOffice takes an apostrophe before a formula for its own mark and drops it.
        names = [name for name in names if unescape_formula(name) == name]
    path = tmp_path / "label_review.csv"
    doubts = {"image_id": names, "image_sha256": "ab", "action": "relabel", "new_label": "=cat"}
    make_dataset(path).save(pd.DataFrame(doubts))
    save_again(path, delimiter, keeps_apostrophes)
    verdicts = LabelReviewDataset(filepath=str(path)).load()
    assert verdicts["image_id"].tolist() == names
    assert set(verdicts["new_label"]) <= {"=cat"}
