"""Sources: every layout of pictures becomes one table of names, labels and groups."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from graft.errors import GraftError
from graft.images.decoding import decode_picture
from graft.images.sources import (
    RECORD_COLUMNS,
    read_class_folders,
    read_digits,
    read_labelled_file_names,
)

CLASS_FOLDERS = {
    "daisy/1.png": b"1",
    "daisy/deep/2.png": b"2",
    "rose/1.png": b"3",
    "rose/2.png": b"4",
}
LABELS = {name: name.split("/")[0] for name in CLASS_FOLDERS}


def get_labels(source):
    labels = source.records.set_index("image_id")["label"]
    return labels.astype(object).where(labels.notna(), None).to_dict()


def get_groups(source):
    groups = source.records.set_index("image_id")["group"]
    return groups.astype(object).where(groups.notna(), None).to_dict()


def test_the_first_folder_is_the_label_however_deep_the_picture_lies(pack):
    assert get_labels(read_class_folders(pack(CLASS_FOLDERS))) == LABELS


def test_every_picture_is_read_by_its_name(pack):
    source = read_class_folders(pack(CLASS_FOLDERS))
    assert {name: source.read(name) for name in source.records["image_id"]} == CLASS_FOLDERS


def test_the_records_are_text(pack):
    records = read_class_folders(pack(CLASS_FOLDERS)).records
    assert list(records.columns) == RECORD_COLUMNS
    assert (records.dtypes == "str").all()


def test_class_folders_have_no_groups(pack):
    assert set(get_groups(read_class_folders(pack(CLASS_FOLDERS))).values()) == {None}


def test_the_records_can_be_stored_whatever_the_names(pack_folder, tmp_path):
    source = read_class_folders(pack_folder({"Gänseblümchen/1.png": b"", "雛菊/🌼.png": b""}))
    source.records.to_parquet(tmp_path / "records.parquet")
    assert sorted(get_labels(source).values()) == ["Gänseblümchen", "雛菊"]


def test_the_outer_folder_of_an_archive_is_not_the_label(pack_archive):
    files = {f"flowers/{name}": content for name, content in CLASS_FOLDERS.items()}
    source = read_class_folders(pack_archive(files))
    assert get_labels(source) == {f"flowers/{name}": label for name, label in LABELS.items()}
    assert source.read("flowers/rose/2.png") == b"4"


def test_a_licence_beside_the_class_folders_does_not_hide_them(pack_archive):
    # As in TensorFlow's well-known flower_photos.tgz.
    files = {f"flowers/{name}": content for name, content in CLASS_FOLDERS.items()}
    source = read_class_folders(pack_archive({**files, "flowers/LICENSE.txt": b"CC-BY"}))
    assert set(get_labels(source).values()) == {"daisy", "rose", None}


def test_the_only_folder_of_an_archive_is_the_label_if_pictures_lie_in_it(pack_archive):
    source = read_class_folders(pack_archive({"daisy/1.png": b"1", "daisy/deep/2.png": b"2"}))
    assert set(get_labels(source).values()) == {"daisy"}


def test_the_only_folder_in_a_folder_is_the_label(pack_folder):
    files = {f"flowers/{name}": content for name, content in CLASS_FOLDERS.items()}
    assert set(get_labels(read_class_folders(pack_folder(files))).values()) == {"flowers"}


def test_pictures_outside_class_folders_are_unlabelled(pack):
    source = read_class_folders(pack({**CLASS_FOLDERS, "loose.png": b"5"}))
    assert get_labels(source) == {**LABELS, "loose.png": None}


def test_a_source_without_files_is_refused(pack):
    path = pack({".DS_Store": b"litter"})
    with pytest.raises(GraftError, match="holds no files; put pictures there, or name another"):
        read_class_folders(path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(GraftError, match="holds no files"):
        read_class_folders(tmp_path)


def test_a_missing_source_is_refused(tmp_path):
    with pytest.raises(GraftError, match=r"give one that exists.*--params source=FOLDER"):
        read_class_folders(tmp_path / "missing")


FILE_NAMES = ["cat.0.jpg", "dog.0.jpg", "deep/dog.1.jpg"]


def name_files(names):
    return {name: name.encode() for name in names}


def test_labels_are_found_in_file_names_without_their_folders(pack):
    path = pack(name_files(FILE_NAMES))
    source = read_labelled_file_names(path, r"(?P<label>\w+)\.\d+\.jpg")
    assert get_labels(source) == {
        "cat.0.jpg": "cat", "dog.0.jpg": "dog", "deep/dog.1.jpg": "dog"
    }  # fmt: skip
    assert source.read("deep/dog.1.jpg") == b"deep/dog.1.jpg"


def test_groups_are_found_in_file_names(pack):
    path = pack(name_files(["sign_07_0001.png", "sign_07_0002.png", "post_08_0001.png"]))
    source = read_labelled_file_names(path, r"(?P<label>[a-z]+)_(?P<group>\d+)_\d+\.png")
    assert get_groups(source) == {
        "sign_07_0001.png": "07", "sign_07_0002.png": "07", "post_08_0001.png": "08"
    }  # fmt: skip


def test_a_pattern_without_groups_puts_no_picture_in_a_group(pack_folder):
    path = pack_folder(name_files(FILE_NAMES))
    source = read_labelled_file_names(path, r"(?P<label>\w+)\..*")
    assert set(get_groups(source).values()) == {None}


@pytest.mark.parametrize("name", ["readme.txt", "xcat.0.jpg.bak", "cat.jpg"])
def test_names_that_do_not_match_as_a_whole_are_unlabelled(pack_folder, name):
    path = pack_folder(name_files([*FILE_NAMES, name]))
    source = read_labelled_file_names(path, r"(?P<label>cat|dog)\.\d+\.jpg")
    assert get_labels(source)[name] is None
    assert get_labels(source)["cat.0.jpg"] == "cat"


def test_a_pattern_that_matches_no_name_is_refused_with_an_example(pack_folder):
    path = pack_folder(name_files(FILE_NAMES))
    with pytest.raises(GraftError, match=r"matches the pattern .*the first file is 'cat\.0\.jpg'$"):
        read_labelled_file_names(path, r"(?P<label>\w+)\.png")


def test_a_pattern_that_is_no_regular_expression_is_refused(pack_folder):
    path = pack_folder(name_files(FILE_NAMES))
    with pytest.raises(GraftError, match=r"is no regular expression: .*; got '\(\?P<label>\['$"):
        read_labelled_file_names(path, r"(?P<label>[")


def test_a_pattern_without_a_label_is_refused(pack_folder):
    path = pack_folder(name_files(FILE_NAMES))
    with pytest.raises(GraftError, match=r"needs a named group \(\?P<label>…\); got"):
        read_labelled_file_names(path, r"(?P<class>\w+)\.\d+\.jpg")


def test_the_digits_are_1797_pictures_with_their_labels():
    records = read_digits().records
    assert len(records) == 1797
    assert records["image_id"].is_unique
    assert records["label"].tolist() == [str(digit) for digit in load_digits().target]
    assert records["group"].isna().all()


@pytest.mark.parametrize("number", [0, 1, 1796])
def test_a_digit_is_its_ink_spread_over_all_greys(number):
    pixels = decode_picture(read_digits().read(f"digit_{number:04d}.png"), 8, max_pixels=64)
    ink = np.round(load_digits().images[number] * 255 / 16)
    np.testing.assert_array_equal(pixels, np.stack([ink] * 3, axis=-1))


def test_the_number_of_digits_can_be_limited():
    records = read_digits(limit=5).records
    assert records["label"].tolist() == ["0", "1", "2", "3", "4"]


@pytest.mark.shared
def test_real_photographs_are_labelled_by_their_names(shared):
    source = read_labelled_file_names(
        shared / "data" / "cats_vs_dogs", r"(?P<label>cat|dog)\.\d+\.jpg"
    )
    assert set(source.records["label"].dropna()) == {"cat", "dog"}
    assert source.read(source.records["image_id"].iloc[0]).startswith(b"\xff\xd8")
