"""Backups: whole or absent, whenever the process is killed; one training at a time."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graft
from graft.errors import GraftError
from graft.training.backup import Snapshot, TrainingBackup
from helpers.told import read_told

MINE, OTHER = "a" * 64, "b" * 64


def take(epoch: int, fingerprint: str = MINE) -> Snapshot:
    weights = np.arange(5, dtype=np.float32) + epoch
    return Snapshot(fingerprint, {"epoch": epoch, "loss": 0.1 + 0.2}, {"weights": weights})


def read_epoch(backup: TrainingBackup, fingerprint: str = MINE) -> int | None:
    snapshot = backup.load_newest(fingerprint)
    return snapshot.facts["epoch"] if snapshot else None


@pytest.fixture
def backup(tmp_path: Path):
    backup = TrainingBackup(tmp_path / "backup")
    with backup.hold():
        yield backup


def list_snapshots(backup: TrainingBackup) -> list[Path]:
    return sorted(backup.folder.glob("*.npz"))


def test_what_was_saved_comes_back_bit_for_bit(backup):
    backup.save(take(3))
    snapshot = backup.load_newest(MINE)
    assert snapshot.facts == {"epoch": 3, "loss": 0.1 + 0.2}
    assert snapshot.arrays["weights"].tobytes() == take(3).arrays["weights"].tobytes()
    assert list(snapshot.arrays) == ["weights"]


def test_an_empty_folder_has_nothing_to_go_on_from(backup):
    assert backup.load_newest(MINE) is None


def test_what_is_forgotten_counts_as_absent_and_stays_for_another_run(backup):
    backup.save(take(3))
    assert read_epoch(TrainingBackup(backup.folder, is_forgotten=True)) is None
    assert read_epoch(backup) == 3


def test_the_newest_is_used_and_two_are_kept(backup):
    for epoch in range(1, 5):
        backup.save(take(epoch))
    assert read_epoch(backup) == 4
    assert len(list_snapshots(backup)) == 2


@pytest.mark.parametrize("damage", ["cut", "altered", "emptied"])
def test_a_damaged_one_falls_back_to_the_one_before(backup, damage, caplog):
    backup.save(take(1))
    backup.save(take(2))
    newest = list_snapshots(backup)[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes({"cut": content[:-20], "altered": content, "emptied": b""}[damage])
    with caplog.at_level(logging.INFO):
        assert read_epoch(backup) == 1
    assert "is damaged and removed" in caplog.text
    backup.save(take(2))
    assert read_epoch(backup) == 2


def test_a_backup_of_another_training_is_not_used_and_that_is_said_in_one_line(backup, caplog):
    backup.save(take(7, OTHER))
    with caplog.at_level(logging.INFO):
        assert backup.load_newest(MINE) is None
    (told,) = read_told(caplog)
    assert "settings, data or first weights; this one starts anew" in told


def test_a_training_begun_by_mistake_does_not_cost_the_one_before(backup):
    backup.save(take(7, OTHER))
    for epoch in range(1, 4):
        backup.save(take(epoch))
    assert read_epoch(backup, OTHER) == 7
    assert len(list_snapshots(backup)) == 3


def test_a_training_that_has_ended_leaves_only_its_last_snapshot(backup):
    backup.save(take(7, OTHER))
    backup.save(take(1))
    backup.finish(take(2))
    assert read_epoch(backup) == 2
    assert len(list_snapshots(backup)) == 1


def test_what_a_killed_process_left_half_written_is_swept(tmp_path):
    (tmp_path / ".draft-4711").write_bytes(b"half")
    with TrainingBackup(tmp_path).hold():
        assert not list(tmp_path.glob(".draft-*"))


RUN = """
import os, signal, sys
from pathlib import Path
import numpy as np
from graft.training import backup as training_backup
from graft.training.backup import Snapshot, TrainingBackup

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def save(backup, epoch):
    weights = np.full(100_000, epoch, np.float32)
    backup.save(Snapshot("a" * 64, {"epoch": epoch}, {"weights": weights}))

def write(folder, moment):
    backup = TrainingBackup(folder)
    with backup.hold():
        save(backup, 1)
        save(backup, 2)
        if moment == "in the middle of the file":
            def write_half(file, array, **_):
                file.write(b"half")
                file.flush()
                die()
            np.lib.format.write_array = write_half
        elif moment == "before the flush":
            os.fsync = die
        elif moment == "before the rename":
            os.replace = die
        elif moment == "after the rename":
            training_backup._sync = die
        elif moment == "before old ones are removed":
            Path.unlink = die
        elif moment == "while it is held":
            die()
        save(backup, 3)

# Imported once: every moment has a child of its own, before anything has threads.
for moment in sys.argv[2:]:
    child = os.fork()
    if not child:
        write(Path(sys.argv[1]) / moment, moment)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
MOMENTS = {
    "in the middle of the file": 2,
    "before the flush": 2,
    "before the rename": 2,
    "after the rename": 3,
    "before old ones are removed": 3,
    "while it is held": 2,
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a moment, in which a process was killed at that moment."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-c", RUN, str(folder), *MOMENTS]
    source = str(Path(graft.__file__).parents[1])
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": source}, stdout=subprocess.PIPE, text=True
    )
    assert ended.stdout.split() == [str(-signal.SIGKILL)] * len(MOMENTS)
    return folder


@pytest.mark.parametrize(("moment", "epoch"), MOMENTS.items(), ids=list(MOMENTS))
def test_a_kill_inside_a_write_leaves_the_old_or_the_new_one_and_no_lock(moment, epoch, killed):
    backup = TrainingBackup(killed / moment)
    with backup.hold():
        assert read_epoch(backup) == epoch
        backup.save(take(4))
        assert read_epoch(backup) == 4
        assert len(list_snapshots(backup)) == 2


def test_a_second_run_is_refused_while_the_first_lives_and_the_first_is_named(backup):
    with (
        pytest.raises(GraftError, match=rf"another run .*held by process {os.getpid()} since 20"),
        TrainingBackup(backup.folder).hold(),
    ):
        pass


def test_the_folder_is_free_when_the_training_is_over(tmp_path):
    for _ in range(2):
        with TrainingBackup(tmp_path).hold():
            pass


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(GraftError, match=r"cannot be written \(Not a directory\).*got '.*backup'$"),
        TrainingBackup(tmp_path / "file" / "backup").hold(),
    ):
        pass


def test_a_full_disk_is_told_in_one_line_and_the_old_backup_stays(backup, monkeypatch):
    def fill_up(*_, **__):
        raise OSError(28, "No space left on device")

    backup.save(take(1))
    with monkeypatch.context() as context:
        context.setattr(os, "fsync", fill_up)
        with pytest.raises(GraftError, match=r"\(No space left on device\); free some space"):
            backup.save(take(2))
    assert read_epoch(backup) == 1
    assert not list(backup.folder.glob(".draft-*"))
