"""Fine-tuning of every depth on one device and on several: run it as a program.

Usage, in the folder of the tests: python -m helpers.devices OUTPUT.npz DEVICES TIMES WAY …

One processor can be given out as several devices only before TensorFlow starts, hence a program.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from graft.backends import on_tensorflow
from graft.models.augmentation import PictureAugmenter
from graft.models.freezing import CutClassifier, cut_classifier
from graft.models.heads import build_head
from graft.models.inference import predict_rows
from graft.parameters.training import TrainingParameters
from graft.training import fitting
from graft.training.devices import seed_everything
from graft.training.mixup import MixedRows
from graft.training.tails import train_tail
from graft.training.views import FreshViews, StoredViews, ViewPools, ViewReader
from helpers.backends import AUGMENTATION

# The last of three batches has 5 rows, which no two devices can share evenly.
TRAIN, DEV = 21, 12
SETTINGS = TrainingParameters(
    optimizer="adamw", weight_decay=0.1, learning_rate=3e-3, batch_size=8, epochs=3, patience=3,
    seed=1,
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How deep, and on what.

    Attributes:
        unfreeze: Of :func:`graft.models.freezing.cut_classifier`.
        stored: Stored activations, not pictures; with this number of views.
        views: Of every stored picture.
        augmented: Pictures are augmented anew in every epoch.
        repeats: How often a picture stands in an epoch.
        dropout: Of the head.
        mixup: Strength.
    """

    unfreeze: str | int
    stored: bool = False
    views: int = 0
    augmented: bool = False
    repeats: int = 1
    dropout: float = 0.0
    mixup: float = 0.0


WAYS = {
    "head": Way("none", stored=True),
    "last_block": Way(1, stored=True),
    "last_block_of_views": Way(1, stored=True, views=2),
    "last_block_of_pictures": Way(1),
    "two_blocks": Way(2, stored=True),
    "two_blocks_augmented": Way(2, augmented=True),
    "all": Way("all"),
    "all_augmented": Way("all", augmented=True, repeats=2),
    "all_mixed": Way("all", augmented=True, mixup=0.2),
    "dropout": Way("all", dropout=0.5),
}


def build_tiny_backbone() -> keras.Model:
    """Three blocks of a convolution, a normalization with statistics of its own, and ReLU."""
    random = np.random.default_rng(0)
    pictures = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(pictures)
    for block in ("block1", "block2", "block3"):
        x = keras.layers.Conv2D(6, 3, use_bias=False, name=f"{block}_conv")(x)
        norm = keras.layers.BatchNormalization(name=f"{block}_norm")
        x = norm(x)
        norm.set_weights([random.uniform(0.5, 1.5, 6) for _ in range(4)])
        x = keras.layers.Activation("relu", name=f"{block}_relu")(x)
    return keras.Model(pictures, keras.layers.Flatten()(x), name="tiny")


class NotedLoss(keras.losses.Loss):
    """A loss that notes the weights of the rows it is asked about, and on which device.

    Args:
        loss: Of Keras, or its name.
        seen: Of every device a list of weights (n,), one a step.
    """

    def __init__(self, loss: Any, seen: dict[int, list[np.ndarray]]) -> None:
        super().__init__()
        self._loss, self._seen = keras.losses.get(loss), seen

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses (n,)."""
        return self._loss(y_true, y_pred)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Their mean."""
        where = tf.distribute.get_replica_context()
        if where is None:  # Keras builds the loss, and trains nothing
            return super().__call__(y_true, y_pred, sample_weight)
        device = where.replica_id_in_sync_group
        noted = tf.numpy_function(self._note, [device, sample_weight], tf.float32)
        with tf.control_dependencies([noted]):
            return super().__call__(y_true, y_pred, tf.identity(sample_weight))

    def _note(self, device: int, weights: np.ndarray) -> np.float32:
        # The pictures of dev, which are measured, have the weight 1, those of train others.
        if not (weights == 1).any():
            self._seen.setdefault(int(device), []).append(weights)
        return np.float32(0)


def train(way: Way, devices: Sequence[str] | None) -> dict[str, np.ndarray]:
    """Train a small classifier.

    Args:
        way: How.
        devices: Names; None for one.

    Returns:
        ``steps``: numbers of the pictures of every step, those of the first device first,
        (steps, 8) filled up with -1; ``shares``: rows of every step on every device;
        ``history``; ``probabilities`` of all pictures; ``norms``: all variables of
        BatchNormalization; ``moved``: the largest change of a weight.
    """
    seed_everything(0)
    labels = np.arange(TRAIN + DEV) % 2
    random = np.random.default_rng(0)
    pictures = random.integers(0, 100, (TRAIN + DEV, 8, 8, 3)) + 100 * labels[:, None, None, None]
    pictures = pictures.astype(np.uint8)
    weights = (1 + np.arange(1, TRAIN + 1) / (2 * TRAIN)).astype(np.float32)
    backbone = build_tiny_backbone()
    head = build_head(backbone.output_shape[-1], 2, way.dropout, 0.0, seed=0)
    cut = cut_classifier(backbone, head, way.unfreeze)
    learn, measure = _make_views(way, cut, pictures)
    pools: Any = ViewPools(learn, labels[:TRAIN], weights, way.repeats)
    if way.mixup:
        pools = MixedRows(pools, way.mixup, 2)
    dev = ViewPools(measure, labels[TRAIN:], np.ones(DEV, np.float32))
    start = cut.whole.get_weights()
    seen: dict[int, list[np.ndarray]] = {}
    on_tensorflow.copy_to_devices = lambda model: _COPY(model, devices)
    fitting.make_loss = lambda *given, **more: NotedLoss(_MAKE_LOSS(*given, **more), seen)
    history = train_tail(cut, pools, dev, SETTINGS, layer_decay=0.5)
    shares = [seen[device] for device in sorted(seen)]
    steps = [_number(np.concatenate(parts)) for parts in zip(*shares, strict=True)]
    norms = [
        np.ravel(variable) for layer in backbone.layers
        if isinstance(layer, keras.layers.BatchNormalization) for variable in layer.variables
    ]  # fmt: skip
    pairs = zip(start, cut.whole.get_weights(), strict=True)
    return {
        "steps": np.stack([np.pad(step, (0, 8 - len(step)), constant_values=-1) for step in steps]),
        "shares": np.array([[len(part) for part in share] for share in shares]),
        "history": history.to_numpy(),
        "probabilities": predict_rows(cut.whole, pictures.__getitem__, np.arange(TRAIN + DEV), 8),
        "norms": np.concatenate(norms),
        "moved": np.array(max(np.abs(before - after).max() for before, after in pairs)),
    }


def _number(weights: np.ndarray) -> np.ndarray:
    """Pictures of a batch by their weights, which grew where rows of no weight were added."""
    real = weights[weights > 0]
    return np.rint((real * len(real) / len(weights) - 1) * 2 * TRAIN).astype(np.int64) - 1


def _make_views(
    way: Way, cut: CutClassifier, pictures: np.ndarray
) -> tuple[ViewReader, ViewReader]:
    augmenter = PictureAugmenter(AUGMENTATION, 8)
    everything = np.arange(len(pictures))
    if not way.stored:
        learn = FreshViews(
            pictures.__getitem__, everything[:TRAIN], augmenter if way.augmented else None
        )
        return learn, FreshViews(pictures.__getitem__, everything[TRAIN:], None)
    assert cut.trunk is not None
    shown = np.repeat(pictures[:TRAIN], 1 + way.views, axis=0)
    numbers = np.tile(np.arange(1 + way.views), TRAIN)
    shown[numbers > 0] = augmenter.make_views(
        shown[numbers > 0], numbers[numbers > 0].tolist(), seed=2
    )
    everything = np.concatenate([shown, pictures[TRAIN:]])
    stored = predict_rows(cut.trunk, everything.__getitem__, np.arange(len(everything)), 8)
    return (
        StoredViews(stored.__getitem__, 0, TRAIN, way.views),
        StoredViews(stored.__getitem__, len(shown), DEV, 0),
    )


_COPY, _MAKE_LOSS = on_tensorflow.copy_to_devices, fitting.make_loss

if __name__ == "__main__":
    output, count, times, *names = sys.argv[1:]
    (processor,) = tf.config.list_physical_devices("CPU")
    several = [f"CPU:{number}" for number in range(int(count))]
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration() for _ in several]
    )
    found = {}
    for name in names:
        runs = {"one": None, **{f"several{number}": several for number in range(int(times))}}
        for run, devices in runs.items():
            values = train(WAYS[name], devices)
            found |= {f"{name}.{run}.{key}": value for key, value in values.items()}
    np.savez(Path(output), **found)
