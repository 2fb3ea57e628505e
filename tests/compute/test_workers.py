"""Workers: what a decoder does to its process costs the one picture that it was given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.compute import workers
from graft.compute.workers import Failure, Limits, map_isolated
from graft.errors import GraftError

HERE = Path(__file__).parent
LIMITS = Limits(seconds_per_picture=0.5, memory_mb=100)
# Half of what a hang lasts: no machine is so busy that it takes one for the other.
SOON, HANG = 300.0, 600.0
# After so long an interrupt counts as dropped.
PATIENCE = 40.0
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="a limit that Linux enforces")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The workers import what they do by its name."""
    monkeypatch.syspath_prepend(HERE)


def run(*contents, workers=1, limits=LIMITS):
    from misbehaving import decode

    return list(map_isolated(decode, ({"data": data} for data in contents), workers, limits))


@given(contents=st.lists(st.binary(max_size=20_000), max_size=80), workers=st.integers(1, 3))
@settings(max_examples=5, deadline=None)
def test_processes_give_what_a_plain_map_gives(contents, workers):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(HERE)
        assert run(*contents, workers=workers) == contents


def test_large_items_and_large_results_pass():
    contents = [bytes([number]) * 3_000_000 for number in range(6)]
    assert run(*contents, workers=2) == contents


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        (b"sleep", "takes longer to decode than the 0.5 s that seconds_per_picture allows"),
        (b"loop", "takes longer to decode than the 0.5 s that seconds_per_picture allows"),
        (b"loop_in_c", "takes longer to decode than the 0.5 s that seconds_per_picture allows"),
        (b"crash", "crashes its decoder (Segmentation fault)"),
        (b"abort", "crashes its decoder (Aborted)"),
        (b"be_killed", "its decoder was killed, as the system does when memory runs out"),
        (b"exit_at_once", "ends its decoder (exit code 3)"),
        (b"exit_politely", "ends its decoder (exit code 4)"),
        (b"refuse", "I refuse"),
        pytest.param(
            b"eat",
            "takes more memory to decode than the 100 MB that memory_mb allows",
            marks=linux_only,
        ),
    ],
)
def test_a_decoder_gone_wild_costs_its_own_picture_alone(deed, reason):
    good = [bytes([number]) * 9 for number in range(6)]
    # Only what would take forever may be ended by the clock, however busy the machine is.
    limits = LIMITS if "seconds_per_picture" in reason else Limits(60.0, LIMITS.memory_mb)
    results = run(*good[:3], deed, *good[3:], workers=1, limits=limits)
    assert results == [*good[:3], Failure(reason), *good[3:]]


def test_the_picture_that_broke_its_worker_is_handed_back():
    (failure,) = run(b"exit_at_once")
    assert failure.item == {"data": b"exit_at_once"}


def test_every_picture_may_break_its_worker():
    results = run(*[b"exit_at_once", b"crash"] * 2, workers=2)
    assert [result.reason[:7] for result in results] == ["ends it", "crashes"] * 2


def test_a_picture_is_tried_again_in_a_fresh_worker(tmp_path):
    # The one before it may have damaged the memory of the worker that crashed.
    results = run(b"remember", f"crash_once {tmp_path / 'crashed'}".encode(), b"remember")
    assert results == [1, "well", 1]


def test_a_worker_serves_many_pictures():
    assert run(*[b"remember"] * 50) == list(range(1, 51))


def test_as_many_workers_as_asked_for_serve():
    assert len(set(run(*[b"tell_process"] * 640, workers=3))) == 3


@linux_only
def test_memory_is_counted_a_picture_and_not_in_sum():
    assert run(*[b"take 60"] * 5) == [60] * 5


@linux_only
def test_the_memory_limit_is_a_parameter():
    results = run(b"take 60", b"take 200", limits=Limits(20.0, memory_mb=150))
    assert results == [
        60,
        Failure("takes more memory to decode than the 150 MB that memory_mb allows"),
    ]


@linux_only
def test_the_bytes_of_a_file_may_be_more_than_the_memory_limit():
    # They are there already; it is the next piece of memory that is refused.
    large = bytes(50 * 2**20)
    results = run(b"1", large, b"2", limits=Limits(20.0, memory_mb=40))
    assert results == [b"1", large, b"2"]


def test_an_exception_of_the_function_is_raised_in_its_turn():
    from misbehaving import decode

    results = map_isolated(decode, ({"data": data} for data in (b"1", b"fail", b"2")), 1, LIMITS)
    assert next(results) == b"1"
    with pytest.raises(LookupError, match="a defect of ours") as raised:
        next(results)
    assert "in fail" in raised.value.__notes__[0]


def test_an_exception_of_the_stream_arrives_and_no_worker_is_left():
    from misbehaving import decode

    def draw():
        yield {"data": b"sleep"}
        raise OSError("the archive ends here")

    started = time.monotonic()
    with pytest.raises(OSError, match="the archive ends here"):
        list(map_isolated(decode, draw(), 2, Limits(HANG, 100)))
    assert time.monotonic() - started < SOON
    assert active_children() == []


class Foreign:
    """What a worker cannot unpickle, as a function of a module that it does not find."""

    def __reduce__(self):
        return int, ("not a number",)


def test_a_worker_that_cannot_start_is_an_error_and_no_fault_of_the_pictures():
    with pytest.raises(GraftError, match=r"cannot start; .* got exit code 1$"):
        list(map_isolated(Foreign(), [{"data": b"1"}], 1, LIMITS))
    assert active_children() == []


def test_a_failure_among_the_items_is_passed_on():
    from misbehaving import decode

    unreadable = Failure("cannot be read: no permission")
    items = [{"data": b"1"}, unreadable, {"data": b"2"}]
    assert list(map_isolated(decode, items, 2, LIMITS)) == [b"1", unreadable, b"2"]


def test_items_are_drawn_a_bounded_number_ahead():
    from misbehaving import decode

    drawn = []

    def draw():
        for number in range(10_000):
            drawn.append(number)
            yield {"data": bytes(100_000)}

    results = map_isolated(decode, draw(), 1, LIMITS)
    assert drawn == []
    next(results)
    # Three batches of half a megabyte.
    assert len(drawn) <= 3 * 6
    results.close()


def test_an_iterator_closed_early_leaves_no_worker_and_does_not_wait():
    from misbehaving import decode

    items = ({"data": data} for data in [b"x" * 600_000] + [b"sleep"] * 50)
    results = map_isolated(decode, items, 2, Limits(HANG, 100))
    next(results)
    assert len(active_children()) == 2
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < SOON
    assert active_children() == []


def test_no_worker_is_left_at_the_end():
    run(b"1", b"crash", b"2", workers=2)
    assert active_children() == []


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process that is given shard after shard."""
    monkeypatch.setattr(workers, "_waiting", [])
    monkeypatch.setattr(workers, "_keeps", False)
    workers.keep()
    yield
    for _, crew in workers._waiting:
        workers._end(crew)


def test_kept_workers_answer_the_next_call_too(kept):
    assert run(b"remember", b"remember") == [1, 2]
    assert run(b"remember", b"remember") == [3, 4]
    assert len(active_children()) == 1


def test_kept_workers_make_room_for_those_of_another_kind(kept):
    (first,) = run(b"tell_process")
    (other,) = run(b"tell_process", limits=Limits(0.6, 100))
    assert [child.pid for child in active_children()] == [other] != [first]


def test_a_worker_that_owes_answers_is_not_kept(kept):
    from misbehaving import decode

    items = ({"data": data} for data in [b"x" * 600_000] + [b"sleep"] * 50)
    results = map_isolated(decode, items, 1, Limits(HANG, 100))
    next(results)
    results.close()
    assert active_children() == []
    assert run(b"1") == [b"1"]


def test_after_a_crash_and_after_an_error_the_next_call_is_answered(kept):
    assert isinstance(run(b"1", b"crash")[1], Failure)
    assert run(b"2") == [b"2"]
    with pytest.raises(LookupError, match="a defect of ours"):
        run(b"fail", b"3")
    assert run(b"4") == [b"4"]


def test_decoders_write_nothing_to_the_terminal(capfd):
    assert run(b"complain", b"abort", b"complain")[::2] == ["complained"] * 2
    assert capfd.readouterr() == ("", "")


# Who runs the tests may have made them deaf to Ctrl-C (`nohup`, many CI systems); a process
# inherits that, and Python then leaves the interrupt without a handler.
PROGRAM = """
    import signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("imported", flush=True)
    sys.path.insert(0, {here!r})
    from misbehaving import decode
    from graft.compute.workers import Limits, map_isolated
    items = ({{"data": data}} for data in {contents!r})
    for result in map_isolated(decode, items, 2, Limits({seconds}, 500)):
        print(result, flush=True)
"""


def start_program(tmp_path, contents, seconds=HANG):
    """A program without a guard of ``__main__`` that prints the results."""
    path = tmp_path / "program.py"
    path.write_text(
        textwrap.dedent(PROGRAM).format(here=str(HERE), contents=contents, seconds=seconds)
    )
    return subprocess.Popen(
        [sys.executable, path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_the_program_itself_is_not_imported_by_its_workers(tmp_path):
    program = start_program(tmp_path, [b"1"])
    assert program.communicate(timeout=60) == ("imported\nb'1'\n", "")


def is_alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@linux_only
@pytest.mark.parametrize("deed", [b"sleep", b"loop_in_c", b"1"])
def test_workers_end_with_a_parent_that_is_killed(tmp_path, deed):
    # Two batches, so that the number of the process is printed before the hang.
    program = start_program(tmp_path, [b"tell_process " + bytes(600_000), deed], seconds=1.0)
    assert program.stdout.readline() == "imported\n"
    worker = int(program.stdout.readline())
    program.kill()
    program.wait()
    deadline = time.monotonic() + SOON
    while is_alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    program.communicate()


def test_an_interrupt_ends_the_program_and_its_workers_without_their_tracebacks(tmp_path):
    deeds = [b"tell_process " + bytes(600_000), b"sleep", b"loop"]
    with start_program(tmp_path, deeds, seconds=600.0) as program:
        try:
            assert program.stdout.readline() == "imported\n"
            worker = int(program.stdout.readline())
            os.killpg(program.pid, signal.SIGINT)
            # No measure, only an end to a hang: the decoders would take ten minutes.
            _, errors = program.communicate(timeout=5 * SOON)
        finally:
            program.kill()
    assert errors.count("Traceback") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not is_alive(worker)
