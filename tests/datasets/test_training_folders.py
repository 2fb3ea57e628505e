"""Folders that a training writes to: handles that are there from the start."""

from __future__ import annotations

import pytest
from kedro.io import DatasetError

from graft.cli import explain
from graft.datasets import LogFolderDataset, TrainingBackupDataset
from graft.training.backup import Snapshot


def test_a_backup_is_a_handle_of_its_folder_and_writes_nothing_yet(tmp_path):
    backup = TrainingBackupDataset(filepath=str(tmp_path / "backup"), seconds=5).load()
    assert (backup.folder, backup.seconds) == (tmp_path / "backup", 5)
    assert list(tmp_path.iterdir()) == []


def test_a_backup_can_be_forgotten_for_a_run_that_makes_everything_again(tmp_path):
    dataset = TrainingBackupDataset(filepath=str(tmp_path / "backup"))
    with dataset.load().hold():
        dataset.load().save(Snapshot("a" * 64, {}, {}))
    assert dataset.load().load_newest("a" * 64) is not None
    dataset.forget()
    assert dataset.load().load_newest("a" * 64) is None


def test_a_log_folder_is_made_when_it_is_loaded(tmp_path):
    folder = LogFolderDataset(filepath=str(tmp_path / "a" / "logs")).load()
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_a_log_folder_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "logs").write_text("a file is in the way")
    with pytest.raises(DatasetError) as failure:
        LogFolderDataset(filepath=str(tmp_path / "logs")).load()
    assert explain(failure.value) == (
        "the training cannot write its logs (File exists); make the folder writable or remove "
        f"what is in its place; got '{tmp_path / 'logs'}'"
    )


@pytest.mark.parametrize("type_", [LogFolderDataset, TrainingBackupDataset])
def test_they_are_always_there_and_are_never_saved(type_, tmp_path):
    dataset = type_(filepath=str(tmp_path / "folder"))
    assert dataset.exists()
    with pytest.raises(DatasetError, match="written by the training itself"):
        dataset.save("anything")
