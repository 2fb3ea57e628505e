"""Devices: several train as one does; on one processor nothing is said."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from graft.errors import GraftError
from graft.training.devices import choose_strategy, prepare_devices

SOURCE = Path(__file__).parents[2] / "src"
# One process can be given two logical processors only before TensorFlow starts, hence a script.
TWO_PROCESSORS = """
import graft.training.tails as fine_tuning
import numpy as np, tensorflow as tf
from graft.models.backbones import build_backbone
from graft.training.devices import choose_strategy
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

def train(devices, cached):
    seed_everything(0)
    fine_tuning.choose_strategy = lambda: choose_strategy(devices) if devices else None
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

for cached in (True, False):
    one, several = train(None, cached), train(["CPU:0", "CPU:1"], cached)
    print("difference", max(np.abs(a - b).max() for a, b in zip(one, several)))
"""


def test_two_devices_end_with_the_weights_of_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_PROCESSORS],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    differences = [
        float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("difference")
    ]
    assert len(differences) == 2
    assert max(differences) <= 1e-5


def test_on_one_processor_there_is_nothing_to_say(caplog) -> None:
    with caplog.at_level(logging.INFO):
        for gpu_memory in ("growth", "all", 4096):
            prepare_devices(gpu_memory)
        assert choose_strategy() is None
    assert caplog.text == ""


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A GPU as TensorFlow describes one, and what is done to it."""
    device = SimpleNamespace(name="/physical_device:GPU:0", done=[])
    config = tf.config
    monkeypatch.setattr(config, "list_physical_devices", lambda _: [device])
    monkeypatch.setattr(
        config.experimental, "get_device_details", lambda _: {"device_name": "NVIDIA H200"}
    )
    monkeypatch.setattr(
        config.experimental, "set_memory_growth", lambda *given: device.done.append(given)
    )
    monkeypatch.setattr(
        config, "set_logical_device_configuration", lambda *given: device.done.append(given)
    )
    return device


def test_a_gpu_and_its_memory_are_told(gpu: SimpleNamespace, caplog) -> None:
    with caplog.at_level(logging.INFO):
        prepare_devices("growth")
        prepare_devices(4096)
    assert gpu.done[0] == (gpu, True)
    assert gpu.done[1][1][0].memory_limit == 4096
    assert "Device       NVIDIA H200, memory growth" in caplog.text


def test_a_gpu_that_is_in_use_in_another_way_is_told(gpu, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_logical_device_configuration", fail)
    with pytest.raises(GraftError, match=r"with --pipelines=fine_tuning; got 4096$"):
        prepare_devices(4096)
