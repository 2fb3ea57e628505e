"""Forward passes: in their order, and rows that a model does not take refused in one line."""

from __future__ import annotations

import threading
import time

import keras
import numpy as np
import pytest

from graft.backends.backend import Accelerator, load_backend
from graft.errors import GraftError
from graft.models.inference import compile_forward, pass_batches


def test_pictures_of_another_size_than_the_network_takes_are_refused():
    # As with --force, which takes pictures that were decoded for another size as they are.
    pictures = keras.Input((8, 8, 3), dtype="uint8")
    network = keras.Model(pictures, keras.layers.Flatten()(pictures), name="network")
    forward = compile_forward(network, batch_size=2)
    assert forward(np.zeros((1, 8, 8, 3), np.uint8)).shape == (1, 192)
    with pytest.raises(GraftError, match=r"'network' takes rows of shape \(8, 8, 3\).*\(16, 16, 3"):
        forward(np.zeros((1, 16, 16, 3), np.uint8))


@pytest.mark.parametrize("gpus", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_batches_come_back_in_their_order_however_many_are_on_their_way(
    gpus: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Accelerator("a GPU", is_quick_in_bfloat16=True)
    monkeypatch.setattr(load_backend(), "list_accelerators", lambda: [gpu] * gpus)
    threads = set()

    def run(rows: np.ndarray) -> np.ndarray:
        time.sleep(0.01 * float(rows[0] % 2))  # every second one takes longer
        threads.add(threading.current_thread())
        return rows * 2

    batches = [np.array([number]) for number in range(count)]
    passed = list(pass_batches(run, lambda rows: rows + 1, iter(batches)))
    assert [int(outputs[0]) for outputs in passed] == [2 * (number + 1) for number in range(count)]
    # What is compiled at the first one is compiled once, on this thread.
    assert count == 0 or threading.current_thread() in threads
    assert (len(threads) > 1) == (gpus > 0 and count > 1)


def test_a_batch_that_fails_on_its_way_ends_the_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Accelerator("a GPU", is_quick_in_bfloat16=True)
    monkeypatch.setattr(load_backend(), "list_accelerators", lambda: [gpu])

    def read(rows: np.ndarray) -> np.ndarray:
        if rows[0] == 2:
            raise OSError("a picture is gone")
        return rows

    passed = pass_batches(lambda rows: rows, read, (np.array([number]) for number in range(4)))
    with pytest.raises(OSError, match="a picture is gone"):
        list(passed)
