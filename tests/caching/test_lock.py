"""The lock: one run at a time on the same outputs, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from graft.caching.lock import RunLock
from graft.errors import GraftError

HOLD = """
import sys, time
from pathlib import Path
from graft.caching.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
lock.acquire([Path(sys.argv[2])])
print("locked", flush=True)
time.sleep(600)
"""


@pytest.fixture
def hold(tmp_path):
    """Starts another process that locks a folder until it is killed."""
    started = []

    def start(folder):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path / ".locks", folder],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        started.append(process)
        assert process.stdout.readline() == "locked\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def lock(tmp_path):
    found = RunLock(tmp_path / ".locks")
    yield found
    found.release()


def test_a_second_run_is_refused_with_the_process_of_the_first(tmp_path, hold, lock):
    first = hold(tmp_path / "03_primary" / "digits")
    with pytest.raises(
        GraftError, match=rf"'03_primary/digits' since 20\d\d.*process {first.pid}$"
    ):
        lock.acquire([tmp_path / "02" / "digits", tmp_path / "03_primary" / "digits"])


def test_a_refused_run_holds_nothing(tmp_path, hold, lock):
    hold(tmp_path / "b")
    with pytest.raises(GraftError):
        lock.acquire([tmp_path / "a", tmp_path / "b"])
    RunLock(tmp_path / ".locks").acquire([tmp_path / "a"])


def test_other_folders_are_free(tmp_path, hold, lock):
    hold(tmp_path / "digits")
    lock.acquire([tmp_path / "cats"])


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, hold, lock):
    first = hold(tmp_path / "digits")
    first.send_signal(signal.SIGKILL)
    first.wait()
    lock.acquire([tmp_path / "digits"])


def test_a_run_that_waits_goes_on_when_the_first_ends(tmp_path, hold, lock, monkeypatch):
    first = hold(tmp_path / "digits")
    told = []

    def end_the_first(*message):
        told.append(message)
        first.kill()

    # Whoever waits says so before.
    monkeypatch.setattr("graft.caching.lock.tell", end_the_first)
    lock.acquire([tmp_path / "digits"], wait=True)
    assert len(told) == 1
    assert first.wait() == -signal.SIGKILL


def test_what_is_released_can_be_locked_again(tmp_path, lock):
    lock.acquire([tmp_path / "digits"])
    lock.release()
    RunLock(tmp_path / ".locks").acquire([tmp_path / "digits"])
