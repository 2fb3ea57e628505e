"""Snapshots: what a source of pictures holds, without reading it all every time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from graft.caching.snapshots import count_changes, look_at, read_sighting
from graft.file_hashes import FileHashes
from graft.sources.file_names import walk_places


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "a").mkdir(parents=True)
    for number in range(3):
        (folder / "a" / f"{number}.png").write_bytes(bytes([number]))
    return folder


@pytest.fixture
def read(monkeypatch):
    """Names of the pictures that are read."""
    names, real = [], Path.open

    def note_and_open(self, *arguments, **options):
        if self.suffix == ".png":
            names.append(self.name)
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", note_and_open)
    return names


def keep(tmp_path, source):
    hashes = FileHashes(tmp_path / "hashes.json")
    snapshot = read_sighting(look_at(walk_places([source])), hashes)
    hashes.save()
    return snapshot


def test_untouched_files_are_not_read_again(tmp_path, source, read):
    time.sleep(0.15)
    first = keep(tmp_path, source)
    assert sorted(read) == ["0.png", "1.png", "2.png"]
    assert keep(tmp_path, source) == first
    assert len(read) == 3


def test_a_file_just_written_is_read_once_more(tmp_path, source, read):
    time.sleep(0.15)
    (source / "a" / "0.png").write_bytes(b"new")
    read.clear()
    keep(tmp_path, source)
    keep(tmp_path, source)
    assert sorted(read) == ["0.png", "0.png", "1.png", "2.png"]


def test_a_file_from_the_future_is_read_every_time(tmp_path, source, read):
    time.sleep(0.15)
    os.utime(source / "a" / "1.png", (4e9, 4e9))
    keep(tmp_path, source)
    keep(tmp_path, source)
    assert read.count("1.png") == 2


def test_content_changed_with_size_and_time_restored_is_another_snapshot(tmp_path, source):
    time.sleep(0.15)
    first = keep(tmp_path, source)
    picture = source / "a" / "1.png"
    facts = picture.stat()
    picture.write_bytes(b"\x09")
    os.utime(picture, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert count_changes(first, keep(tmp_path, source)) == "1 changed"


def test_a_damaged_file_of_hashes_costs_only_time(tmp_path, source):
    first = keep(tmp_path, source)
    for damage in ("", "{", "[1]", '{"x": 3}', '{"x": []}', '{"x": "1 2"}'):
        (tmp_path / "hashes.json").write_text(damage)
        assert keep(tmp_path, source) == first


def test_litter_and_hidden_files_do_not_count(tmp_path, source):
    first = keep(tmp_path, source)
    (source / ".DS_Store").write_bytes(b"x")
    (source / "Thumbs.db").write_bytes(b"x")
    (source / ".hidden").mkdir()
    (source / ".hidden" / "9.png").write_bytes(b"x")
    assert keep(tmp_path, source) == first


def test_links_and_what_cannot_be_read_are_described(tmp_path, source):
    os.mkfifo(source / "pipe.png")
    (source / "folder").symlink_to(tmp_path)
    (source / "gone.png").symlink_to(tmp_path / "nothing")
    snapshot = keep(tmp_path, source)
    assert snapshot["0/pipe.png"] == "no regular file"
    assert snapshot["0/folder"].startswith("link to ")
    assert snapshot["0/gone.png"] == "no regular file"


def test_an_archive_is_one_file(tmp_path):
    archive = tmp_path / "all.zip"
    archive.write_bytes(b"zip")
    assert list(look_at(walk_places([archive, tmp_path / "absent"]))) == ["0/all.zip"]


def test_a_thousand_renamed_pictures_are_compared_once_each():
    class Content(str):
        compared = 0

        def __eq__(self, other):
            Content.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    old = {f"old/{n}": Content(n) for n in range(1000)}
    new = {f"new/{n}": Content(n) for n in reversed(range(1000))}
    assert count_changes(old, new) == "1,000 renamed"
    assert Content.compared < 10_000


def test_of_equal_pictures_as_many_are_renamed_as_are_gone():
    old, new = {"a": "1", "b": "1", "c": "2"}, {"d": "1", "e": "2", "f": "2"}
    assert count_changes(old, new) == "1 new, 2 renamed, 1 gone"
