"""What a training step costs with frozen BatchNormalization by itself, and within convolutions.

Usage: python benchmarks/fusing.py [--shared FOLDER] [--steps N]

MobileNetV2 at 96 pixels with the shared weights, all kernels trained, batches of 32, deterministic
operations. Both networks in turn, three times; the medians are printed, in processor time a step.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from graft.models.fusing import fuse_frozen_norms
from graft.training.devices import seed_everything

SIZE, BATCH, CLASSES, ROUNDS = 96, 32, 43, 3


def build(weights: Path) -> keras.Model:
    """A classifier whose normalizations are frozen."""
    backbone = keras.applications.MobileNetV2(
        include_top=False, weights=str(weights), input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    for layer in backbone.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return keras.Model(backbone.input, keras.layers.Dense(CLASSES)(backbone.output))


def measure(model: keras.Model, steps: int) -> float:
    """Milliseconds of processor time a step."""
    random = np.random.default_rng(0)
    pictures = random.uniform(-1, 1, (BATCH, SIZE, SIZE, 3)).astype(np.float32)
    batches = tf.data.Dataset.from_tensors((pictures, random.integers(0, CLASSES, BATCH))).repeat()
    model.fit(batches, steps_per_epoch=3, verbose=0, shuffle=False)
    started = time.process_time()
    model.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False)
    return 1000 * (time.process_time() - started) / steps


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    seed_everything(0)
    plain = build(options.shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5")
    models = {"by itself": plain, "within convolutions": fuse_frozen_norms(plain)}
    for model in models.values():
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-5), loss)
    found: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, model in models.items():
            found[name].append(measure(model, options.steps))
    plain_ms, fused_ms = (float(np.median(values)) for values in found.values())
    print(f"by itself {plain_ms:.0f} ms, within convolutions {fused_ms:.0f} ms, ", end="")
    print(f"ratio {fused_ms / plain_ms:.2f}")


if __name__ == "__main__":
    main()
