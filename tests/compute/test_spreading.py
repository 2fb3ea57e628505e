"""Rows spread over workers: the same results in the same order, whatever dies."""

import logging
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from graft.compute import spreading
from graft.compute.shards import ShardStore
from graft.compute.spreading import Spread, map_rows
from graft.compute.worker_process import Failure
from graft.errors import GraftError
from helpers.spread_functions import Squares

ROWS = list(range(40))
ORIGINS = [f"origin of {row}" for row in ROWS]
ON_DASK = Spread("dask", workers=2, shard_rows=10)
needs_dask = pytest.mark.skipif(not find_spec("distributed"), reason="needs the extra dask")


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(tmp_path / "store")


@pytest.fixture
def squares(tmp_path: Path) -> Squares:
    return Squares(make(tmp_path / "worked_on"))


@pytest.fixture(scope="module", autouse=True)
def _no_workers_are_left() -> Iterator[None]:
    yield
    spreading.end_workers()


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_in_this_process_nothing_is_written(squares: Squares, store: ShardStore) -> None:
    found = list(map_rows(squares, ROWS, ORIGINS, Spread(shard_rows=7), store))
    assert found == [row**2 for row in ROWS]
    assert not store.folder.exists()


def test_without_rows_there_is_nothing_to_do(squares: Squares, store: ShardStore) -> None:
    assert list(map_rows(squares, [], [], ON_DASK, store)) == []


@needs_dask
def test_workers_give_the_same_and_what_was_made_before_is_not_made_again(
    squares: Squares, store: ShardStore, caplog: pytest.LogCaptureFixture
) -> None:
    some = map_rows(squares, ROWS[:20], ORIGINS[:20], Spread(shard_rows=10), store)
    names = [spreading.hash_parts(*ORIGINS[start : start + 10]) for start in (0, 10)]
    made = list(some)
    for number, name in enumerate(names):
        store.keep(name, made[10 * number : 10 * number + 10])
    with caplog.at_level(logging.INFO):
        found = list(map_rows(squares, ROWS, ORIGINS, ON_DASK, store))
    assert found == [row**2 for row in ROWS]
    assert [squares.count(row) for row in ROWS] == [1] * 40
    assert "Workers      2 of Dask on this machine" in caplog.text
    assert "http://127.0.0.1:" in caplog.text
    assert "Nanny" not in caplog.text


@needs_dask
def test_a_worker_that_dies_costs_no_row_and_a_row_that_ends_workers_is_named(
    tmp_path: Path, store: ShardStore
) -> None:
    squares = Squares(make(tmp_path / "rows"), ends=23, ends_once=5)
    found = list(map_rows(squares, ROWS, ORIGINS, ON_DASK, store))
    assert found[23] == Failure("ended three workers, one after the other")
    assert found[:23] + found[24:] == [row**2 for row in ROWS if row != 23]
    assert squares.count(23) == 3
    # Asked again, nobody is given the row: what came of it is kept.
    assert list(map_rows(squares, ROWS, ORIGINS, ON_DASK, store)) == found
    assert squares.count(23) == 3


@needs_dask
def test_an_exception_of_the_function_is_raised_here(store: ShardStore) -> None:
    with pytest.raises(FileNotFoundError):
        list(map_rows(Squares(Path("nowhere/at/all")), ROWS, ORIGINS, ON_DASK, store))


@needs_dask
def test_a_scheduler_that_does_not_answer_is_told_in_one_line(
    squares: Squares, store: ShardStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graft.compute import dask_workers

    monkeypatch.setattr(dask_workers, "_SECONDS_TO_ANSWER", 1)
    spread = Spread("dask", address="tcp://127.0.0.1:9")
    with pytest.raises(GraftError, match=r"no scheduler answers there; .* got 'tcp://127.0.0.1:9'"):
        list(map_rows(squares, ROWS, ORIGINS, spread, store))


def test_without_dask_it_is_told_how_to_install_it(
    squares: Squares, store: ShardStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "find_spec", lambda name: None)
    with pytest.raises(GraftError, match=r"pip install .* -e '\.\[dask\]'"):
        list(map_rows(squares, ROWS, ORIGINS, ON_DASK, store))
