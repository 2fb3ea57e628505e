"""Devices: several train as one does; on one processor nothing is said."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from graft.backends import on_tensorflow
from graft.datasets import KerasModelDataset
from graft.models.backbones import build_backbone
from graft.training.devices import tell_devices

SOURCE = Path(__file__).parents[2] / "src"
# One process can be given two logical processors only before TensorFlow starts, hence a script.
TWO_PROCESSORS = """
import sys
import graft.training.tails as fine_tuning
import numpy as np, tensorflow as tf
from graft.models.backbones import build_backbone
from graft.backends import on_tensorflow
from graft.models.freezing import cut_classifier
from graft.models.heads import build_head
from graft.training.devices import seed_everything
from graft.training.views import FreshViews, StoredViews, ViewPools
from graft.parameters.training import TrainingParameters

processor = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(processor, two)
random = np.random.default_rng(0)
labels = np.tile([0, 1], 10)
pictures = random.integers(0, 100, (20, 8, 8, 3)) + 100 * labels[:, None, None, None]
pictures = pictures.astype("uint8")
# The last batch of an epoch has 4 rows, the others 8.
settings = TrainingParameters(
    optimizer="adamw", weight_decay=0.1, learning_rate=1e-2, batch_size=8, epochs=4, patience=4,
    seed=1,
)

copy_to_devices = on_tensorflow.copy_to_devices

def train(devices, cached):
    seed_everything(0)
    on_tensorflow.copy_to_devices = lambda model: copy_to_devices(model, devices)
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    cut = cut_classifier(backbone, build_head(384, 2, 0.0, 0.0, seed=0), "block3")
    if cached:
        stored = cut.trunk.predict(pictures, verbose=0)
        views = StoredViews(stored.__getitem__, 0, 20, 0)
    else:
        views = FreshViews(pictures.__getitem__, np.arange(20), None)
    pools = ViewPools(views, labels, np.ones(20, np.float32))
    start = cut.whole.get_weights()
    history, before, after = fine_tuning.tune(cut, pools, pools, settings, layer_decay=0.5)
    assert after < before
    moved = max(np.abs(a - b).max() for a, b in zip(start, cut.whole.get_weights()))
    assert moved > 0.01, moved
    return cut.whole.get_weights()

cached = sys.argv[1] == "stored"
one, several = train(None, cached), train(["CPU:0", "CPU:1"], cached)
print("difference", max(np.abs(a - b).max() for a, b in zip(one, several)))
"""


@pytest.mark.parametrize("views", [pytest.param("stored", marks=pytest.mark.slow), "fresh"])
def test_two_devices_end_with_the_weights_of_one(views: str) -> None:
    """Of fresh pictures in `make test`, for these pass the whole network; of stored ones too."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_PROCESSORS, views],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (difference,) = [
        float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("difference")
    ]
    # One device computes normalizations within convolutions, several do not: the last bits differ.
    assert difference <= 1e-4


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
