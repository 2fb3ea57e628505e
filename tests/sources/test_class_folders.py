"""A folder a class, and class folders of tracks."""

from __future__ import annotations

import pytest

from graft.errors import GraftError
from graft.sources.class_folders import read_class_folders, read_track_folders
from graft.sources.source import RECORD_COLUMNS

CLASS_FOLDERS = {
    "daisy/1.png": b"1",
    "daisy/deep/2.png": b"2",
    "rose/1.png": b"3",
    "rose/2.png": b"4",
}
LABELS = {name: name.split("/")[0] for name in CLASS_FOLDERS}


def test_the_first_folder_is_the_label_however_deep_the_picture_lies(pack, get_facts):
    assert get_facts(read_class_folders(pack(CLASS_FOLDERS))) == LABELS


def test_every_picture_is_read_by_its_name(pack):
    source = read_class_folders(pack(CLASS_FOLDERS))
    assert {name: source.read(name) for name in source.records["image_id"]} == CLASS_FOLDERS


def test_the_records_are_text(pack):
    records = read_class_folders(pack(CLASS_FOLDERS)).records
    assert list(records.columns) == RECORD_COLUMNS
    assert (records.dtypes == "str").all()


def test_class_folders_have_no_groups(pack, get_facts):
    assert set(get_facts(read_class_folders(pack(CLASS_FOLDERS)), "group").values()) == {None}


def test_the_records_can_be_stored_whatever_the_names(pack_folder, tmp_path, get_facts):
    source = read_class_folders(pack_folder({"Gänseblümchen/1.png": b"", "雛菊/🌼.png": b""}))
    source.records.to_parquet(tmp_path / "records.parquet")
    assert sorted(get_facts(source).values()) == ["Gänseblümchen", "雛菊"]


def test_the_outer_folder_of_an_archive_is_not_the_label(pack_archive, get_facts):
    files = {f"flowers/{name}": content for name, content in CLASS_FOLDERS.items()}
    source = read_class_folders(pack_archive(files))
    assert get_facts(source) == {f"flowers/{name}": label for name, label in LABELS.items()}
    assert source.read("flowers/rose/2.png") == b"4"


def test_a_licence_beside_the_class_folders_does_not_hide_them(pack_archive, get_facts):
    # As in TensorFlow's well-known flower_photos.tgz.
    files = {f"flowers/{name}": content for name, content in CLASS_FOLDERS.items()}
    source = read_class_folders(pack_archive({**files, "flowers/LICENSE.txt": b"CC-BY"}))
    assert set(get_facts(source).values()) == {"daisy", "rose"}
    assert source.notes == (
        "Folders      the class folders are those in 'flowers'",
        "Left out     1 file beside the class folders: 'flowers/LICENSE.txt'",
    )


def test_pictures_beside_the_class_folders_are_told_as_what_they_are(pack_archive):
    files = {**CLASS_FOLDERS, "readme.md": b"", "one.jpg": b"1", "two.jpg": b"2"}
    assert read_class_folders(pack_archive(files)).notes == (
        "Left out     1 file beside the class folders: 'readme.md'",
        "No label     2 pictures beside the class folders: 'one.jpg', 'two.jpg'",
    )


def test_the_only_folder_of_an_archive_is_the_label_if_pictures_lie_in_it(pack_archive, get_facts):
    source = read_class_folders(pack_archive({"daisy/1.png": b"1", "daisy/deep/2.png": b"2"}))
    assert set(get_facts(source).values()) == {"daisy"}


@pytest.mark.parametrize(
    ("outer", "beside"),
    [
        ("PetImages/", ["readme.txt"]),
        ("pets/pets/", []),
        ("pets/", ["pets/preview.jpg"]),
        ("pets/", ["preview.jpg", "pets/LICENSE"]),
        ("", ["readme.md", "preview.jpg"]),
    ],
)
def test_folders_around_the_class_folders_are_gone_through_and_it_is_told(
    pack, get_facts, outer, beside
):
    files = {f"{outer}{name}": content for name, content in CLASS_FOLDERS.items()}
    source = read_class_folders(pack({**files, **dict.fromkeys(beside, b"")}))
    labels = {name: label for name, label in get_facts(source).items() if label is not None}
    assert labels == {f"{outer}{name}": label for name, label in LABELS.items()}
    # Pictures that name no class stay, unlabelled; a readme is none.
    assert set(get_facts(source)) - {*labels} == {n for n in beside if "jpg" in n}
    told = "\n".join(source.notes)
    assert ("Folders " in told) == bool(outer)
    assert all(f"'{name}'" in told for name in beside)


def test_a_folder_in_the_only_class_is_no_class(pack, get_facts):
    files = {f"cat/{number}.png": b"" for number in range(5)}
    source = read_class_folders(pack({**files, "cat/a/1.png": b"", "cat/b/1.png": b""}))
    assert set(get_facts(source).values()) == {"cat"}


def test_pictures_outside_class_folders_are_unlabelled(pack, get_facts):
    source = read_class_folders(pack({**CLASS_FOLDERS, "loose.png": b"5"}))
    assert get_facts(source) == {**LABELS, "loose.png": None}


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


TRACKS = {
    "00025/00038_00004.ppm": b"1",
    "00025/00038_00005.ppm": b"2",
    "00026/00038_00000.ppm": b"3",
}


def test_the_pictures_of_a_track_are_a_group_of_its_class(pack, get_facts):
    source = read_track_folders(pack(TRACKS))
    assert get_facts(source) == {name: name[:5] for name in TRACKS}
    assert get_facts(source, "group") == {
        "00025/00038_00004.ppm": "00025/00038",
        "00025/00038_00005.ppm": "00025/00038",
        "00026/00038_00000.ppm": "00026/00038",
    }


def test_a_track_is_what_stands_before_the_last_underscore(pack_folder, get_facts):
    source = read_track_folders(pack_folder({"a/left_cam_3_07.png": b"", "a/single.png": b""}))
    assert get_facts(source, "group") == {
        "a/left_cam_3_07.png": "a/left_cam_3", "a/single.png": None
    }  # fmt: skip


def test_the_pattern_of_a_track_may_be_given(pack_folder, get_facts):
    path = pack_folder({"a/t3-frame7.png": b"", "a/t3-frame8.png": b""})
    source = read_track_folders(path, r"(?P<group>t\d+)-frame\d+\.png")
    assert set(get_facts(source, "group").values()) == {"a/t3"}


def test_a_pattern_that_finds_no_track_is_refused(pack_folder):
    with pytest.raises(GraftError, match=r"matches the pattern .*first file is 'a/1\.png'$"):
        read_track_folders(pack_folder({"a/1.png": b""}))


def test_tracks_outside_class_folders_are_unlabelled_groups(pack_folder, get_facts):
    source = read_track_folders(pack_folder({**TRACKS, "00007_00001.ppm": b""}))
    assert get_facts(source)["00007_00001.ppm"] is None
    assert get_facts(source, "group")["00007_00001.ppm"] == "00007"


@pytest.mark.shared
def test_the_traffic_signs_are_tracks_in_class_folders(shared, get_facts):
    path = shared / "data" / "gtsrb" / "Final_Training" / "Images"
    source = read_track_folders(path)
    assert get_facts(source, "group")["00015/00003_00021.ppm"] == "00015/00003"
