"""Devices: several train as one does; on one processor nothing is said."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from graft.backends import on_tensorflow
from graft.datasets import KerasModelDataset
from graft.models.backbones import build_backbone
from graft.training.devices import tell_devices
from helpers.devices import WAYS

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src"
KEYS = ("steps", "shares", "history", "probabilities", "norms", "moved")
RUNS = ("one", "several0")
# Of a history: what dev measured, and the learning rate.
MEASURED = slice(3, None)


def train_on_devices(folder: Path, count: int, times: int, ways: Sequence[str]) -> dict[str, Any]:
    """What the program :mod:`helpers.devices` found, by way and run."""
    file = folder / "found.npz"
    done = subprocess.run(
        [sys.executable, "-m", "helpers.devices", str(file), str(count), str(times), *ways],
        cwd=TESTS, env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(file))


def check_way(found: dict[str, Any], way: str, devices: int) -> None:
    """The same rows in the same order, in even shares, and what one device ends with."""
    one, several = ({key: found[f"{way}.{run}.{key}"] for key in KEYS} for run in RUNS)
    np.testing.assert_array_equal(several["steps"], one["steps"])
    shares = several["shares"]
    assert len(shares) == devices
    assert (shares == shares[0]).all()
    assert one["moved"] > 1e-3
    # Statistics and scales of normalizations stay what they were.
    assert several["norms"].tobytes() == one["norms"].tobytes()
    if WAYS[way].dropout:
        return
    # One device computes normalizations within convolutions, several do not: the last bits differ.
    np.testing.assert_allclose(several["probabilities"], one["probabilities"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        several["history"][:, MEASURED], one["history"][:, MEASURED], rtol=0, atol=1e-5
    )


def test_two_devices_end_as_one_does(tmp_path: Path) -> None:
    check_way(train_on_devices(tmp_path, 2, 1, ["all"]), "all", 2)


@pytest.mark.slow
def test_every_depth_ends_on_three_devices_as_on_one_and_twice_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    found = train_on_devices(tmp_path, 3, 2, list(WAYS))
    for way in WAYS:
        check_way(found, way, 3)
        for key in KEYS:
            first, second = (found[f"{way}.several{number}.{key}"] for number in (0, 1))
            assert first.tobytes() == second.tobytes()


def test_on_one_processor_there_is_nothing_to_say(caplog) -> None:
    with caplog.at_level(logging.INFO):
        tell_devices()
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        assert on_tensorflow.copy_to_devices(model) is model
    assert caplog.text == ""


def test_a_gpu_is_told(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    device = SimpleNamespace(name="/physical_device:GPU:0")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [device])
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda _: {"device_name": "NVIDIA H200"}
    )
    with caplog.at_level(logging.INFO):
        tell_devices()
    assert "Device       NVIDIA H200" in caplog.text


# Kedro loads the inputs of a node, networks among them, before the node: TensorFlow has its
# devices by then, and refuses every other setting of them. In place of a GPU, which the machine
# may not have, the nodes see the processor: TensorFlow guards its settings in the same way.
A_NODE_AFTER_ITS_NETWORK = """
import os, sys
from importlib.abc import MetaPathFinder

class Note(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "tensorflow":
            print("growth", os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH"))

import numpy as np, pandas as pd
from graft.datasets import KerasModelDataset
from graft.parameters.fine_tuning import FineTuningParameters
from graft.pipelines.fine_tuning.nodes import store_boundary_activations

assert "tensorflow" not in sys.modules
sys.meta_path.insert(0, Note())
backbone = KerasModelDataset(filepath=sys.argv[1]).load()

import tensorflow as tf
from tensorflow.python.eager import context
assert context.context()._context_handle is not None, "TensorFlow has no devices yet"
processors = tf.config.list_physical_devices("CPU")
tf.config.list_physical_devices = lambda kind=None: processors

augmentation = dict(rotation=0, zoom=0, shift=0, shear=0, horizontal_flip=False,
                    fill_mode="nearest", brightness=0, contrast=0)
parameters = FineTuningParameters(
    unfreeze="none", activation_cache=True, views=0, activation_dtype="float32",
    activation_batch_size=4, augmentation=augmentation, layer_decay=1, learning_rate=1e-3,
    batch_size=8, epochs=1, patience=1, seed=0,
)
nothing = np.zeros((0, 8, 8, 3), np.uint8)
stored = store_boundary_activations(backbone, nothing, None, None, None, {"budget": {}}, parameters)
print("stored", len(stored))
"""


# That what is set stays is what tests/test_runtime.py asks of every name.
@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, "true"), pytest.param("false", "false", marks=pytest.mark.slow)],
)
def test_a_gpus_memory_is_taken_as_it_is_needed_and_fine_tuning_runs_after_a_network_was_loaded(
    given: str | None, expected: str, tmp_path: Path
) -> None:
    file = KerasModelDataset(filepath=str(tmp_path / "backbone.keras"))
    file.save(build_backbone("small_cnn", 8, "printed_letters", seed=0))
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    environment.pop("TF_FORCE_GPU_ALLOW_GROWTH", None)
    if given is not None:
        environment["TF_FORCE_GPU_ALLOW_GROWTH"] = given
    done = subprocess.run(
        [sys.executable, "-c", A_NODE_AFTER_ITS_NETWORK, str(tmp_path / "backbone.keras")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = done.stdout.splitlines()
    assert told[0] == f"growth {expected}"
    assert told[-1] == "stored 0"
