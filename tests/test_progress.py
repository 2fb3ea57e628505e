"""Progress: a bar in a terminal, a line now and then in a pipe, and the items as they were."""

from __future__ import annotations

import io
import logging
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from graft import progress
from graft.progress import tell, track


class Terminal(io.StringIO):
    """An error stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture(params=[io.StringIO, Terminal], ids=["pipe", "terminal"])
def stream(request, monkeypatch):
    stream = request.param()
    monkeypatch.setattr("sys.stderr", stream)
    return stream


@pytest.mark.parametrize("items", [[], [1], list("abc")])
@pytest.mark.usefixtures("stream")
def test_every_item_comes_through_in_order(items):
    assert list(track(items, len(items), "checking", "pictures")) == items


@pytest.mark.usefixtures("stream")
def test_an_item_is_drawn_only_when_it_is_asked_for():
    drawn = []
    tracked = track((drawn.append(n) or n for n in range(9)), 9, "checking", "pictures")
    assert drawn == []
    assert [next(tracked), next(tracked)] == drawn == [0, 1]


@pytest.mark.usefixtures("stream")
def test_an_exception_comes_through():
    def draw():
        yield 1
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(track(draw(), 2, "checking", "pictures"))


@pytest.fixture
def clock(monkeypatch):
    """Each look at the clock is ten seconds after the one before."""
    ticks = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(ticks))


@pytest.fixture
def lines(caplog, monkeypatch, clock):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def test_in_a_pipe_a_line_now_and_then_tells_rate_and_time_left(lines):
    list(track(range(8), 4_000, "extracting", "pictures", step=500))
    # 500 pictures in 10 s; a line once 15 s have passed, and none when all is done.
    assert lines() == [
        "extracting   1,000 of 4,000 pictures, 50/s, 60 s left",
        "extracting   2,000 of 4,000 pictures, 50/s, 40 s left",
        "extracting   3,000 of 4,000 pictures, 50/s, 20 s left",
    ]


def test_the_last_item_may_hold_fewer(lines):
    list(track(range(4), 31, "extracting", "pictures", step=10))
    assert lines() == ["extracting   20 of 31 pictures, 1/s, 11 s left"]


def test_a_short_loop_says_nothing_in_a_pipe(lines):
    list(track(range(2), 2, "checking", "pictures"))
    assert lines() == []


def test_in_a_terminal_a_bar_shows_the_activity(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    list(track(range(3), 3, "checking", "pictures"))
    assert "checking" in stream.getvalue()


def read_told(caplog, text: str) -> list[str]:
    caplog.clear()
    with caplog.at_level(logging.INFO):
        tell("Look alike", text)
    assert " ".join(line[13:] for line in caplog.messages).split() == text.split()
    return caplog.messages


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["two", "words", "猫和狗", "ก", "of", "long"]), min_size=1))
def test_what_is_told_fits_80_columns_and_no_line_is_shorter_than_need_be(caplog, words):
    lines = read_told(caplog, " ".join([*words, "pictures of both scripts", *words]))
    assert max(map(cell_len, lines)) <= 80
    assert [line[:13] for line in lines] == ["Look alike   ", *[" " * 13] * (len(lines) - 1)]
    for line, following in pairwise(lines):
        assert cell_len(f"{line} {following.split()[0]}") > 80


def test_a_path_is_left_whole(caplog):
    path = "/".join(["", *["a_folder"] * 12])
    assert read_told(caplog, f"see {path} now") == [
        "Look alike   see", " " * 13 + path, " " * 13 + "now",
    ]  # fmt: skip


def test_an_end_of_a_line_in_a_name_begins_no_line_of_its_own(caplog):
    assert read_told(caplog, "first 'a\nError: b.png'") == [
        "Look alike   first 'a", " " * 13 + "Error: b.png'",
    ]  # fmt: skip
