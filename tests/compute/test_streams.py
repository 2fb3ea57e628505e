"""Blocks: threads that keep the order and never run far ahead, rows that are really copied."""

from __future__ import annotations

import mmap
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.compute.streams import copy_rows, count_workers, lend_rows, map_threaded


@given(items=st.lists(st.integers()), workers=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_threads_give_what_a_plain_map_gives(items, workers):
    assert list(map_threaded(str, items, workers)) == list(map(str, items))


def test_a_slow_item_does_not_lose_its_place():
    rest_is_done = threading.Event()

    def wait_or_tell(item):
        if item == 0:
            assert rest_is_done.wait(timeout=30)
        if item == 3:
            rest_is_done.set()
        return item

    assert list(map_threaded(wait_or_tell, range(4), workers=2)) == [0, 1, 2, 3]


@pytest.fixture
def drawn():
    """Items that were drawn from the stream below so far."""
    return []


@pytest.fixture
def stream(drawn):
    def draw():
        for item in range(1_000):
            drawn.append(item)
            yield item

    return draw()


def test_nothing_is_drawn_before_the_first_result_is_asked_for(stream, drawn):
    map_threaded(str, stream, workers=2)
    assert drawn == []


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_only_a_few_items_are_drawn_ahead(stream, drawn, workers):
    results = map_threaded(str, stream, workers)
    for consumed in range(1, 20):
        next(results)
        assert len(drawn) <= 4 * workers + consumed


def test_how_many_items_are_drawn_ahead_is_a_parameter(stream, drawn):
    next(map_threaded(str, stream, workers=3, ahead=1))
    assert len(drawn) == 4


def test_what_threads_wait_for_can_be_ended_when_nothing_more_is_wanted(stream):
    is_over = threading.Event()

    def wait_but_for_the_first(item):
        return item == 0 or is_over.wait(timeout=30)

    results = map_threaded(wait_but_for_the_first, stream, workers=2, before_exit=is_over.set)
    next(results)
    assert not is_over.is_set()
    results.close()
    assert is_over.is_set()


def test_items_are_drawn_in_the_calling_thread():
    def draw():
        for _ in range(10):
            yield threading.get_ident()

    assert set(map_threaded(lambda thread: thread, draw(), 2)) == {threading.get_ident()}


def test_the_work_is_done_in_other_threads():
    threads = map_threaded(lambda _: threading.get_ident(), range(10), workers=2)
    assert threading.get_ident() not in set(threads)


def test_an_exception_arrives_in_its_turn():
    results = map_threaded(lambda item: 1 / item, [2, 1, 0, 4], workers=2)
    assert [next(results), next(results)] == [0.5, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_exception_of_the_stream_arrives():
    def draw():
        yield 1
        raise OSError("the archive ends here")

    with pytest.raises(OSError, match="the archive ends here"):
        list(map_threaded(str, draw(), workers=2))


def test_a_result_nobody_waits_for_leaves_no_thread_and_draws_no_item(stream, drawn):
    threads = set()
    results = map_threaded(lambda _: threads.add(threading.current_thread()), stream, workers=2)
    next(results)
    before = len(drawn)
    results.close()
    assert len(drawn) == before
    assert threads.isdisjoint(threading.enumerate())


@pytest.fixture
def mapped(tmp_path):
    """An array of 5,000 rows, many pages long, memory-mapped for reading."""
    np.save(tmp_path / "rows.npy", np.arange(60_000, dtype=np.int32).reshape(5_000, 12))
    return np.load(tmp_path / "rows.npy", mmap_mode="r")


ROWS = {
    "first": slice(0, 10), "last": slice(4_990, 9_999), "none": slice(7, 7),
    "any order": np.array([4_999, 0, 3, 3]), "neighbours": np.arange(40, 60),
    "one": np.array([7]), "no numbers": np.arange(0),
}  # fmt: skip


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_copied_rows_equal_the_rows(mapped, rows):
    np.testing.assert_array_equal(copy_rows(mapped, rows), mapped[rows])


@pytest.mark.parametrize("which", [slice(0, 5), np.arange(5), np.array([0, 2])])
def test_copied_rows_are_memory_of_their_own(mapped, which):
    rows = copy_rows(mapped, which)
    assert not np.shares_memory(rows, mapped)
    assert not isinstance(rows, np.memmap)
    rows[:] = -1
    assert mapped[0, 0] == 0


def test_rows_of_a_plain_array_are_copied_too():
    array = np.arange(12).reshape(4, 3)
    rows = copy_rows(array, slice(1, 3))
    rows[:] = -1
    np.testing.assert_array_equal(array, np.arange(12).reshape(4, 3))


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_lent_rows_equal_the_rows_and_are_plain_arrays(mapped, rows):
    lent = lend_rows(mapped, rows)
    np.testing.assert_array_equal(lent, mapped[rows])
    assert not isinstance(lent, np.memmap)


@pytest.mark.parametrize("which", [slice(3, 5), np.arange(3, 5)])
def test_neighbours_are_lent_without_a_copy(mapped, which):
    assert np.shares_memory(lend_rows(mapped, which), mapped)
    assert not np.shares_memory(lend_rows(mapped, np.array([3, 5])), mapped)


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system cannot give pages back")
def test_the_rest_of_the_array_can_be_read_after_its_pages_were_given_back(mapped):
    for start in range(0, 5_000, 1_000):
        rows = copy_rows(mapped, slice(start, start + 1_000))
        assert rows[0, 0] == 12 * start
    assert int(mapped.sum(dtype=np.int64)) == 60_000 * 59_999 // 2


def test_there_is_a_worker_at_least():
    assert count_workers() >= 1
