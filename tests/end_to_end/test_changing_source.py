"""A source that changes while a run reads it: the next run ends like an undisturbed one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from graft.sources.stores import FolderStore
from helpers.killing import hash_outputs, keep_memory

# Twenty-four pictures are read to be checked, and once more to be decoded.
FIRST, CHECKING, DECODING = 1, 12, 40


def add(flowers: Path) -> None:
    shutil.copy(flowers / "fern/3.jpg", flowers / "fern/new.jpg")
    (flowers / "rose/new.png").write_bytes((flowers / "fern/4.jpg").read_bytes())


def alter_the_first(flowers: Path) -> None:
    (flowers / "fern/0.jpg").write_bytes((flowers / "rose/5.png").read_bytes())


def alter_the_last(flowers: Path) -> None:
    (flowers / "rose/9.png").write_bytes((flowers / "rose/9.png").read_bytes() + b"more")


def alter_the_last_in_secret(flowers: Path) -> None:
    last = flowers / "rose/9.png"
    facts, content = last.stat(), (flowers / "rose/8.png").read_bytes()
    assert len(content) == facts.st_size
    last.write_bytes(content)
    os.utime(last, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def remove_the_first(flowers: Path) -> None:
    (flowers / "fern/0.jpg").unlink()


def rename(flowers: Path) -> None:
    (flowers / "rose/9.png").rename(flowers / "fern/10.png")


@pytest.fixture
def run(flowers: Path, run_kedro: Callable) -> Callable:
    """Runs the stages that read pictures, in a project."""
    stages = "--pipelines=ingestion,splitting,decoding"
    arguments = ("--env=own_pictures", stages, "--params", f"source={flowers}")
    return lambda project: run_kedro(*arguments, folder=project)


@pytest.mark.parametrize(
    ("moment", "change"),
    [
        pytest.param(FIRST, add, marks=pytest.mark.slow),
        pytest.param(CHECKING, alter_the_last, marks=pytest.mark.slow),
        (CHECKING, alter_the_first),
        pytest.param(CHECKING, rename, marks=pytest.mark.slow),
        pytest.param(DECODING, alter_the_last, marks=pytest.mark.slow),
        pytest.param(CHECKING, alter_the_last_in_secret, marks=pytest.mark.slow),
        (DECODING, alter_the_last_in_secret),
        pytest.param(DECODING, remove_the_first, marks=pytest.mark.slow),
    ],
)
def test_the_next_run_ends_like_an_undisturbed_one(
    moment: int,
    change: Callable,
    project: Path,
    flowers: Path,
    tmp_path: Path,
    run: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever changes at whatever moment; `make test` asks two of the eight.

    One is seen while pictures are checked, the other nowhere but in the bytes that are decoded.
    """
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(project, undisturbed)
    read, count = FolderStore.read, 0

    def read_and_change(store: FolderStore, name: str) -> bytes:
        nonlocal count
        count += 1
        if count == moment:
            change(flowers)
        return read(store, name)

    with monkeypatch.context() as patched:
        patched.setattr(FolderStore, "read", read_and_change)
        disturbed = run(project)
    assert count >= moment
    # It may end, or say in one line why it cannot.
    assert disturbed.code == disturbed.err.count("Error: ") <= 1
    assert "Traceback" not in disturbed.err
    keep_memory(project, undisturbed)
    assert run(project).code == 0
    assert run(undisturbed).code == 0
    assert hash_outputs(project) == hash_outputs(undisturbed)
