"""Image sources as catalog entries: read, never written; quick to import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kedro.io import DatasetError

import graft
from graft.datasets import ClassFoldersDataset, DigitsDataset, LabelledFileNamesDataset
from graft.errors import GraftError


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


SOURCES = [
    lambda path: ClassFoldersDataset(filepath=path),
    lambda path: LabelledFileNamesDataset(filepath=path, pattern="(?P<label>.)"),
    lambda _: DigitsDataset(),
]


@pytest.mark.parametrize("make", SOURCES, ids=["class folders", "file names", "digits"])
def test_a_source_is_never_written(folder, make):
    before = sorted(folder.rglob("*"))
    with pytest.raises(DatasetError, match="it is read, never written"):
        make(str(folder)).save("anything")
    assert sorted(folder.rglob("*")) == before


def test_importing_the_catalog_types_does_not_import_tensorflow():
    code = "import sys, graft.datasets; print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(graft.__file__).parents[1])},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
