"""What a training step of a whole network costs, and what two choices of this project take off it.

Usage: python benchmarks/training_step.py [--shared FOLDER] [--steps N]

MobileNetV2 at 96 pixels with the shared weights, all kernels trained, deterministic operations,
batches of 32 drawn in Python as this project draws them. Frozen BatchNormalization by itself, and
within convolutions (`models/fusing.py`); the memory of results given back to the system, and kept
(`TF_CPU_ALLOCATOR_USE_BFC`, `runtime.py`). Each combination is a process of its own, three times in
turn; the medians are printed, in milliseconds of the processors a step.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SIZE, BATCH, CLASSES, ROUNDS = 96, 32, 43, 3
NORMS = ("by itself", "within convolutions")
MEMORY = {"given back": "false", "kept": "true"}


def measure(weights: Path, norms: str, steps: int) -> float:
    """Milliseconds of processor time a step, in this process."""
    import keras
    import tensorflow as tf

    from graft.models.fusing import fuse_frozen_norms
    from graft.training.devices import seed_everything

    seed_everything(0)
    backbone = keras.applications.MobileNetV2(
        include_top=False, weights=str(weights), input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    for layer in backbone.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    model = keras.Model(backbone.input, keras.layers.Dense(CLASSES)(backbone.output))
    if norms == NORMS[1]:
        model = fuse_frozen_norms(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-5), loss)
    random = np.random.default_rng(0)
    pictures = random.uniform(-1, 1, (BATCH, SIZE, SIZE, 3)).astype(np.float32)
    labels = random.integers(0, CLASSES, BATCH)

    def draw() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            yield pictures.copy(), labels.copy()

    shapes = (
        tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32), tf.TensorSpec((None,), tf.int64),
    )  # fmt: skip
    batches = tf.data.Dataset.from_generator(draw, output_signature=shapes).prefetch(2)
    model.fit(batches, steps_per_epoch=3, verbose=0, shuffle=False)
    started = time.process_time()
    model.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False)
    return 1000 * (time.process_time() - started) / steps


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--norms", choices=NORMS, help="measure this in this process alone")
    options = parser.parse_args()
    if options.norms:
        weights = options.shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
        print(measure(weights, options.norms, options.steps))
        return
    found: dict[tuple[str, str], list[float]] = {}
    for _, norms, memory in itertools.product(range(ROUNDS), NORMS, MEMORY):
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--norms", norms],
            env={**os.environ, "TF_CPU_ALLOCATOR_USE_BFC": MEMORY[memory]},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.setdefault((norms, memory), []).append(float(done.stdout.splitlines()[-1]))
    print("| frozen BatchNormalization | memory of results | ms of the processors a step |")
    print("|---|---|---|")
    for (norms, memory), values in found.items():
        print(f"| {norms} | {memory} | {statistics.median(values):.0f} |")


if __name__ == "__main__":
    main()
