"""A whole run lists, reads and hashes what it is given as seldom as can be."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graft import file_hashes
from graft.sources.stores import FolderStore

STAGES = "--pipelines=ingestion,splitting,decoding"


class Seen:
    """How often each picture was read for its pixels, and hashed."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.hashed: Counter[str] = Counter()


@pytest.fixture
def seen(flowers: Path, monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()
    # The pictures of the test are newer than those of a person, and nobody writes them again.
    monkeypatch.setattr(file_hashes, "_SETTLED", -1.0)
    name_of = {path.read_bytes(): path.name for path in flowers.rglob("*.*")}
    read, sha256, file_digest = FolderStore.read, hashlib.sha256, hashlib.file_digest

    def note_read(store: FolderStore, name: str) -> bytes:
        found.read[Path(name).name] += 1
        return read(store, name)

    def note_hash(data: bytes = b"", **options: Any) -> Any:
        found.hashed.update([name_of[data]] if data in name_of else [])
        return sha256(data, **options)

    def note_file(file: Any, digest: Any) -> Any:
        name = Path(file.name).name
        found.hashed.update([name] if name in name_of.values() else [])
        return file_digest(file, digest)

    monkeypatch.setattr(FolderStore, "read", note_read)
    monkeypatch.setattr(hashlib, "sha256", note_hash)
    monkeypatch.setattr(hashlib, "file_digest", note_file)
    return found


@pytest.fixture
def run(flowers: Path, run_kedro: Callable) -> Callable:
    """Runs the stages that read pictures."""

    def run(*more: str, source: Path = flowers) -> None:
        done = run_kedro("--env=own_pictures", STAGES, "--params", f"source={source}", *more)
        assert done.code == 0, done.err

    return run


def test_a_first_run_hashes_a_picture_once_and_reads_it_when_it_decodes_it(
    run: Callable, seen: Seen, flowers: Path
) -> None:
    names = {path.name for path in flowers.rglob("*.*")}
    run()
    # Checked and decoded by two stages; nothing is read for the plan or for the record of it.
    assert seen.read == dict.fromkeys(names, 2)
    assert seen.hashed == dict.fromkeys(names, 1)


def test_a_run_with_a_new_picture_reads_and_hashes_no_other(
    run: Callable, seen: Seen, flowers: Path
) -> None:
    run()
    seen.read.clear()
    seen.hashed.clear()
    new = flowers / "fern/new.jpg"
    new.write_bytes((flowers / "fern/3.jpg").read_bytes()[:-2] + b"\x00\x00\xff\xd9")
    run()
    assert set(seen.read) == {"new.jpg"}
    assert not seen.hashed


def test_the_plan_of_a_first_run_reads_no_picture(run: Callable, seen: Seen) -> None:
    run("--plan")
    assert not seen.read
    assert not seen.hashed


def test_a_run_lists_a_compressed_archive_once_and_closes_it(
    run: Callable, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "flowers.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(flowers.rglob("*.*")):
            tar.add(path, path.relative_to(flowers).as_posix())
    listed, opened = [], []
    getmembers, open_path = tarfile.TarFile.getmembers, Path.open

    def note_listing(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
        listed.append(tar)
        return getmembers(tar)

    def note_open(path: Path, *arguments: Any, **options: Any) -> Any:
        file = open_path(path, *arguments, **options)
        opened.extend([file] if path.name == archive.name else [])
        return file

    monkeypatch.setattr(tarfile.TarFile, "getmembers", note_listing)
    monkeypatch.setattr(Path, "open", note_open)
    run(source=archive)
    assert len(listed) == 1
    assert opened
    assert all(file.closed for file in opened)
    before = os.stat(archive)
    archive.write_bytes(archive.read_bytes())
    os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns))
    run("--force", source=archive)
    assert len(listed) == 2
