"""What the last run left: read under a second name, and never trusted when damaged."""

from __future__ import annotations

import pandas as pd
import pytest
from kedro.io import DatasetError

from graft.datasets import AtomicDataset, PreviousDataset

WRAPPED = {"type": "pandas.ParquetDataset", "save_args": {"index": False}}


def make(kind, tmp_path):
    return kind(filepath=tmp_path / "splits.parquet", dataset=WRAPPED)


def test_before_the_first_run_there_is_nothing(tmp_path):
    assert make(PreviousDataset, tmp_path).load() is None


def test_it_reads_what_the_entry_of_the_same_file_saved(tmp_path):
    table = pd.DataFrame({"split": ["train"]})
    make(AtomicDataset, tmp_path).save(table)
    pd.testing.assert_frame_equal(make(PreviousDataset, tmp_path).load(), table)


def test_a_damaged_file_counts_as_absent(tmp_path):
    make(AtomicDataset, tmp_path).save(pd.DataFrame({"split": ["train"]}))
    (tmp_path / "splits.parquet").write_bytes(b"PAR1")
    assert make(PreviousDataset, tmp_path).load() is None


@pytest.mark.parametrize("only_saves_work", [True, False])
def test_it_is_forgotten_if_that_costs_only_work(only_saves_work, tmp_path):
    # Splits are no such case: without the previous ones, pictures would change sides.
    make(AtomicDataset, tmp_path).save(pd.DataFrame({"split": ["train"]}))
    previous = PreviousDataset(
        filepath=tmp_path / "splits.parquet", dataset=WRAPPED, only_saves_work=only_saves_work
    )
    assert previous.load() is not None
    previous.forget()
    assert (previous.load() is None) == only_saves_work


def test_it_is_never_written(tmp_path):
    with pytest.raises(DatasetError, match="read, never written"):
        make(PreviousDataset, tmp_path).save(pd.DataFrame({"split": ["train"]}))
