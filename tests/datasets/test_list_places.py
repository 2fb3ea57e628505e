"""Where a source of pictures is read from: what must be looked at to know whether it changed."""

from __future__ import annotations

from pathlib import Path

from graft.datasets import (
    ClassFoldersDataset,
    DigitsDataset,
    IdxDataset,
    KerasImagesDataset,
    LabelLineDataset,
    LabelTableDataset,
)

COLUMNS = {"file_column": "file", "label_column": "label"}


def test_a_folder_or_archive_is_its_own_place():
    assert ClassFoldersDataset(filepath="x/all.zip").list_places() == [Path("x/all.zip")]
    assert ClassFoldersDataset(filepath="~/x").list_places() == [Path.home() / "x"]


def test_a_table_is_read_with_the_folder_it_lies_in(tmp_path):
    table = tmp_path / "00001" / "GT.csv"
    table.parent.mkdir()
    table.touch()
    assert LabelTableDataset(filepath=str(table), **COLUMNS).list_places() == [table.parent]
    for place in (tmp_path, table.parent):
        assert LabelTableDataset(filepath=str(place), **COLUMNS).list_places() == [place]
    pattern = str(tmp_path / "*" / "GT.csv")
    assert LabelTableDataset(filepath=pattern, **COLUMNS).list_places() == [table.parent]


def test_a_table_and_a_folder_of_pictures_are_two_places(tmp_path):
    table = tmp_path / "labels.csv"
    table.touch()
    dataset = LabelTableDataset(filepath=str(table), images="pictures", **COLUMNS)
    assert dataset.list_places() == [table, Path("pictures")]


def test_a_line_of_labels_is_read_with_its_folder_or_another_one():
    assert LabelLineDataset(filepath="a/labels.txt").list_places() == [Path("a")]
    dataset = LabelLineDataset(filepath="a/labels.txt", images="b.zip")
    assert dataset.list_places() == [Path("a/labels.txt"), Path("b.zip")]


def test_idx_files_are_read_with_their_labels(tmp_path):
    assert IdxDataset(filepath=str(tmp_path)).list_places() == [tmp_path]
    assert IdxDataset(filepath=str(tmp_path / "p.gz")).list_places() == [tmp_path]
    assert IdxDataset(filepath="p", labels="l").list_places() == [Path("p"), Path("l")]


def test_pictures_that_come_with_a_library_have_no_place():
    assert DigitsDataset().list_places() == []
    assert KerasImagesDataset(name="mnist").list_places() == []


def test_a_relative_folder_of_pictures_is_found_from_a_folder_below(tmp_path, monkeypatch):
    (tmp_path / "data/pictures").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    table = tmp_path / "data/labels.csv"
    table.touch()
    for folder in (tmp_path, tmp_path / "notebooks"):
        monkeypatch.chdir(folder)
        dataset = LabelTableDataset(filepath=str(table), images="data/pictures", **COLUMNS)
        assert [path.resolve() for path in dataset.list_places()] == [
            table, tmp_path / "data/pictures"
        ]  # fmt: skip
