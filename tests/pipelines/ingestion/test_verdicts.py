"""Reviews on labels: read strictly, applied to the very pictures that they were given on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from graft.datasets import LabelReviewDataset
from graft.errors import GraftError
from graft.images.checking import OK
from graft.pipelines.ingestion.labels import COLUMNS, apply_reviews, check_label_review
from graft.sources.label_review import read_label_review

PICTURES = pd.DataFrame(
    {
        "image_id": ["a.png", "b.png", "c.png", "007"],
        "sha256": ["1", "2", "3", "4"],
        "label": ["cat", "dog", "dog", "cat"],
        "status": OK,
        "reason": pd.Series([None] * 4, dtype="str"),
    }
)
HEADER = "rank,image_id,image_sha256,label,action,new_label"


@pytest.fixture
def read(tmp_path: Path):
    """Writes the rows of a table of reviews and reads it."""

    def read_rows(*rows: str, header: str = HEADER, encoding: str = "utf-8"):
        path = tmp_path / "label_review.csv"
        path.write_text("\n".join([header, *rows]), encoding=encoding)
        return read_label_review(path)

    return read_rows


def apply(reviews: pd.DataFrame | None) -> pd.DataFrame:
    return apply_reviews(PICTURES, check_label_review(PICTURES, reviews)).set_index("image_id")


def test_without_a_file_there_are_no_verdicts_and_nothing_changes(tmp_path: Path) -> None:
    reviews = LabelReviewDataset(filepath=str(tmp_path / "label_review.csv")).load()
    assert reviews is None
    assert check_label_review(PICTURES, reviews).columns.tolist() == COLUMNS
    pd.testing.assert_frame_equal(apply(reviews).reset_index(), PICTURES)


def test_relabel_changes_drop_quarantines_and_keep_keeps(read) -> None:
    found = apply(
        read("1,a.png,1,cat,relabel,dog", "2,b.png,2,dog,drop,cat", "3,c.png,3,dog,keep,")
    )
    assert found["label"].tolist() == ["dog", "dog", "dog", "cat"]
    assert found["status"].tolist() == [OK, "quarantined", OK, OK]
    assert found.loc["b.png", "reason"] == "dropped by an action on its label"
    assert found["reason"].notna().sum() == 1


def test_an_open_row_is_no_verdict(read) -> None:
    assert read("1,a.png,1,cat,,dog", "2,b.png,2,dog, ,cat").empty


def test_a_table_that_a_spreadsheet_wrote_is_read(read) -> None:
    semicolons = HEADER.replace(",", ";")
    found = apply(read("1;a.png;1;cat; Relabel ;dog;", header=semicolons, encoding="utf-8-sig"))
    assert found.loc["a.png", "label"] == "dog"


def test_names_that_look_like_numbers_stay_names(read) -> None:
    assert apply(read("1,007,4,cat,relabel,dog")).loc["007", "label"] == "dog"


def test_verdicts_on_other_pixels_or_on_none_are_ignored_with_one_warning(read, caplog) -> None:
    reviews = read("1,a.png,99,cat,relabel,dog", "2,gone.png,5,dog,drop,cat", "3,c.png,3,dog,drop,")
    with caplog.at_level("INFO"):
        applied = check_label_review(PICTURES, reviews)
    assert applied["image_id"].tolist() == ["c.png"]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "2 ignored" in warnings[0]
    assert "row 2 of 'label_review.csv' ('a.png')" in warnings[0]
    assert "Reviews     1 dropped" in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["1,a.png,1,cat,maybe,"], r"row 2 of 'label_review.csv': an action is .*; got 'maybe'$"),
        (["1,a.png,1,cat,relabel,"], r"row 2 of .*relabel needs the right label.*empty cell$"),
        (
            ["1,a.png,1,cat,keep,", "2,a.png,1,cat,,"],
            r"keep one of row 2 .* and row 3 .*'a.png' tw",
        ),
        (
            ["1,a.png,1,cat,relabel,dgo"],
            r"row 2 of .*did you mean 'dog'\? .* cat, dog; .*; got 'dgo'$",
        ),
        (["1,a.png"], r"row 2 of 'label_review.csv' begins with '1'; got 2 cells"),
    ],
)
def test_a_mistake_is_refused_in_one_line_with_file_and_row(read, rows, message) -> None:
    with pytest.raises(GraftError, match=message):
        check_label_review(PICTURES, read(*rows))


def test_a_table_without_the_needed_columns_is_refused(read) -> None:
    with pytest.raises(GraftError, match=r"'label_review.csv' has no column 'image_sha256'"):
        read("a.png,keep,", header="image_id,action,new_label")


def test_a_picture_that_is_broken_anyway_keeps_its_own_reason(read) -> None:
    broken = PICTURES.assign(status="quarantined", reason="truncated")
    applied = check_label_review(PICTURES, read("1,a.png,1,cat,drop,"))
    assert apply_reviews(broken, applied)["reason"].tolist() == ["truncated"] * 4


def test_a_review_that_excel_saved_in_its_own_letters_gets_advice_that_can_be_followed(tmp_path):
    path = tmp_path / "label_review.csv"
    path.write_bytes(f"{HEADER}\n1,käse.png,x,cat,keep,\n".encode("cp1252"))
    with pytest.raises(GraftError, match=r"save it as UTF-8 \(in Excel: File, Save as"):
        read_label_review(path)
