"""Files in which workers leave what they made."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.compute.shards import ShardStore, make_shard
from helpers.spread_functions import Squares

NAME = "a" * 64


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(tmp_path / "store")


def test_what_was_kept_is_read(store: ShardStore) -> None:
    store.keep(NAME, [np.arange(3), "reason"])
    first, second = store.read(NAME) or []
    assert first.tolist() == [0, 1, 2]
    assert second == "reason"


def test_what_was_never_made_is_not_there(store: ShardStore) -> None:
    assert store.read(NAME) is None


@settings(deadline=None)
@given(st.data())
def test_a_shard_that_was_altered_or_cut_short_counts_as_absent(tmp_path_factory, data) -> None:
    store = ShardStore(tmp_path_factory.mktemp("store"))
    store.keep(NAME, list(range(20)))
    (path,) = store.folder.glob("*.shard")
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    is_cut = data.draw(st.booleans())
    altered = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    path.write_bytes(content[:place] if is_cut else altered)
    assert store.read(NAME) is None


def test_a_shard_that_is_there_is_not_made_again(store: ShardStore, tmp_path: Path) -> None:
    squares = Squares(tmp_path)
    for _ in range(2):
        make_shard(squares, [2, 3], str(store.folder), NAME)
    assert store.read(NAME) == [4, 9]
    assert squares.count(2) == 1


def test_only_who_dies_leaves_a_note(store: ShardStore) -> None:
    with store.take_notes(NAME) as note:
        note(7)
        assert store.read_notes(NAME) == [7]
    assert store.read_notes(NAME) == []


def test_a_function_that_forgets_a_row_is_a_defect(store: ShardStore) -> None:
    with pytest.raises(ValueError, match="a result a row is wanted; got 1 of 2 rows"):
        make_shard(lambda rows: rows[:1], [1, 2], str(store.folder), NAME)


def test_a_store_that_is_cleared_is_empty(store: ShardStore) -> None:
    store.keep(NAME, [1])
    store.clear()
    assert store.read(NAME) is None
    store.clear()
