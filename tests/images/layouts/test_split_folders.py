"""Folders of given splits do not become classes; classes that sound like splits stay classes."""

from __future__ import annotations

import pytest

from graft.errors import GraftError
from graft.images.layouts import (
    TableColumns,
    read_class_folders,
    read_label_table,
    read_labelled_file_names,
    read_track_folders,
)


def lay_out(*folders):
    return {f"{folder}/{number}_0.png": b"" for number, folder in enumerate(folders)}


GIVEN = lay_out("train/ants", "train/bees", "val/ants", "val/bees")


@pytest.mark.parametrize("read", [read_class_folders, read_track_folders])
def test_ants_and_bees_in_train_and_val_are_refused(pack, read):
    with pytest.raises(
        GraftError,
        match=r"called after splits \('train', 'val'\) with folders of the same names in them "
        r"\('ants', 'bees'\) would become classes; .* rename them; got '",
    ) as error:
        read(pack(GIVEN))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("read", [read_class_folders, read_track_folders])
def test_so_are_they_in_the_outer_folder_of_an_archive(pack_archive, read):
    with pytest.raises(GraftError, match="called after splits"):
        read(pack_archive({f"hymenoptera_data/{name}": b"" for name in [*GIVEN, "LICENSE"]}))


@pytest.mark.parametrize("split", ["train", "training", "Train", "TRAINING", "seg_train", "trainA"])
@pytest.mark.parametrize(
    "other", ["valid", "validation", "val", "dev", "test", "Testing", "eval", "evaluation", "test1"]
)
def test_every_usual_word_for_a_split_is_known(pack_folder, split, other):
    with pytest.raises(GraftError, match="called after splits"):
        read_class_folders(pack_folder(lay_out(f"{split}/ants", f"{other}/ants", f"{split}/bees")))


@pytest.mark.parametrize(
    "folders",
    [
        ("train", "test"),
        ("train/ants", "train/bees", "test"),
        ("train/ants", "train/bees", "val/ants", "extra/ants"),
        ("seg_train/seg_train/sea", "seg_test/seg_test/sea", "seg_pred/seg_pred"),
        ("train/ants", "train/bees", "val/wasps"),
    ],
    ids=["flat", "an unlabelled test", "something beside", "deeper", "nothing shared"],
)
def test_what_may_be_meant_so_is_refused(pack_folder, folders):
    with pytest.raises(GraftError, match=r"called after splits .*rename them"):
        read_class_folders(pack_folder(lay_out(*folders)))


@pytest.mark.parametrize(
    "folders",
    [
        ("train", "truck", "bus"),
        ("train/steam", "train/diesel", "truck/diesel", "bus/diesel"),
        ("train", "test", "truck"),
        ("model_train", "toy_train"),
        ("model_train/front", "toy_train/front"),
        ("trains", "tests"),
        ("evaluated", "development", "contest"),
        ("cat/2019", "dog/2019"),
    ],
    ids=lambda folders: " ".join(folders),
)
def test_a_class_that_sounds_like_a_split_stays_a_class(pack_folder, get_facts, folders):
    source = read_class_folders(pack_folder(lay_out(*folders)))
    assert {*get_facts(source).values()} == {folder.split("/")[0] for folder in folders}
    assert source.notes == ()


def test_files_that_are_no_pictures_make_no_folder_a_class(pack_folder):
    files = {**lay_out("train", "test"), "notes/readme.txt": b""}
    with pytest.raises(GraftError, match=r"\('test', 'train'\) alone would become classes"):
        read_class_folders(pack_folder(files))


TABLE = b"file,label\ntrain/1.png,cat\ntest/2.png,dog\n"
NAMES = {"train/cat.png": b"", "test/dog.png": b""}


@pytest.mark.parametrize(
    "read",
    [
        lambda pack: read_class_folders(pack(lay_out("cat/train", "cat/test", "dog/train"))),
        lambda pack: read_labelled_file_names(pack(NAMES), r"(?P<label>\w+)\.png"),
        lambda pack: read_label_table(
            pack({"labels.csv": TABLE, "train/1.png": b"", "test/2.png": b""}),
            TableColumns(file_column="file", label_column="label"),
        ),
    ],
    ids=["folders in classes", "file names", "table"],
)
def test_where_labels_are_known_without_them_it_is_told_that_splits_are_not_kept(
    pack_folder, get_facts, read
):
    source = read(pack_folder)
    assert {*get_facts(source).values()} - {None} == {"cat", "dog"}
    assert source.notes == (
        "Given        folders test, train: no split is taken from them, all are divided anew",
    )


def test_unlabelled_pictures_of_a_test_folder_need_no_such_word(pack_folder):
    path = pack_folder({"train/cat.0.png": b"", "train/dog.1.png": b"", "test/3.png": b""})
    assert read_labelled_file_names(path, r"(?P<label>\w+)\.\d+\.png").notes == ()
