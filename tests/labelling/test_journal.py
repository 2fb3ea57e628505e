"""The file of answers: nothing that was confirmed is lost, whoever writes and whatever dies."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.errors import GraftError
from graft.labelling.journal import Journal
from graft.sources.label_answers import HEADER, Answer, format_answer

TIME = "2026-11-30T08:15:00.000001Z"


def make_answer(number: int, name: str = "Ada") -> Answer:
    return Answer(f"{number}.png", "1", "relabel", "犬", False, name, TIME)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "label_answers.csv"


def test_what_one_process_writes_another_one_reads(path: Path) -> None:
    ours, theirs = Journal(path), Journal(path)
    ours.append(lambda: [make_answer(1)])
    theirs.append(lambda: [make_answer(2, "Bob")])
    ours.refresh()
    assert ours.answers == theirs.answers == [make_answer(1), make_answer(2, "Bob")]
    assert path.read_bytes().startswith(HEADER)


def test_who_chooses_has_read_all_that_others_wrote(path: Path) -> None:
    ours, theirs = Journal(path), Journal(path)
    theirs.append(lambda: [make_answer(1)])
    seen = []
    ours.append(lambda: seen.extend(ours.answers) or [make_answer(2)])
    assert seen == [make_answer(1)]


def test_a_filled_list_counts_and_is_not_written(path: Path) -> None:
    listed = Answer("1.png", "1", "drop", "", False, "label_review.csv", "")
    journal = Journal(path, [listed])
    journal.append(lambda: [make_answer(1)])
    assert journal.find_standing() == {("1.png", "1"): [listed, make_answer(1)]}
    assert journal.answers == [make_answer(1)]


def test_a_refusal_writes_nothing(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(ZeroDivisionError):
        journal.append(lambda: 1 / 0)
    assert path.read_bytes() == b""


@settings(deadline=None, max_examples=60)
@given(st.lists(st.booleans(), max_size=4), st.integers(0, 400))
def test_after_a_kill_at_any_byte_the_next_writer_loses_nothing(writers, cut) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "label_answers.csv"
        both = Journal(path), Journal(path)
        for number, which in enumerate(writers):
            both[which].append(lambda n=number, w=which: [make_answer(n, f"{w}")])
        whole = path.read_bytes() if path.exists() else b""
        path.write_bytes(whole[:cut])
        kept = Journal(path)
        kept.refresh()
        before = list(kept.answers)
        # The second writer had read more than there is now; it reads anew.
        both[1].append(lambda: [make_answer(99)])
        kept.refresh()
        expected = [make_answer(n, f"{w}") for n, w in enumerate(writers)]
        assert kept.answers[:-1] == expected[: len(kept.answers) - 1]
        assert len(before) <= len(kept.answers) - 1 <= len(before) + 1
        assert kept.answers[-1] == make_answer(99)
        assert both[1].answers == kept.answers


def test_writers_at_the_same_time_lose_nothing_and_mix_no_lines(path: Path) -> None:
    def write(name: str) -> None:
        journal = Journal(path)
        for number in range(20):
            journal.append(lambda n=number: [make_answer(n, name), make_answer(100 + n, name)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "ABCD"))
    journal = Journal(path)
    journal.refresh()
    assert len(set(journal.answers)) == 4 * 40
    assert journal.damaged == 0


def test_a_disk_that_gets_full_leaves_the_file_as_it_was(path: Path, monkeypatch) -> None:
    journal = Journal(path)
    journal.append(lambda: [make_answer(1)])
    before, write = path.read_bytes(), os.write

    def write_a_little(descriptor: int, data: memoryview) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:10])

    monkeypatch.setattr(os, "write", write_a_little)
    with pytest.raises(GraftError, match=r"make room .* got No space left on device for '.*csv'$"):
        journal.append(lambda: [make_answer(2)])
    assert path.read_bytes() == before
    assert journal.answers == [make_answer(1)]


def test_a_file_that_was_put_in_its_place_is_read_from_the_beginning(path: Path) -> None:
    journal = Journal(path)
    journal.append(lambda: [make_answer(1)])
    other = path.with_name("other.csv")
    other.write_bytes(HEADER + format_answer(make_answer(7)) * 2)
    other.replace(path)
    journal.refresh()
    assert journal.answers == [make_answer(7)] * 2
    path.unlink()
    journal.refresh()
    assert journal.answers == []
