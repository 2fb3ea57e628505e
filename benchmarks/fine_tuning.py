"""Fine-tuning on stored boundary activations against fine-tuning in the whole graph.

Usage: python benchmarks/fine_tuning.py tail [--shared FOLDER] [--pictures N] [--epochs N]
       python benchmarks/fine_tuning.py tutorial|rival [--shared FOLDER]

MobileNetV2 at 224 with its ImageNet weights on the shared cats and dogs, in batches of 32.

`tail` trains the same batches both ways, from block_16, block_14 and block_11; an epoch includes
the measuring on dev, and the first one, which compiles, does not count. `tutorial` sets the two
stages of the tutorials (25 epochs with all layers frozen, then 50 epochs from block_16; pictures
decoded and augmented by ImageDataGenerator in every epoch) against `kedro run` for the same
epochs, from the files to the report. Of the tutorial one epoch of each stage is measured, after
one that compiles, and multiplied; of this project all epochs are run. The tutorial has a process of
its own (`rival`), with TensorFlow's memory as it is by default and not as this project sets it
(`runtime.py`), which would make it faster than any notebook. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from graft.images.decoding import decode_picture
from graft.models.augmentation import PictureAugmenter
from graft.models.backbones import build_backbone
from graft.models.freezing import CutClassifier, cut_classifier
from graft.models.heads import build_head
from graft.parameters.fine_tuning import AugmentationParameters
from graft.parameters.training import TrainingParameters
from graft.training.boundary import BoundaryPlan, BoundaryRun
from graft.training.devices import seed_everything
from graft.training.tails import tune
from graft.training.views import FreshViews, StoredViews, ViewPools, ViewReader
from run import read_figure, run_kedro, throw_away_project

SIZE, BATCH = 224, 32
FROZEN_EPOCHS, TUNED_EPOCHS = 25, 50
OFF = AugmentationParameters(
    rotation=0, zoom=0, shift=0, shear=0, horizontal_flip=False, fill_mode="nearest",
    brightness=0, contrast=0,
)  # fmt: skip


class Clock(keras.callbacks.Callback):
    """Notes when every epoch ends."""

    ends: list[float] = []  # noqa: RUF012 - the training makes the object, the script reads here

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Note the time."""
        Clock.ends.append(time.perf_counter())

    @classmethod
    def take_epoch(cls) -> float:
        """Median seconds of an epoch after the first."""
        seconds = statistics.median(np.diff(cls.ends))
        cls.ends.clear()
        return float(seconds)


class Cats:
    """Pictures of cats and dogs, the first three quarters to train on, the rest as dev."""

    def __init__(self, folder: Path, count: int) -> None:
        self.files = [
            folder / f"{label}.{number}.jpg"
            for number in range(count // 2)
            for label in ("cat", "dog")
        ]
        read = [decode_picture(path.read_bytes(), SIZE, 80_000_000) for path in self.files]
        self.pixels, self.labels = np.stack(read), np.arange(count) % 2
        self.names = np.array([path.name for path in self.files])
        self.train, self.dev = np.split(np.arange(count), [count * 3 // 4])

    def make_pools(self, views: dict[str, ViewReader]) -> tuple[ViewPools, ViewPools]:
        """Batches of train and dev."""
        train, dev = (
            ViewPools(views[name], self.labels[rows], np.ones(len(rows), np.float32))
            for name, rows in (("train", self.train), ("dev", self.dev))
        )
        return train, dev


def make_classifier(cats: Cats, weights: str, unfreeze: str) -> CutClassifier:
    """A classifier whose head has learnt from the frozen features, the same in every call."""
    seed_everything(0)
    backbone = build_backbone("MobileNetV2", SIZE, weights, seed=0)
    head = build_head(backbone.output_shape[-1], 2, dropout=0.2, weight_decay=1e-4, seed=0)
    features = backbone.predict(cats.pixels[cats.train], batch_size=BATCH, verbose=0)
    head.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    head.fit(features, cats.labels[cats.train], epochs=5, shuffle=False, verbose=0)
    return cut_classifier(backbone, head, unfreeze)


def compare_tails(cats: Cats, weights: str, epochs: int) -> dict[str, dict[str, float]]:
    """Seconds an epoch and loss on dev, both ways, from each block."""
    settings = TrainingParameters(
        learning_rate=3e-5, schedule="cosine", warmup_share=0.1, batch_size=BATCH,
        epochs=epochs, patience=epochs, callbacks=({"class": "__main__.Clock"},), seed=0,
    )  # fmt: skip
    read, results = cats.pixels.__getitem__, {}
    for block in ("block_16", "block_14", "block_11"):
        cut = make_classifier(cats, weights, block)
        started = time.perf_counter()
        stored = store(cut, cats)
        storing = time.perf_counter() - started
        first = len(cats.train)
        views: dict[str, ViewReader] = {
            "train": StoredViews(stored.__getitem__, 0, first, 0),
            "dev": StoredViews(stored.__getitem__, first, len(cats.dev), 0),
        }
        cached, _, _ = tune(cut, *cats.make_pools(views), settings, 1.0, logs=Path())
        seconds = Clock.take_epoch()
        whole = make_classifier(cats, weights, block)
        views = {
            name: FreshViews(read, rows, None)
            for name, rows in {"train": cats.train, "dev": cats.dev}.items()
        }
        plain, _, _ = tune(whole, *cats.make_pools(views), settings, 1.0, logs=Path())
        rival = Clock.take_epoch()
        results[block] = {
            "stored": seconds,
            "whole": rival,
            "ratio": rival / seconds,
            "storing": storing,
            "dev_loss_stored": float(cached["dev_loss"].iloc[-1]),
            "dev_loss_whole": float(plain["dev_loss"].iloc[-1]),
        }
        print(block, {name: round(value, 4) for name, value in results[block].items()}, flush=True)
    return results


def store(cut: CutClassifier, cats: Cats) -> np.ndarray:
    """The activations of all pictures, as the stage stores them."""
    run = BoundaryRun(
        cut.trunk, cats.pixels.__getitem__, cats.names, PictureAugmenter(OFF, SIZE), BATCH, 0,
        "float16",
    )  # fmt: skip
    plan = BoundaryPlan(cats.train, cats.dev, 0)
    return np.stack([row for _, row in run.compute(plan, np.arange(len(plan)))])


def measure_tutorial(shared: Path, weights: str) -> dict[str, float]:
    """Seconds an epoch of both stages, the way of the tutorials."""
    cats = Cats(shared / "data/cats_vs_dogs", 960)
    backbone = keras.applications.MobileNetV2(
        include_top=False, weights=weights, input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    model = keras.Sequential(
        [backbone, keras.layers.Dropout(0.2), keras.layers.Dense(2, activation="softmax")]
    )
    seconds = {}
    with tempfile.TemporaryDirectory() as links:
        batches = [
            _flow(cats, rows, Path(links) / name)
            for name, rows in (("train", cats.train), ("dev", cats.dev))
        ]
        backbone.trainable = False
        seconds["frozen"] = _time_epoch(model, batches, 1e-3)
        backbone.trainable = True
        names = [layer.name for layer in backbone.layers]
        for number, layer in enumerate(backbone.layers):
            is_norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = number >= names.index("block_16_expand") and not is_norm
        seconds["tuned"] = _time_epoch(model, batches, 1e-5)
    return seconds


def _flow(cats: Cats, rows: np.ndarray, folder: Path) -> keras.utils.PyDataset:
    """Files decoded, and those of train augmented, whenever a batch is asked for."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    is_train = rows is cats.train
    augmentation = {
        "rotation_range": 15, "zoom_range": 0.15, "width_shift_range": 0.1,
        "height_shift_range": 0.1, "horizontal_flip": True,
    }  # fmt: skip
    for row in rows:
        link = folder / cats.files[row].name[:3] / cats.files[row].name
        link.parent.mkdir(exist_ok=True, parents=True)
        link.symlink_to(cats.files[row])
    return ImageDataGenerator(
        preprocessing_function=keras.applications.mobilenet_v2.preprocess_input,
        **(augmentation if is_train else {}),
    ).flow_from_directory(
        folder, target_size=(SIZE, SIZE), batch_size=BATCH, class_mode="sparse",
        shuffle=is_train, seed=0,
    )  # fmt: skip


def _time_epoch(model: keras.Model, batches: list, learning_rate: float) -> float:
    model.compile(
        keras.optimizers.Adam(learning_rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(batches[0], validation_data=batches[1], epochs=3, verbose=0, callbacks=[Clock()])
    return Clock.take_epoch()


def compare_with_tutorial(shared: Path, weights: str) -> dict[str, float]:
    """Seconds of both ways for 25 + 50 epochs."""
    folder = shared / "data/cats_vs_dogs"
    parameters = {
        "source": folder, "weights": weights,
        "head_training.epochs": FROZEN_EPOCHS, "head_training.patience": FROZEN_EPOCHS,
        "fine_tuning.recipe": "custom", "fine_tuning.unfreeze": "block_16",
        "fine_tuning.epochs": TUNED_EPOCHS, "fine_tuning.patience": TUNED_EPOCHS,
    }  # fmt: skip
    text = ",".join(f"{name}={value}" for name, value in parameters.items())
    with throw_away_project() as project:
        seconds = run_kedro(project, "run", "--env=cats_vs_dogs", "--params", text)
        found = read_figure(project, "cats_vs_dogs", "fine_tuned")
    command = [sys.executable, __file__, "rival", "--shared", str(shared)]
    by_default = {**os.environ, "TF_CPU_ALLOCATOR_USE_BFC": "false"}
    done = subprocess.run(command, env=by_default, check=True, stdout=subprocess.PIPE)
    rival = json.loads(done.stdout.splitlines()[-1])
    tutorial = FROZEN_EPOCHS * rival["frozen"] + TUNED_EPOCHS * rival["tuned"]
    return {
        "graft": seconds,
        "accuracy": found["value"],
        "tutorial_frozen_epoch": rival["frozen"],
        "tutorial_tuned_epoch": rival["tuned"],
        "tutorial": tutorial,
        "ratio": tutorial / seconds,
    }


def main() -> None:
    """Measure what is asked for and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["tail", "tutorial", "rival"])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--pictures", type=int, default=960)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    shared = options.shared.resolve()
    weights = str(shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5")
    if options.what == "tail":
        cats = Cats(shared / "data/cats_vs_dogs", options.pictures)
        result: dict = compare_tails(cats, weights, options.epochs)
    elif options.what == "rival":
        result = measure_tutorial(shared, weights)
    else:
        result = compare_with_tutorial(shared, weights)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
