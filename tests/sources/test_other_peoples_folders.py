"""Folders and archives as other people have them: what is left out is told, nothing vanishes."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from graft.datasets import ClassFoldersDataset
from graft.errors import GraftError, PictureError
from graft.sources.class_folders import read_class_folders
from graft.sources.label_lines import read_label_line
from graft.sources.stores import open_store

CLASSES = {"cat/1.png": b"1", "dog/1.png": b"2"}


@pytest.mark.parametrize(
    "folder",
    ["@eaDir", "$RECYCLE.BIN", "$Recycle.Bin", ".Trashes", "lost+found", ".ipynb_checkpoints",
     "#recycle", "System Volume Information"],
)  # fmt: skip
def test_system_folders_are_left_out_and_told(pack, get_facts, folder):
    files = {f"{folder}/1.png": b"", f"cat/{folder}/deep/2.png": b""}
    source = read_class_folders(pack({**CLASSES, **files}))
    assert get_facts(source) == {"cat/1.png": "cat", "dog/1.png": "dog"}
    told = ", ".join(map(repr, sorted([folder, f"cat/{folder}"])))
    assert source.notes == (f"Left out     hidden or system folders with pictures in them: {told}",)


def test_what_holds_no_picture_is_left_out_without_a_word(pack):
    files = {".git/config": b"", "__MACOSX/cat/._1.png": b"", ".DS_Store": b"", "cat/.x.png": b""}
    assert read_class_folders(pack({**CLASSES, **files})).notes == ()


def make_zip(path, names, flag=0, extra=b""):
    """A zip whose names are these bytes, as a program writes them that Python does not know."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            stand_in = f"{number:x>{len(name)}}"
            member = zipfile.ZipInfo(stand_in)
            member.extra = extra
            archive.writestr(member, b"content")
    data = path.read_bytes()
    for number, name in enumerate(names):
        data = data.replace(f"{number:x>{len(name)}}".encode(), name)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("kätzchen/Möhre.png".encode(), "kätzchen/Möhre.png"),
        ("日本/犬.png".encode(), "日本/犬.png"),
        ("kätzchen/1.png".encode("cp437"), "kätzchen/1.png"),
        (b"plain/1.png", "plain/1.png"),
    ],
    ids=["UTF-8", "more UTF-8", "letters of MS-DOS", "ASCII"],
)
def test_names_of_a_zip_without_a_mark_are_read_as_they_were_meant(tmp_path, written, name):
    store = open_store(make_zip(tmp_path / "a.zip", [written]))
    assert store.names == [name]
    assert store.read(name) == b"content"


def test_a_zip_made_on_windows_has_folders(tmp_path, get_facts):
    path = make_zip(tmp_path / "a.zip", [rb"pets\cat\1.png",
                                         rb"pets\dog\1.png"])  # fmt: skip
    assert get_facts(read_class_folders(path)) == {
        "pets/cat/1.png": "cat", "pets/dog/1.png": "dog"
    }  # fmt: skip


def test_backslashes_beside_slashes_are_letters_of_a_name(tmp_path):
    path = make_zip(tmp_path / "a.zip", [b"cat/a\\b.png", b"cat/1.png"])
    assert "cat/a\\b.png" in open_store(path).names


def test_a_zip_in_which_backslashes_lead_out_is_not_followed(tmp_path):
    path = make_zip(tmp_path / "a.zip", [rb"..\evil.png"])
    (name,) = open_store(path).names
    with pytest.raises(PictureError, match="leaves the archive"):
        open_store(path).read(name)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_twice_in_an_archive_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in [("cat/1.png", b"old"), ("dog/1.png", b"x"), ("cat/1.png", b"new")]:
            archive.writestr(name, content)
    source = read_class_folders(tmp_path / "a.zip")
    assert source.read("cat/1.png") == b"new"
    assert source.notes == (
        "Twice        1 names are in the archive more than once, of each the last is taken; "
        "first 'cat/1.png'",
    )


def add_link(archive, name, target, kind=tarfile.LNKTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    archive.addfile(member)


def test_hard_links_in_a_tar_are_the_files_that_they_lead_to(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("all/1.png")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"cat"))
        add_link(archive, "cat/1.png", "all/1.png")
        add_link(archive, "cat/2.png", "cat/1.png")
        add_link(archive, "cat/3.png", "nowhere.png")
        add_link(archive, "cat/4.png", "cat/4.png")
    store = open_store(tmp_path / "a.tar")
    assert store.read("cat/1.png") == store.read("cat/2.png") == b"cat"
    with pytest.raises(PictureError, match="a hard link to a file that is not in the archive"):
        store.read("cat/3.png")
    with pytest.raises(PictureError, match="not a regular file"):
        store.read("cat/4.png")


def test_a_class_folder_without_a_file_is_named(pack_folder, tmp_path):
    path = pack_folder({f"pets/{name}": b"" for name in CLASSES})
    (path / "pets/owl").mkdir()
    assert (
        "Empty        class folders without a file: 'pets/owl'"
        in read_class_folders(path).notes[-1]
    )


def test_a_class_folder_without_a_file_is_named_of_an_archive_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in CLASSES:
            archive.writestr(name, b"")
        archive.mkdir("owl")
    assert read_class_folders(tmp_path / "a.zip").notes == (
        "Empty        class folders without a file: 'owl'",
    )


@pytest.fixture
def linked(pack_folder, tmp_path):
    """A class that is a link, a picture that is one, and a link in a circle."""
    path = pack_folder(CLASSES)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/7.png").write_bytes(b"7")
    (path / "owl").symlink_to(tmp_path / "cache")
    (path / "cat/2.png").symlink_to(tmp_path / "cache/7.png")
    (path / "dog/round").symlink_to(path)
    return path


def test_links_are_not_followed_and_it_is_told_how_they_are(linked):
    source = read_class_folders(linked)
    assert source.notes[-1] == (
        "Links        a link to a folder is not followed; --params follow_links=true does: "
        "'owl', 'dog/round'"
    )
    with pytest.raises(PictureError, match=r"leaves the source folder .follow_links=true follows"):
        source.read("cat/2.png")


def test_links_are_followed_on_request_and_never_in_a_circle(linked, get_facts):
    dataset = ClassFoldersDataset(filepath=str(linked), follow_links=True)
    source = dataset.load()
    labels = {name: label for name, label in get_facts(source).items() if "round" not in name}
    assert labels == {
        "cat/1.png": "cat", "cat/2.png": "cat", "dog/1.png": "dog", "owl/7.png": "owl"
    }  # fmt: skip
    assert source.read("owl/7.png") == source.read("cat/2.png") == b"7"
    assert "a link to a folder leads in a circle: 'dog/round'" in source.notes[-1]
    # What counts for freshness is what is read.
    assert {name for name, _ in dataset.walk()} == {f"0/{name}" for name in get_facts(source)}


@pytest.mark.parametrize("name", [False, 7, 1.1, None])
def test_names_of_classes_that_are_no_text_are_refused(tmp_path, name):
    (tmp_path / "labels.txt").write_text("01")
    with pytest.raises(GraftError, match=r"names of classes are text, such as .*modern.; got 0: "):
        read_label_line(tmp_path / "labels.txt", class_names={0: name, 1: "yes"})
