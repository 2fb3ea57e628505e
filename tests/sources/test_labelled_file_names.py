"""Labels, groups and sources in file names."""

from __future__ import annotations

import pytest

from graft.errors import GraftError
from graft.sources.labelled_file_names import read_labelled_file_names

FILE_NAMES = ["cat.0.jpg", "dog.0.jpg", "deep/dog.1.jpg"]


def name_files(names):
    return {name: name.encode() for name in names}


def test_labels_are_found_in_file_names_without_their_folders(pack, get_facts):
    path = pack(name_files(FILE_NAMES))
    source = read_labelled_file_names(path, r"(?P<label>\w+)\.\d+\.jpg")
    assert get_facts(source) == {
        "cat.0.jpg": "cat", "dog.0.jpg": "dog", "deep/dog.1.jpg": "dog"
    }  # fmt: skip
    assert source.read("deep/dog.1.jpg") == b"deep/dog.1.jpg"


def test_groups_are_found_in_file_names(pack, get_facts):
    path = pack(name_files(["sign_07_0001.png", "sign_07_0002.png", "post_08_0001.png"]))
    source = read_labelled_file_names(path, r"(?P<label>[a-z]+)_(?P<group>\d+)_\d+\.png")
    assert get_facts(source, "group") == {
        "sign_07_0001.png": "07", "sign_07_0002.png": "07", "post_08_0001.png": "08"
    }  # fmt: skip


def test_a_pattern_without_groups_puts_no_picture_in_a_group(pack_folder, get_facts):
    path = pack_folder(name_files(FILE_NAMES))
    source = read_labelled_file_names(path, r"(?P<label>\w+)\..*")
    assert set(get_facts(source, "group").values()) == {None}


@pytest.mark.parametrize("name", ["readme.txt", "xcat.0.jpg.bak", "cat.jpg"])
def test_names_that_do_not_match_as_a_whole_are_unlabelled(pack_folder, name, get_facts):
    path = pack_folder(name_files([*FILE_NAMES, name]))
    source = read_labelled_file_names(path, r"(?P<label>cat|dog)\.\d+\.jpg")
    assert get_facts(source)[name] is None
    assert get_facts(source)["cat.0.jpg"] == "cat"


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


def test_a_pattern_that_is_a_number_is_refused(pack_folder):
    with pytest.raises(GraftError, match=r"is no regular expression: .*; got 5$"):
        read_labelled_file_names(pack_folder(name_files(FILE_NAMES)), 5)


def test_sources_are_found_in_file_names(pack_folder, get_facts):
    path = pack_folder(name_files(["web-cat.1.jpg", "camera-cat.2.jpg"]))
    source = read_labelled_file_names(path, r"(?P<source>\w+)-(?P<label>\w+)\.\d+\.jpg")
    assert get_facts(source, "source") == {"camera-cat.2.jpg": "camera", "web-cat.1.jpg": "web"}


def test_a_pattern_that_finds_only_empty_labels_is_refused(pack_folder):
    with pytest.raises(GraftError, match="matches the pattern"):
        read_labelled_file_names(pack_folder(name_files(FILE_NAMES)), r"(?P<label>x?).*")


@pytest.mark.shared
def test_real_photographs_are_labelled_by_their_names(shared):
    source = read_labelled_file_names(
        shared / "data" / "cats_vs_dogs", r"(?P<label>cat|dog)\.\d+\.jpg"
    )
    assert set(source.records["label"].dropna()) == {"cat", "dog"}
    assert source.read(source.records["image_id"].iloc[0]).startswith(b"\xff\xd8")
