"""What a conversion for ONNX Runtime takes and gains, by network: processor time on one thread.

Weights are random, but BatchNormalization has the statistics of the pictures: without them
activations vanish into numbers so small that processors are slow at them. Keras passes 16 pictures
at once, ONNX Runtime one; each figure is the least of three.

Usage: python benchmarks/forward.py [--size PIXELS] [NETWORK …]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np
import onnxruntime

from graft.backends.onnx_conversion import convert_to_onnx
from graft.models.backbones import build_backbone
from graft.models.inference import compile_forward

NETWORKS = ["MobileNetV2", "EfficientNetB0", "ResNet50", "DenseNet121"]
COUNT, ROUNDS = 16, 3


def calibrate(network: keras.Model, pictures: np.ndarray) -> None:
    """Give BatchNormalization the statistics of pictures."""
    network.trainable = True
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(pictures, training=True)
    network.trainable = False


def measure(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds of the processors, the least of some rounds."""
    found = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


def describe(name: str, size: int) -> str:
    """A row of the table."""
    network = build_backbone(name, size, "random", seed=0)
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, size, size, 3), dtype=np.uint8)
    calibrate(network, pictures)
    contents: list[bytes] = []
    seconds = measure(lambda: contents.append(convert_to_onnx(network)), rounds=1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(contents[0], options)
    (given,) = session.get_inputs()
    forward = compile_forward(network, COUNT)
    forward(pictures)
    on_keras = measure(lambda: forward(pictures)) / COUNT
    on_onnx = measure(lambda: [session.run(None, {given.name: one[None]}) for one in pictures])
    gain, layers = on_keras - on_onnx / COUNT, len(network.layers)
    cells = [
        name, layers, f"{seconds:.1f} s", f"{1000 * on_keras:.1f}", f"{1000 * on_onnx / COUNT:.1f}",
        f"{1000 * seconds / layers:.0f}", f"{1000 * gain / layers:.3f}", f"{seconds / gain:,.0f}",
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Print a row a network, of a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    titles = [
        "network", "layers", "conversion", "Keras, ms", "ONNX Runtime, ms",
        "conversion a layer, ms", "gain a layer and picture, ms", "pays from so many pictures",
    ]  # fmt: skip
    print("| " + " | ".join(titles) + " |\n|" + "---|" * len(titles))
    for name in options.networks:
        print(describe(name, options.size), flush=True)


if __name__ == "__main__":
    main()
