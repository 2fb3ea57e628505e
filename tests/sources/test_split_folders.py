"""Folders of given splits do not become classes; classes that sound like splits stay classes."""

from __future__ import annotations

import pytest

from graft.errors import GraftError
from graft.sources.class_folders import read_class_folders, read_track_folders
from graft.sources.label_tables import read_label_table
from graft.sources.labelled_file_names import read_labelled_file_names
from graft.sources.table_rows import TableColumns


def lay_out(*folders):
    return {f"{folder}/{number}_0.png": b"" for number, folder in enumerate(folders)}


GIVEN = lay_out("train/ants", "train/bees", "val/ants", "val/bees")
READERS = [read_class_folders, read_track_folders]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("outer", ["", "hymenoptera_data/", "data/hymenoptera_data/"])
def test_ants_and_bees_in_train_and_val_are_classes_with_given_splits(pack, get_facts, read, outer):
    source = read(pack({f"{outer}{name}": b"" for name in [*GIVEN, "LICENSE"]}))
    assert get_facts(source) == {f"{outer}{name}": name.split("/")[1] for name in GIVEN}
    assert get_facts(source, "given_split") == {
        f"{outer}{name}": name.split("/")[0] for name in GIVEN
    }


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("train/cat", "train/dog", "val/cat", "test/cat"), ["train", "val", "test"]),
        (("Training/a", "Testing/a", "Testing/b"), ["Training", "Testing"]),
        (("seg_train/sea", "seg_test/sea"), ["seg_train", "seg_test"]),
        (("seg_train/seg_train/sea", "seg_test/seg_test/sea"), ["seg_train", "seg_test"]),
        (("train/n01440764", "val/n01440764", "val/n01443537"), ["train", "val"]),
    ],
    ids=["three", "capitals", "Intel's scenes", "Intel's as zipped", "ImageNet's"],
)
def test_usual_layouts_need_no_parameter(pack, get_facts, folders, splits):
    source = read_class_folders(pack(lay_out(*folders)))
    labels = {folder.split("/")[-1] for folder in folders}
    assert {*get_facts(source).values()} == labels
    assert {*get_facts(source, "given_split").values()} == {*splits}


@pytest.mark.parametrize("split", ["train", "training", "Train", "TRAINING"])
@pytest.mark.parametrize(
    "other", ["valid", "validation", "val", "dev", "test", "Testing", "eval", "evaluation"]
)
def test_every_usual_word_for_a_split_is_known(pack_folder, get_facts, split, other):
    path = pack_folder(lay_out(f"{split}/ants", f"{other}/ants", f"{split}/bees"))
    assert {*get_facts(read_class_folders(path), "given_split").values()} == {split, other}


AMBIGUOUS = {
    "flat": ("train", "test"),
    "an unlabelled test": ("train/ants", "train/bees", "test"),
    "something beside": ("train/ants", "train/bees", "val/ants", "extra/ants"),
    "unlabelled beside": ("seg_train/sea", "seg_test/sea", "seg_pred"),
    "nothing shared": ("train/ants", "train/bees", "val/wasps"),
    "other words": ("trainA/x", "testA/x", "trainB/x", "testB/x"),
}


@pytest.mark.parametrize("folders", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_may_be_meant_so_is_asked_in_one_line(pack_folder, folders):
    with pytest.raises(
        GraftError,
        match=r"called after splits .*: are they given splits, or classes\? say it with --params "
        r"split_folders=splits or split_folders=classes; got '",
    ) as error:
        read_class_folders(pack_folder(lay_out(*folders)))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("folders", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_who_was_asked_can_say_that_they_are_classes(pack_folder, get_facts, folders):
    source = read_class_folders(pack_folder(lay_out(*folders)), "classes")
    assert {*get_facts(source).values()} == {folder.split("/")[0] for folder in folders}
    assert {*get_facts(source, "given_split").values()} == {None}


def test_who_was_asked_can_say_that_they_are_splits(pack_folder, get_facts):
    path = pack_folder(lay_out("seg_train/sea", "seg_test/sea", "seg_pred", "seg_test"))
    source = read_class_folders(path, "splits")
    labels, splits = get_facts(source), get_facts(source, "given_split")
    assert labels == {
        "seg_train/sea/0_0.png": "sea", "seg_test/sea/1_0.png": "sea",
        "seg_pred/2_0.png": None, "seg_test/3_0.png": None,
    }  # fmt: skip
    assert splits["seg_pred/2_0.png"] is None
    assert splits["seg_test/3_0.png"] == "seg_test"


def test_splits_that_are_not_there_cannot_be_asked_for(pack_folder):
    with pytest.raises(GraftError, match=r"needs folders called after splits.*got 'ants', 'bees'"):
        read_class_folders(pack_folder(lay_out("ants", "bees")), "splits")
    with pytest.raises(GraftError, match=r"must be auto or splits or classes; got 'yes'"):
        read_class_folders(pack_folder(lay_out("ants", "bees")), "yes")


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
    with pytest.raises(GraftError, match=r"\('test', 'train'\) stand alone"):
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
    assert {*get_facts(source, "given_split").values()} == {None}


def test_unlabelled_pictures_of_a_test_folder_need_no_such_word(pack_folder):
    path = pack_folder({"train/cat.0.png": b"", "train/dog.1.png": b"", "test/3.png": b""})
    assert read_labelled_file_names(path, r"(?P<label>\w+)\.\d+\.png").notes == ()


def test_a_group_split_in_the_file_names_is_the_given_split(pack_folder, get_facts):
    path = pack_folder({"train_cat_1.png": b"", "Val_dog_2.png": b"", "cat_3.png": b""})
    source = read_labelled_file_names(path, r"((?P<split>train|Val)_)?(?P<label>cat|dog)_\d+\.png")
    assert get_facts(source, "given_split") == {
        "train_cat_1.png": "train", "Val_dog_2.png": "Val", "cat_3.png": None
    }  # fmt: skip


def test_what_is_no_word_for_a_split_is_refused_with_the_words(pack_folder):
    path = pack_folder({"fold1_cat.png": b""})
    with pytest.raises(GraftError, match=r"'fold1_cat.png': a split is called train, .*'fold1'$"):
        read_labelled_file_names(path, r"(?P<split>\w+)_(?P<label>cat)\.png")


SPLIT_TABLE = b"file,label,part\n1.png,cat,train\n2.png,dog, VALID \n3.png,dog,\n"


def test_a_column_of_a_table_is_the_given_split(pack_folder, get_facts):
    files = dict.fromkeys(["1.png", "2.png", "3.png"], b"")
    path = pack_folder({"labels.csv": SPLIT_TABLE, **files})
    columns = TableColumns(file_column="file", label_column="label", split_column="part")
    source = read_label_table(path, columns)
    assert get_facts(source, "given_split") == {"1.png": "train", "2.png": "VALID", "3.png": None}


@pytest.mark.parametrize(
    ("row", "message"),
    [(b"1.png,cat,fold 1\n", r"row 5 of 'labels.csv': a split is called .*got 'fold 1'$"),
     (b"1.png,cat,test\n", "contradict each other about '1.png'")],
)  # fmt: skip
def test_a_column_that_gives_no_split_or_two_is_refused(pack_folder, row, message):
    files = dict.fromkeys(["1.png", "2.png", "3.png"], b"")
    path = pack_folder({"labels.csv": SPLIT_TABLE + row, **files})
    columns = TableColumns(file_column="file", label_column="label", split_column="part")
    with pytest.raises(GraftError, match=message):
        read_label_table(path, columns)
