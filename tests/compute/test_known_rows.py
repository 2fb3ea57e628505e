"""Rows that are known again: taken over from the previous array, a block at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.compute import known_rows as origins
from graft.compute.known_rows import TracedRows, copy_known, find_known, trace_results
from graft.fingerprints import hash_parts

NAMES = st.lists(st.sampled_from("abcdef"), max_size=8)


@given(NAMES, NAMES)
def test_every_known_origin_is_found_at_a_row_of_that_origin(now, previous):
    found = find_known(now, previous)
    assert found.dtype == np.int64
    for origin, row in zip(now, found, strict=True):
        assert (row >= 0) == (origin in previous)
        assert row < 0 or previous[row] == origin


@pytest.mark.parametrize("rows_a_block", [1, 2, 100])
def test_known_rows_go_where_their_origin_stands_now(rows_a_block, monkeypatch):
    monkeypatch.setattr(origins, "_BYTES_A_BLOCK", rows_a_block * 6)
    previous = TracedRows(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), ["a", "b"])
    found = find_known(["b", "new", "a", "b"], previous.origins)
    copied = dict(copy_known(previous, found))
    assert sorted(copied) == [0, 2, 3]
    np.testing.assert_array_equal(copied[2], previous.rows[0])
    for row in (0, 3):
        np.testing.assert_array_equal(copied[row], previous.rows[1])


def test_the_former_array_is_read_in_its_own_order():
    # It lies on a disk.
    previous = TracedRows(np.arange(5)[:, None], list("abcde"))
    values = [int(row[0]) for _, row in copy_known(previous, find_known("edbca", previous.origins))]
    assert values == [0, 1, 2, 3, 4]


def test_rows_that_are_taken_over_are_no_views_of_the_former_file(tmp_path):
    np.save(tmp_path / "rows.npy", np.ones((2, 3), np.uint8))
    previous = TracedRows(np.load(tmp_path / "rows.npy", mmap_mode="r"), ["a", "b"])
    ((_, row),) = copy_known(previous, find_known(["b"], previous.origins))
    assert not np.shares_memory(row, previous.rows)


def test_an_origin_of_a_result_follows_that_of_the_row_and_the_recipe():
    first, second, again = trace_results(["a", "b", "a"], "recipe")
    assert first == hash_parts("a", "recipe")
    assert first == again != second
    assert not set(trace_results(["a", "b"], "other")) & {first, second}
