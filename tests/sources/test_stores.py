"""Stores: files of a folder or an archive, read in place, whatever lies among them."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from graft.errors import GraftError, PictureError
from graft.sources import file_names
from graft.sources.stores import open_store

FILES = {
    "daisy/1.png": b"first daisy",
    "daisy/deep/er/2.png": b"second daisy",
    "rose/1.png": b"rose",
    "loose.png": b"outside",
}


def read_all(path):
    store = open_store(path)
    return {name: store.read(name) for name in store.names}


def test_every_file_is_read_byte_by_byte(pack):
    assert read_all(pack(FILES)) == FILES


def test_files_can_be_read_again_and_in_any_order(pack):
    store = open_store(pack(FILES))
    for name in [*reversed(store.names), *store.names]:
        assert store.read(name) == FILES[name]


def test_files_can_be_read_from_many_threads(pack):
    files = {f"daisy/{number}.png": bytes([number]) * 5_000 for number in range(40)}
    store = open_store(pack(files))
    with ThreadPoolExecutor(8) as pool:
        assert dict(zip(files, pool.map(store.read, files), strict=True)) == files


def test_the_files_of_a_folder_are_listed_in_order(pack_folder):
    assert open_store(pack_folder(FILES)).names == sorted(FILES)


def test_the_files_of_an_archive_are_listed_as_they_lie_in_it(pack_archive):
    # A compressed stream only runs forward: another order would read it many times over.
    files = dict.fromkeys(["b/2.png", "a/9.png", "a/1.png"], b"")
    assert open_store(pack_archive(files)).names == list(files)


def test_an_archive_says_that_it_is_one(pack):
    path = pack(FILES)
    assert open_store(path).is_archive == path.is_file()


def test_folders_are_no_files(pack_folder, tmp_path):
    (pack_folder(FILES) / "empty").mkdir()
    assert "empty" not in open_store(tmp_path / "pictures").names


def test_folders_in_archives_are_no_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("empty")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        folder = tarfile.TarInfo("empty")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert open_store(tmp_path / "a.zip").names == []
    assert open_store(tmp_path / "a.tar").names == []


@pytest.mark.parametrize(
    "litter",
    [
        ".DS_Store",
        "daisy/.hidden.png",
        ".git/objects/1.png",
        "daisy/.thumbnails/1.png",
        "__MACOSX/daisy/._1.png",
        "daisy/Thumbs.db",
        "daisy/desktop.ini",
    ],
)
def test_hidden_files_and_litter_are_left_out(pack, litter):
    assert read_all(pack({**FILES, litter: b"litter"})) == FILES


def test_names_that_only_resemble_litter_are_kept(pack):
    files = {"daisy/Thumbs.db.png": b"1", "daisy.1/a.b.png": b"2", "MACOSX/1.png": b"3"}
    assert read_all(pack(files)) == files


@pytest.mark.parametrize(
    "name", ["Gänseblümchen/ä 1.png", "雛菊/雛 菊.png", "daisy/🌼.png", "a b/'.png"]
)
def test_names_may_be_of_any_language(pack, name):
    assert read_all(pack({name: b"content"})) == {name: b"content"}


def test_a_name_that_is_not_utf_8_is_shown_with_its_bytes(pack_folder, tmp_path):
    pack_folder({"daisy/1.png": b"first"})
    with open(os.fsencode(tmp_path / "pictures" / "daisy") + b"/\xe9.png", "wb") as file:
        file.write(b"second")
    assert read_all(tmp_path / "pictures") == {
        "daisy/1.png": b"first",
        r"daisy/\xe9.png": b"second",
    }


def test_a_name_that_begins_with_such_a_byte_does_not_leave_the_archive(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("é.png"))
    assert read_all(path) == {r"\xe9.png": b""}


def test_a_name_in_a_tar_file_that_is_not_utf_8_can_be_stored_as_text(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("daisy/é.png"))
    assert [name.encode() for name in open_store(path).names] == [rb"daisy/\xe9.png"]


def test_a_name_in_a_zip_file_that_is_not_utf_8_can_be_stored_as_text(pack_zip):
    path = pack_zip({"daisy/é.png": b"content"})
    # As old programs write it: without the flag for UTF-8.
    old = path.read_bytes().replace("é".encode(), b"\xe9x").replace(b"\0\x08\0\0", bytes(4))
    path.write_bytes(old)
    # Old programs wrote code page 437, where this byte is a Theta.
    assert read_all(path) == {"daisy/Θx.png": b"content"}


@pytest.mark.parametrize(
    "name", ["../evil.png", "daisy/../../evil.png", "/tmp/evil.png", "..\\e.png", "C:\\e.png"]
)
def test_a_member_whose_name_leaves_the_archive_is_refused(pack_archive, name):
    store = open_store(pack_archive({name: b"evil", **FILES}))
    with pytest.raises(PictureError, match="name leaves the archive"):
        store.read(name)
    assert store.read("rose/1.png") == b"rose"


def test_reading_an_archive_writes_nothing(pack_archive, tmp_path):
    path = pack_archive({"../evil.png": b"evil", **FILES})
    store = open_store(path)
    for name in FILES:
        store.read(name)
    assert list(tmp_path.iterdir()) == [path]
    assert not (tmp_path.parent / "evil.png").exists()


def test_reading_leaves_the_source_as_it_was(pack, tmp_path):
    def look():
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}

    path = pack(FILES)
    before = look()
    read_all(path)
    assert look() == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_file_are_refused(tmp_path, kind):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("daisy/1.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(PictureError, match=r"not a regular file in the archive|link to"):
        open_store(path).read("daisy/1.png")


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.png", "nowhere/../../outside.png"])
def test_a_link_that_leaves_the_folder_is_refused(pack_folder, tmp_path, target):
    (tmp_path / "outside.png").write_bytes(b"private")
    (pack_folder(FILES) / "link.png").symlink_to(target)
    with pytest.raises(PictureError, match="symbolic link that leaves the source folder"):
        open_store(tmp_path / "pictures").read("link.png")


def test_a_link_within_the_folder_is_followed(pack_folder):
    path = pack_folder(FILES)
    (path / "daisy" / "link.png").symlink_to("../rose/1.png")
    assert open_store(path).read("daisy/link.png") == b"rose"


def test_a_link_to_a_missing_file_is_refused(pack_folder):
    path = pack_folder(FILES)
    (path / "link.png").symlink_to("missing.png")
    with pytest.raises(PictureError, match="not a regular file"):
        open_store(path).read("link.png")


def test_a_link_to_itself_is_refused(pack_folder):
    path = pack_folder(FILES)
    (path / "link.png").symlink_to("link.png")
    with pytest.raises(PictureError):
        open_store(path).read("link.png")


@pytest.mark.parametrize("target", ["..", "rose", "/"])
def test_a_link_to_a_folder_is_named_and_not_followed(pack_folder, target):
    path = pack_folder(FILES)
    (path / "linked").symlink_to(target, target_is_directory=True)
    store = open_store(path)
    assert store.names == sorted([*FILES, "linked"])
    with pytest.raises(PictureError, match="symbolic link to a folder, which is not followed"):
        store.read("linked")


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_a_gap(pack_folder):
    # Listed by its path, this one is longer than a path may be; root may list all others.
    path = pack_folder(FILES)
    place = os.open(path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=place)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    with pytest.raises(GraftError, match=r"cannot be listed, .*\(File name too long\).*; got '/"):
        open_store(path)


def test_a_named_pipe_is_refused_and_does_not_hang(pack_folder):
    path = pack_folder(FILES)
    os.mkfifo(path / "pipe.png")
    with pytest.raises(PictureError, match="not a regular file"):
        open_store(path).read("pipe.png")


def test_a_file_that_vanished_is_refused(pack_folder):
    path = pack_folder(FILES)
    store = open_store(path)
    (path / "rose" / "1.png").unlink()
    with pytest.raises(PictureError, match="not a regular file"):
        store.read("rose/1.png")


def test_a_giant_file_is_refused_and_the_others_are_read(pack, monkeypatch):
    monkeypatch.setattr(file_names, "MAX_FILE_BYTES", 100)
    store = open_store(pack({"giant.png": bytes(101), "small.png": bytes(100)}))
    with pytest.raises(PictureError, match="101 bytes, more than the 100 of a picture file"):
        store.read("giant.png")
    assert store.read("small.png") == bytes(100)


def test_a_damaged_member_of_a_zip_file_is_refused_and_the_others_are_read(pack_zip):
    path = pack_zip(FILES)
    path.write_bytes(path.read_bytes().replace(b"first daisy", b"worst daisy"))
    store = open_store(path)
    with pytest.raises(PictureError, match="damaged in the archive: Bad CRC-32"):
        store.read("daisy/1.png")
    assert store.read("rose/1.png") == b"rose"


def test_an_encrypted_member_of_a_zip_file_is_refused_and_the_others_are_read(pack_zip):
    path = pack_zip(FILES)
    content = bytearray(path.read_bytes())
    # Python cannot encrypt, so the flag alone is set: bit 0 in both headers of the member.
    for signature, flags in [(b"PK\3\4", 6), (b"PK\1\2", 8)]:
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    store = open_store(path)
    with pytest.raises(PictureError, match=r"cannot be read from the archive: .*encrypted"):
        store.read("daisy/1.png")
    assert store.read("rose/1.png") == b"rose"


def test_a_link_in_a_zip_file_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        member = zipfile.ZipInfo("link.png")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(PictureError, match="not a regular file in the archive"):
        open_store(tmp_path / "a.zip").read("link.png")


def test_a_member_that_unpacks_to_more_than_it_claims_fills_no_memory(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.png", bytes(50_000_000))
        claimed = archive.infolist()[0].file_size
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", claimed), struct.pack("<I", 999)))
    store = open_store(path)
    tracemalloc.start()
    try:
        with pytest.raises(PictureError, match="in the archive"):
            store.read("1.png")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_a_zip_file_are_whole_stored_or_packed(tmp_path, method):
    content = os.urandom(30_000) + bytes(100_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("1.png", content)
    assert read_all(tmp_path / "a.zip") == {"1.png": content}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_whose_size_python_cannot_bound_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("1.png", b"content")
    with pytest.raises(PictureError, match="pack it by the usual method"):
        open_store(tmp_path / "a.zip").read("1.png")


def test_a_zip_file_with_broken_names_is_refused(pack_zip):
    path = pack_zip({"daisy/é.png": b"content"})
    check_is_refused(path, path.read_bytes().replace("é".encode(), b"\xff\xff"))


def test_a_member_packed_in_an_unknown_way_is_refused(pack_zip):
    path = pack_zip({"1.png": b"content"})
    content = bytearray(path.read_bytes())
    for signature, method in [(b"PK\3\4", 8), (b"PK\1\2", 10)]:
        struct.pack_into("<H", content, content.index(signature) + method, 97)
    path.write_bytes(content)
    with pytest.raises(PictureError, match="cannot be read from the archive"):
        open_store(path).read("1.png")


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(GraftError, match=r"no folder or archive of pictures at '.*nowhere'"):
        open_store(tmp_path / "nowhere")


@pytest.mark.parametrize("path", ["x" * 5_000, "~no-such-user/pictures", "nul\0byte", None])
def test_what_can_be_no_path_is_refused_in_one_short_line(path):
    with pytest.raises(GraftError, match=r"this is no path|no folder or archive") as error:
        open_store(path)
    assert len(str(error.value)) < 250


def test_a_path_may_start_at_home(pack_folder, tmp_path, monkeypatch):
    pack_folder(FILES)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_all("~/pictures") == FILES


@pytest.mark.parametrize("name", ["picture.png", "pictures.rar", "pictures"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(GraftError, match=r"from a folder or from \.zip, \.tar, \.tar\.gz"):
        open_store(tmp_path / name)


def test_the_suffix_of_an_archive_may_be_in_capitals(pack_zip):
    path = pack_zip(FILES)
    assert read_all(path.rename(path.with_suffix(".ZIP"))) == FILES


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("content", [b"", b"not an archive"], ids=["empty", "text"])
def test_what_only_claims_to_be_an_archive_is_refused_in_one_line(tmp_path, suffix, content):
    path = tmp_path / f"pictures{suffix}"
    path.write_bytes(content)
    with pytest.raises(GraftError, match="is not a whole archive") as error:
        open_store(path)
    assert "\n" not in str(error.value)


def check_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(
        GraftError, match=r"is not a whole archive .*download or pack it again"
    ) as e:
        open_store(path)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_zip_file_cut_short_is_refused(pack_zip, share):
    path = pack_zip(FILES)
    content = path.read_bytes()
    check_is_refused(path, content[: round(share * len(content))])


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_compressed_tar_file_cut_short_is_refused(pack_tar, suffix, share):
    # Content that does not shrink, so that the cut lies in the midst of a member.
    path = pack_tar({f"{number}.png": os.urandom(5_000) for number in range(4)}, suffix)
    content = path.read_bytes()
    check_is_refused(path, content[: round(share * len(content))])


# Every member of FILES takes two blocks: its header and its content.
BLOCK = tarfile.BLOCKSIZE


@pytest.mark.parametrize(
    "length",
    [100, BLOCK, BLOCK + 5, 4 * BLOCK, 4 * BLOCK + 100, 5 * BLOCK],
    ids=["first header", "first content", "content", "between", "header", "later content"],
)
def test_a_tar_file_cut_short_is_refused(pack_tar, length):
    path = pack_tar(FILES)
    check_is_refused(path, path.read_bytes()[:length])


@pytest.mark.parametrize("member", [0, 2], ids=["first", "third"])
def test_a_tar_file_with_a_damaged_header_is_refused(pack_tar, member):
    path = pack_tar(FILES)
    content = bytearray(path.read_bytes())
    content[2 * member * BLOCK + 1] ^= 0xFF
    check_is_refused(path, content)


def test_a_tar_file_that_shrank_while_it_was_open_is_told_apart(pack_tar):
    path = pack_tar({"1.png": bytes(50_000)})
    store = open_store(path)
    os.truncate(path, 20_000)
    with pytest.raises(PictureError, match=r"in the archive: "):
        store.read("1.png")


def test_a_tar_file_may_name_its_members_from_here(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("./daisy/1.png")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"daisy"))
    assert read_all(path) == {"daisy/1.png": b"daisy"}
