"""Training as tutorials write it, with nothing of this project.

Usage: python benchmarks/two_stages.py IMAGES SPLITS WEIGHTS SEED [--flip]

25 epochs of a head on MobileNetV2, frozen, then 50 of its last 20 layers (without
BatchNormalization, as Keras' guide to EfficientNet does) at 1e-5, by `keras.Model.fit` on an
`ImageDataGenerator`; the last epoch counts. IMAGES are pixels (N, H, H, 3) in a `.npy`, SPLITS a
Parquet file with a row a picture, `split` and `label_index`. `recipes.py --tutorial` starts it,
with TensorFlow as it is by default. It prints JSON: accuracy on test, seconds of the training.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from keras.src.legacy.preprocessing.image import ImageDataGenerator

FROZEN_EPOCHS, TUNED_EPOCHS, TUNED_LAYERS, BATCH = 25, 50, 20, 32


def train(
    images: np.ndarray, splits: pd.DataFrame, weights: Path, seed: int, flip: bool
) -> dict[str, float]:
    """Accuracy on test, and seconds from the first epoch to the last."""
    labels = splits["label_index"].to_numpy(np.int64)
    rows = {name: np.flatnonzero(splits["split"] == name) for name in ("train", "dev", "test")}
    change = {
        "rotation_range": 15, "zoom_range": 0.15, "width_shift_range": 0.1,
        "height_shift_range": 0.1, "horizontal_flip": flip,
    }  # fmt: skip
    keras.utils.set_random_seed(seed)
    batches = {
        name: ImageDataGenerator(
            preprocessing_function=keras.applications.mobilenet_v2.preprocess_input,
            **(change if name == "train" else {}),
        ).flow(
            images[own].astype(np.float32), labels[own], batch_size=BATCH,
            shuffle=name == "train", seed=seed,
        )
        for name, own in rows.items()
    }  # fmt: skip
    backbone = keras.applications.MobileNetV2(
        include_top=False, weights=str(weights), input_shape=images.shape[1:], pooling="avg"
    )
    inputs = keras.Input(images.shape[1:])
    features = keras.layers.Dropout(0.2)(backbone(inputs, training=False))
    outputs = keras.layers.Dense(int(labels.max()) + 1, activation="softmax")(features)
    model = keras.Model(inputs, outputs)
    backbone.trainable = False
    started = time.perf_counter()
    for epochs, rate in ((FROZEN_EPOCHS, 1e-3), (TUNED_EPOCHS, 1e-5)):
        model.compile(
            keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        model.fit(batches["train"], validation_data=batches["dev"], epochs=epochs, verbose=0)
        backbone.trainable = True
        for place, layer in enumerate(reversed(backbone.layers)):
            is_fixed = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = place < TUNED_LAYERS and not is_fixed
    seconds = time.perf_counter() - started
    return {"accuracy": float(model.evaluate(batches["test"], verbose=0)[1]), "seconds": seconds}


def main() -> None:
    """Train and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("images", "splits", "weights"):
        parser.add_argument(name, type=Path)
    parser.add_argument("seed", type=int)
    parser.add_argument("--flip", action="store_true")
    given = parser.parse_args()
    images = np.load(given.images, mmap_mode="r")
    splits = pd.read_parquet(given.splits)
    print(json.dumps(train(images, splits, given.weights, given.seed, given.flip)))


if __name__ == "__main__":
    main()
