"""Small files of the user: their content counts, their place and their age do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from graft.caching.ledger import Ledger
from graft.datasets import LabelReviewDataset
from graft.pipelines.tabular.tables import TableFileDataset
from graft.pipelines.text_classification.tokens import TokenTablesDataset


def describe(path: Path) -> str | None:
    return Ledger().describe_content(LabelReviewDataset(filepath=str(path)))


def test_a_file_that_is_not_there_is_nothing_and_coming_or_going_is_a_change(
    tmp_path: Path,
) -> None:
    path = tmp_path / "label_review.csv"
    assert describe(path) is None
    path.write_text("a")
    first = describe(path)
    path.write_text("b")
    assert len({None, first, describe(path)}) == 3
    path.unlink()
    assert describe(path) is None


def test_the_same_content_elsewhere_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for folder in (tmp_path, tmp_path / "other"):
        (folder / "label_review.csv").write_text("a")
    assert describe(tmp_path / "label_review.csv") == describe(tmp_path / "other/label_review.csv")


@pytest.mark.parametrize("kind", ["table", "texts"])
def test_tables_and_texts_of_the_user_count_by_their_content_too(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "train.parquet"
    dataset = {
        "table": TableFileDataset(filepath=str(file)),
        "texts": TokenTablesDataset(filepath=str(tmp_path), class_names=["a", "b"]),
    }[kind]
    file.write_text("1")
    before = Ledger().describe_content(dataset)
    file.write_text("2")
    assert before is not None
    assert Ledger().describe_content(dataset) != before
