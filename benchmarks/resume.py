"""Kills trainings at random moments and compares what they end with when they are run again.

Every trial is a process of its own, ended by SIGKILL, and another one with the same command.
Every second kill waits for a backup that is being written and comes in its middle.
"resumed" counts those that trained fewer epochs than an undisturbed one, having gone on and not
begun anew, "identical" those whose weights and history have the bits of an undisturbed training.
Kills come after the first backup; before it there is nothing to go on from. Of a race of recipes
the table of all runners is compared as well.

    python benchmarks/resume.py [--kills 20] [--only head|tail|race]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from graft.models.augmentation import PictureAugmenter
from graft.models.backbones import build_backbone
from graft.models.blocks import find_blocks
from graft.models.freezing import CutClassifier
from graft.models.heads import build_head
from graft.parameters.fine_tuning import AugmentationParameters, FineTuningParameters
from graft.parameters.training import TrainingParameters
from graft.training.backup import TrainingBackup
from graft.training.devices import seed_everything
from graft.training.fitting import fit
from graft.training.mixup import MixedRows
from graft.training.race import Race, tabulate_race
from graft.training.shuffling import ArrayReader, RowPools
from graft.training.tuning_recipes import Recipe, Workload
from graft.training.views import FreshViews, ViewPools
from graft.training.watching import Recorder

CLASSES = 4
AUGMENTATION = AugmentationParameters(
    rotation=5, zoom=0.05, shift=0.05, shear=0, horizontal_flip=True, fill_mode="nearest",
    brightness=0.05, contrast=0.1,
)  # fmt: skip


def train_head(folder: Path) -> None:
    """A head on features: dropout, a learning rate that falls by dev, early stopping."""
    settings = TrainingParameters(
        learning_rate=0.02, schedule="reduce_on_plateau", reduce_factor=0.5, reduce_after=2,
        batch_size=16, epochs=60, patience=8, weight_decay=1e-4, seed=1,
        callbacks=({"class": "csv_logger"}, {"class": "model_checkpoint"}),
    )  # fmt: skip
    seed_everything(settings.seed)
    head = build_head(32, CLASSES, 0.3, weight_decay=0.0, seed=settings.seed)
    _train(head, (32,), settings, folder)


def train_tail(folder: Path) -> None:
    """A small tail on activations: convolution, random flips, warm-up and cosine, AdamW."""
    settings = TrainingParameters(
        optimizer="adamw", learning_rate=0.01, schedule="cosine", warmup_share=0.1, clip_norm=1.0,
        batch_size=16, epochs=12, patience=6, weight_decay=0.01, label_smoothing=0.1, seed=2,
    )  # fmt: skip
    seed_everything(settings.seed)
    tail = keras.Sequential(
        [
            keras.Input((8, 8, 6)),
            keras.layers.RandomFlip("horizontal", seed=3),
            keras.layers.SeparableConv2D(16, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.2, seed=4),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    _train(tail, (8, 8, 6), settings, folder, {"separable_conv2d": 0.5})


def _train(
    model: keras.Model,
    shape: tuple[int, ...],
    settings: TrainingParameters,
    folder: Path,
    rate_factors: dict[str, float] | None = None,
) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(240) % CLASSES
    inputs = generator.normal(size=(len(labels), *shape)).astype("float16")
    inputs[..., 0] += labels.reshape(-1, *[1] * (len(shape) - 1))
    rows = np.arange(len(labels))
    reader, weights = ArrayReader(inputs.__getitem__), np.ones(len(labels), np.float32)
    train, dev = (
        RowPools(reader, part, labels[part], weights[part], 16 << 10)
        for part in (rows[:160], rows[160:])
    )
    backup = TrainingBackup(folder / "backup", seconds=0)
    (folder / "started").touch()
    history = fit(
        model, train, dev, settings, backup=backup, logs=folder / "logs", rate_factors=rate_factors
    )
    _save(folder, model, history)


def _save(
    folder: Path, model: keras.Model, history: pd.DataFrame, table: np.ndarray | None = None
) -> None:
    weights = {f"w{number}": weight for number, weight in enumerate(model.get_weights())}
    found = {"history": history.to_numpy(), "table": np.zeros(0) if table is None else table}
    np.savez(folder / "draft.npz", **found, **weights)
    os.replace(folder / "draft.npz", folder / "end.npz")


def note_epochs(folder: Path) -> None:
    """Have every epoch that is trained write a line into a file."""
    record = Recorder.on_epoch_end

    def note(recorder: Recorder, epoch: int, logs: dict | None = None) -> None:
        record(recorder, epoch, logs)
        with (folder / "epochs").open("a") as file:
            file.write(f"{epoch}\n")

    setattr(Recorder, "on_epoch_end", note)  # noqa: B010 - for the type checker


def count_trained(folder: Path) -> int:
    """Epochs that were trained since the file was new."""
    file = folder / "epochs"
    return len(file.read_text().splitlines()) if file.exists() else 0


def run_race(folder: Path) -> None:
    """A race of a head and three recipes over a network whose first block is blind."""
    parameters = FineTuningParameters(
        recipe="auto", activation_cache=False, activation_dtype="float32", mixup=0.2,
        activation_batch_size=8, augmentation=AUGMENTATION, batch_size=8, seed=3,
    )  # fmt: skip
    recipes = (
        Recipe("head", "none"),
        Recipe("last_block", 1, epochs=5, steps=50, learning_rate=1e-2),
        Recipe("all", "all", epochs=5, steps=50, learning_rate=1e-2),
        Recipe("half", 0.5, epochs=5, steps=50, learning_rate=1e-2),
    )
    seed_everything(parameters.seed)
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    blind = next(layer for layer in backbone.layers if "conv" in layer.name)
    blind.set_weights([0 * weights for weights in blind.get_weights()])
    head = build_head(384, 2, dropout=0.2, weight_decay=0.0, seed=0)
    labels = np.arange(80) % 2
    pictures = np.random.default_rng(0).integers(0, 60, (80, 8, 8, 3)).astype(np.uint8)
    pictures[labels == 1, :4] += 180

    def make_sources(
        cut: CutClassifier, settings: FineTuningParameters
    ) -> tuple[MixedRows, ViewPools]:
        augmenter = PictureAugmenter(settings.augmentation, 8)
        rows, ones = (np.arange(40), np.arange(40, 80)), np.ones(40, np.float32)
        views = [FreshViews(pictures.__getitem__, rows[0], augmenter)]
        views.append(FreshViews(pictures.__getitem__, rows[1], None))
        train = ViewPools(views[0], labels[rows[0]], ones, settings.repeats)
        return MixedRows(train, settings.mixup, 2), ViewPools(views[1], labels[rows[1]], ones)

    works = [block.multiply_adds for block in find_blocks(backbone)]
    load = Workload(40, 40, 8, tuple(work / sum(works) for work in works), sum(works), False)
    backup = TrainingBackup(folder / "backup", seconds=0)
    (folder / "started").touch()
    result = Race(
        backbone, head, make_sources, load, parameters, np.arange(40), backup, folder, recipes
    ).run()
    table = tabulate_race(result, load).to_csv().encode()
    _save(folder, result.cut.whole, result.history, np.frombuffer(table, np.uint8))


TRAININGS: dict[str, Callable[[Path], None]] = {
    "head": train_head,
    "tail": train_tail,
    "race": run_race,
}


def start(train: Callable[[Path], None], folder: Path) -> int:
    """Begin a training in a process of its own; its number."""
    (folder / "started").unlink(missing_ok=True)
    process = os.fork()
    if process == 0:
        logging.basicConfig(filename=folder / "log", level=logging.INFO)
        note_epochs(folder)
        try:
            train(folder)
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    while not (folder / "started").exists():
        time.sleep(0.005)
    return process


def run_to_end(train: Callable[[Path], None], folder: Path) -> tuple[bytes, float]:
    """What a training ends with, and its seconds after the first backup."""
    process = start(train, folder)
    alive = wait(process, lambda: has_backup(folder))
    began = time.monotonic()
    if alive:
        wait(process, lambda: False)
    if not (folder / "end.npz").exists():
        raise SystemExit("a training failed")
    with np.load(folder / "end.npz") as archive:
        return b"".join(archive[name].tobytes() for name in archive), time.monotonic() - began


def kill_after(
    train: Callable[[Path], None], folder: Path, seconds: float, in_a_write: bool
) -> bool:
    """Kill a training so long after its first backup; whether it was still alive."""
    process = start(train, folder)
    if not wait(process, lambda: has_backup(folder)):
        return False
    moment = time.monotonic() + seconds
    if not wait(process, lambda: time.monotonic() > moment):
        return False
    if in_a_write and not wait(process, lambda: bool(list_drafts(folder)), pause=0):
        return False
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def wait(process: int, is_over: Callable[[], bool], pause: float = 0.002) -> bool:
    """Wait for a moment in the life of a process; whether it is still alive."""
    while not is_over():
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(pause)
    return True


def has_backup(folder: Path) -> bool:
    """Whether there is something to go on from."""
    found = (folder / "backup").rglob("[0-9]*.npz")
    # What a race has measured at a rung is no epoch that was trained.
    return any(not path.parent.name.startswith("epoch_") for path in found)


def list_drafts(folder: Path) -> list[str]:
    """Backups that are being written."""
    return [path.name for path in (folder / "backup").rglob(".draft-*")]


def measure(name: str, kills: int, folder: Path) -> dict[str, int]:
    """Kill a training so many times, each time another run of it, and run it to its end."""
    train, draw = TRAININGS[name], random.Random(0)
    undisturbed = make_empty(folder / "undisturbed")
    expected, seconds = run_to_end(train, undisturbed)
    epochs = count_trained(undisturbed)
    result = {"kills": 0, "inside_a_write": 0, "resumed": 0, "identical": 0}
    while result["kills"] < kills:
        place = make_empty(folder / "killed")
        in_a_write = result["kills"] % 2 == 0
        if not kill_after(train, place, draw.uniform(0.0, 0.8) * seconds, in_a_write):
            continue
        result["kills"] += 1
        result["inside_a_write"] += bool(list_drafts(place))
        (place / "epochs").unlink(missing_ok=True)
        outcome, _ = run_to_end(train, place)
        result["resumed"] += count_trained(place) < epochs
        result["identical"] += outcome == expected
    return result


def make_empty(folder: Path) -> Path:
    """The folder, new."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", choices=TRAININGS)
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(TRAININGS)
    with tempfile.TemporaryDirectory() as folder:
        result = {name: measure(name, arguments.kills, Path(folder)) for name in names}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
