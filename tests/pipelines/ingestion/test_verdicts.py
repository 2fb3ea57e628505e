"""Reviews on labels: read strictly, applied to the very pictures that they were given on."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from graft.datasets import LabelReviewDataset
from graft.errors import GraftError
from graft.images.checking import OK
from graft.pipelines.ingestion.labels import COLUMNS, apply_reviews, check_label_review
from graft.sources.label_answers import Answer, format_answer
from graft.sources.label_review import read_label_review
from helpers.told import read_told

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


def test_a_class_that_no_picture_has_is_made_by_an_action_of_its_own(read, caplog) -> None:
    with caplog.at_level("INFO"):
        found = apply(
            read("1,a.png,1,cat,new_class,owl", "2,b.png,2,dog,relabel,owl",
                 "3,c.png,3,dog,New_Class,cat")
        )  # fmt: skip
    assert found["label"].tolist() == ["owl", "owl", "cat", "cat"]
    # One that the pictures have anyway is no new one.
    assert "Reviews      2 relabelled, 1 put into new classes" in caplog.text


def give_on_the_page(folder: Path, *lines: tuple[str, str, str, str, str]) -> LabelReviewDataset:
    """Answers as the page writes them: picture, content, action, class, who."""
    answers = [
        Answer(image, sha256, action, label, False, who, "2026-11-30T08:15:00.000001Z")
        for image, sha256, action, label, who in lines
    ]
    (folder / "label_answers.csv").write_bytes(b"".join(map(format_answer, answers)))
    return LabelReviewDataset(filepath=str(folder / "label_review.csv"))


def test_answers_of_the_page_are_taken_beside_the_filled_list(tmp_path: Path, read) -> None:
    read("1,a.png,1,cat,relabel,dog")
    both = give_on_the_page(
        tmp_path, ("b.png", "2", "broken", "", "Ada"), ("007", "4", "relabel", "owl", "Ada")
    )
    assert [path.name for path in both.list_files()] == ["label_review.csv", "label_answers.csv"]
    found = apply(both.load())
    assert found["label"].tolist() == ["dog", "dog", "dog", "owl"]
    assert found["status"].tolist() == [OK, "quarantined", OK, OK]


def test_answers_on_which_people_disagree_are_told_and_not_used(tmp_path: Path, caplog) -> None:
    reviews = give_on_the_page(
        tmp_path, ("a.png", "1", "relabel", "dog", "Ada"), ("a.png", "1", "broken", "", "Bob"),
        ("b.png", "2", "relabel", "cat", "Bob"),
    )  # fmt: skip
    with caplog.at_level("INFO"):
        found = apply(reviews.load())
    assert found["label"].tolist() == ["cat", "cat", "dog", "cat"]
    told = read_told(caplog)[0]
    assert told.startswith("Disagreed    1 answered differently by different people")
    assert "first 'a.png': Ada says dog; Bob says broken" in told


def test_a_line_that_was_cut_short_is_told_and_ignored(tmp_path: Path, caplog) -> None:
    reviews = give_on_the_page(tmp_path, ("a.png", "1", "relabel", "dog", "Ada"))
    with (tmp_path / "label_answers.csv").open("ab") as file:
        file.write(b"b.png,2,rela")
    with caplog.at_level("WARNING"):
        assert apply(reviews.load())["label"].tolist() == ["dog", "dog", "dog", "cat"]
    (told,) = read_told(caplog)
    assert "1 ignored: cut short or no answers; first line 2 of label_answers.csv" in told


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
    (warning,) = read_told(caplog, logging.WARNING)
    assert "2 ignored" in warning
    assert "row 2 of 'label_review.csv' ('a.png')" in warning
    assert "Reviews      1 dropped" in caplog.text


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
