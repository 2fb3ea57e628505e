"""The store of hashes: what is trusted, and for how long."""

from __future__ import annotations

import hashlib
import os

import pytest

from graft import file_hashes
from graft.errors import PictureError
from graft.file_hashes import FileHashes, identify
from graft.sources.class_folders import read_class_folders
from graft.sources.stores import close_archives, open_store

A, B = (hashlib.sha256(content).hexdigest() for content in (b"a", b"b"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cat" / "0.png"
    path.parent.mkdir()
    path.write_bytes(b"a")
    return path


@pytest.fixture
def later(monkeypatch):
    """Some seconds have passed since the files were written."""
    real = file_hashes.time.time_ns
    monkeypatch.setattr(file_hashes.time, "time_ns", lambda: real() + 5 * 10**9)


def alter_in_secret(path, content):
    """Other bytes of the same number, with the time of the old ones."""
    facts = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.usefixtures("later")
def test_what_was_hashed_is_known_while_the_file_is_not_touched(file):
    hashes = FileHashes()
    assert hashes.find(identify(file)) is None
    assert hashes.hash(file) == A
    assert hashes.find(identify(file)) == A
    alter_in_secret(file, b"b")
    assert hashes.find(identify(file)) is None
    assert hashes.hash(file) == B


def test_of_a_file_written_a_moment_ago_only_our_own_is_remembered(file):
    hashes = FileHashes()
    os.utime(file, (4e9, 4e9))
    assert hashes.hash(file) == A
    assert hashes.find(identify(file)) is None
    hashes.hash(file, is_ours=True)
    assert hashes.find(identify(file)) == A


def test_a_file_of_ours_is_known_under_its_new_name(file):
    hashes = FileHashes()
    hashes.hash(file, is_ours=True)
    new = file.rename(file.with_name("1.png"))
    hashes.follow(file, new)
    assert hashes.find(identify(new)) == A
    file.write_bytes(b"b")
    hashes.hash(file, is_ours=True)
    new.write_bytes(b"bc")
    hashes.follow(file, new)
    assert hashes.find(identify(new)) is None


@pytest.mark.usefixtures("later")
def test_a_new_run_knows_only_what_was_kept(file, tmp_path):
    hashes = FileHashes(tmp_path / "hashes.json")
    hashes.hash(file)
    hashes.save()
    hashes.reopen(tmp_path / "hashes.json")
    assert hashes.find(identify(file)) == A
    hashes.reopen()
    assert hashes.find(identify(file)) is None


@pytest.fixture
def shared(monkeypatch, later):
    """An empty store in the place of the one of this process."""
    hashes = FileHashes()
    monkeypatch.setattr("graft.sources.source.HASHES", hashes)
    return hashes


@pytest.mark.parametrize("alter", [alter_in_secret, lambda path, data: path.write_bytes(data)])
def test_a_picture_that_changed_since_it_was_read_is_hashed_again(file, shared, alter):
    source = read_class_folders(file.parents[1])
    assert source.find_hash("cat/0.png") is None
    assert source.read_hashed("cat/0.png") == (b"a", A)
    assert source.find_hash("cat/0.png") == A
    alter(file, b"b")
    assert source.find_hash("cat/0.png") is None
    assert source.read_hashed("cat/0.png") == (b"b", B)


def test_bytes_that_change_while_they_are_read_are_not_remembered(file, shared, monkeypatch):
    source = read_class_folders(file.parents[1])
    read = type(file).read_bytes

    def read_and_alter(path):
        data = read(path)
        alter_in_secret(path, b"b")
        return data

    monkeypatch.setattr(type(file), "read_bytes", read_and_alter)
    assert source.read_hashed("cat/0.png") == (b"a", A)
    assert source.find_hash("cat/0.png") is None


def test_a_link_is_looked_at_each_time(file, shared, tmp_path):
    (file.parent / "1.png").symlink_to(file)
    source = read_class_folders(tmp_path)
    assert source.read_hashed("cat/1.png") == (b"a", A)
    assert source.find_hash("cat/1.png") is None


def test_members_of_an_archive_are_known_while_it_is_not_touched(pack_archive, shared):
    archive = pack_archive({"cat/0.png": b"a", "cat/1.png": b"b"})
    source = read_class_folders(archive)
    assert source.read_hashed("cat/0.png") == (b"a", A)
    assert source.find_hash("cat/0.png") == A
    assert source.find_hash("cat/1.png") is None
    os.utime(archive, (1, 1))
    assert source.find_hash("cat/0.png") is None


def test_an_archive_is_listed_once_until_it_changes(pack_archive):
    archive = pack_archive({"cat/0.png": b"a"})
    store = open_store(archive)
    assert open_store(archive) is store
    pack_archive({"cat/0.png": b"a", "cat/1.png": b"b"})
    assert open_store(archive).names == ["cat/0.png", "cat/1.png"]


def test_a_closed_archive_is_opened_again_if_it_is_the_same(pack_archive):
    archive = pack_archive({"cat/0.png": b"a", "cat/1.png": b"b"})
    store = open_store(archive)
    close_archives()
    assert store.read("cat/1.png") == b"b"
    store.close()
    pack_archive({"cat/0.png": b"other", "cat/1.png": b"bytes"})
    with pytest.raises(PictureError, match="its archive has changed since it was listed"):
        store.read("cat/0.png")
    assert store.identify("cat/0.png") is None
