"""Image sources as catalog entries: read, never written; quick to import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kedro.io import AbstractDataset, DatasetError

import graft
from graft.cli import explain
from graft.datasets import (
    ClassFoldersDataset,
    DigitsDataset,
    IdxDataset,
    KerasImagesDataset,
    LabelledFileNamesDataset,
    LabelLineDataset,
    LabelTableDataset,
    TrackFoldersDataset,
)
from graft.errors import GraftError
from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/cat.0.jpg", "dog/dog.0.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_class_folders_are_loaded(folder):
    source = ClassFoldersDataset(filepath=str(folder)).load()
    assert source.records["label"].tolist() == ["cat", "dog"]
    assert source.read("cat/cat.0.jpg") == b"cat/cat.0.jpg"


def test_labelled_file_names_are_loaded(folder):
    dataset = LabelledFileNamesDataset(filepath=str(folder), pattern=r"(?P<label>\w+)\.0\.jpg")
    assert dataset.load().records["label"].tolist() == ["cat", "dog"]


def test_digits_are_loaded():
    assert DigitsDataset(limit=3).load().records["label"].tolist() == ["0", "1", "2"]
    assert DigitsDataset().exists()


@pytest.mark.parametrize("path", ["", "missing"])
def test_a_source_exists_if_its_folder_does(folder, path):
    assert ClassFoldersDataset(filepath=str(folder / path)).exists() == (path == "")


def test_a_source_at_home_exists(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert ClassFoldersDataset(filepath=f"~/{folder.name}").exists()


def test_a_missing_source_is_a_mistake_of_the_user(folder):
    with pytest.raises(DatasetError, match="no folder or archive of pictures") as error:
        ClassFoldersDataset(filepath=str(folder / "missing")).load()
    assert isinstance(error.value.__cause__, GraftError)


def test_tracks_are_loaded(tmp_path):
    (tmp_path / "25").mkdir()
    (tmp_path / "25" / "38-5.png").touch()
    dataset = TrackFoldersDataset(filepath=str(tmp_path), pattern=r"(?P<group>\d+)-.*")
    assert dataset.load().records["group"].tolist() == ["25/38"]
    (tmp_path / "25" / "38_5.png").touch()
    records = TrackFoldersDataset(filepath=str(tmp_path)).load().records
    assert records["group"].dropna().tolist() == ["25/38"]


def test_a_table_of_labels_is_loaded(folder):
    (folder / "labels.csv").write_text("name,class,side\ncat/cat.0.jpg,7,left\n")
    dataset = LabelTableDataset(
        filepath=str(folder / "labels.csv"),
        file_column="name", label_column="class", group_column="side", label_digits=2,
    )  # fmt: skip
    assert dataset.exists()
    records = dataset.load().records
    assert records.loc[0, ["label", "group"]].tolist() == ["07", "left"]
    assert records["label"].isna().tolist() == [False, True]


def test_tables_named_by_a_pattern_exist_if_one_does(folder):
    (folder / "cat" / "labels.csv").touch()
    names = {"file_column": "a", "label_column": "b"}
    assert LabelTableDataset(filepath=str(folder / "*" / "labels.csv"), **names).exists()
    assert not LabelTableDataset(filepath=str(folder / "*" / "no.csv"), **names).exists()


def test_an_unknown_option_of_a_table_is_refused_by_its_name():
    definition = {
        "type": "graft.datasets.LabelTableDataset", "filepath": "x.csv",
        "file_column": "a", "label_column": "b", "crops": [],
    }  # fmt: skip
    with pytest.raises(DatasetError, match="crops"):
        AbstractDataset.from_config("raw_images", definition)


def test_columns_that_contradict_each_other_are_a_mistake_of_the_user():
    definition = {
        "type": "graft.datasets.LabelTableDataset", "filepath": "x.csv",
        "file_column": "a", "label_column": "b", "group_column": "c", "group_pattern": "d",
    }  # fmt: skip
    with pytest.raises((DatasetError, GraftError)) as error:
        AbstractDataset.from_config("raw_images", definition)
    assert "by group_column or by group_pattern" in str(explain(error.value))


def test_a_line_of_labels_is_loaded(folder):
    (folder / "labels.txt").write_text("OM")
    dataset = LabelLineDataset(
        filepath=str(folder / "labels.txt"), class_names={"O": "old", "M": "modern"}
    )
    assert dataset.load().records["label"].tolist() == ["old", "modern"]


def test_idx_files_are_loaded(tmp_path):
    (tmp_path / "t-images-idx3-ubyte").write_bytes(
        bytes([0, 0, 8, 3, *([0, 0, 0, 2] * 3), *range(8)])
    )
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 6]))
    dataset = IdxDataset(filepath=str(tmp_path), limit=1)
    assert dataset.load().records["label"].tolist() == ["5"]


SOURCES = [
    lambda path: ClassFoldersDataset(filepath=path),
    lambda path: LabelledFileNamesDataset(filepath=path, pattern="(?P<label>.)"),
    lambda path: LabelTableDataset(filepath=path, file_column="a", label_column="b"),
    lambda path: IdxDataset(filepath=path),
    lambda _: KerasImagesDataset(name="mnist"),
    lambda _: DigitsDataset(),
]


@pytest.mark.parametrize(
    "make", SOURCES, ids=["class folders", "file names", "table", "idx", "keras", "digits"]
)
def test_a_source_is_never_written(folder, make):
    before = sorted(folder.rglob("*"))
    with pytest.raises(DatasetError, match="it is read, never written"):
        make(str(folder)).save("anything")
    assert sorted(folder.rglob("*")) == before


def load_environment(environment, source):
    loader = TextKeepingConfigLoader(
        str(ROOT / "conf"), env=environment, runtime_params={"source": str(source)},
        **CONFIG_LOADER_ARGS,
    )  # fmt: skip
    return AbstractDataset.from_config("raw_images", loader["catalog"]["raw_images"]).load().records


@pytest.mark.shared
@pytest.mark.parametrize(
    ("environment", "source", "pictures", "first", "last", "groups"),
    [
        ("gtsrb", "gtsrb", 1_290, "00", "42", 258),
        ("mnist", "mnist", 10_000, "0", "9", 0),
        ("caltech101", "caltech101/101_ObjectCategories", 600, "accordion", "watch", 0),
    ],
)
def test_an_environment_reads_its_data_set(
    shared, environment, source, pictures, first, last, groups
):
    records = load_environment(environment, shared / "data" / source)
    labels = sorted(records["label"].dropna().unique())
    assert (len(records), labels[0], labels[-1]) == (pictures, first, last)
    assert records["group"].nunique() == groups


def test_the_environment_of_rooms_reads_letters_and_pictures_of_one_folder(tmp_path):
    for number in (2, 10, 1):
        (tmp_path / f"bed_{number}.jpg").touch()
    (tmp_path / "labels.txt").write_text("OMO")
    records = load_environment("house_rooms", tmp_path).set_index("image_id")["label"]
    assert records.to_dict() == {"bed_1.jpg": "old", "bed_2.jpg": "modern", "bed_10.jpg": "old"}


def test_importing_the_catalog_types_does_not_import_tensorflow():
    code = "import sys, graft.datasets; print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(graft.__file__).parents[1])},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
