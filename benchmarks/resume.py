"""Kills trainings at random moments and compares what they end with when they are run again.

Every trial is a process of its own, ended by SIGKILL, and another one with the same command.
Every second kill waits for a backup that is being written and comes in its middle.
"resumed" counts those that went on from an epoch and did not begin anew, "identical" those
whose weights and history have the bits of an undisturbed training. Kills come after the first
backup; before it there is nothing to go on from.

    python benchmarks/resume.py [--kills 20] [--only head|tail]
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

from graft.models.fitting import fit
from graft.models.heads import build_head
from graft.models.row_pools import ArrayReader, RowPools
from graft.models.runtime import seed_everything
from graft.training_backup import TrainingBackup
from graft.training_parameters import TrainingParameters

CLASSES = 4


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
    sources = [
        RowPools(reader, part, labels[part], weights[part], 16 << 10)
        for part in (rows[:160], rows[160:])
    ]
    backup = TrainingBackup(folder / "backup", seconds=0)
    (folder / "started").touch()
    history = fit(
        model, *sources, settings, backup=backup, logs=folder / "logs", rate_factors=rate_factors
    )
    weights = {f"w{number}": weight for number, weight in enumerate(model.get_weights())}
    np.savez(folder / "draft.npz", history=history.to_numpy(), **weights)
    os.replace(folder / "draft.npz", folder / "end.npz")


TRAININGS: dict[str, Callable[[Path], None]] = {"head": train_head, "tail": train_tail}


def start(train: Callable[[Path], None], folder: Path) -> int:
    """Begin a training in a process of its own; its number."""
    (folder / "started").unlink(missing_ok=True)
    process = os.fork()
    if process == 0:
        logging.basicConfig(filename=folder / "log", level=logging.INFO)
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
    return any((folder / "backup").glob("[0-9]*.npz"))


def list_drafts(folder: Path) -> list[str]:
    """Backups that are being written."""
    backup = folder / "backup"
    return [name for name in os.listdir(backup) if name[0] == "."] if backup.exists() else []


def measure(name: str, kills: int, folder: Path) -> dict[str, int]:
    """Kill a training so many times, each time another run of it, and run it to its end."""
    train, draw = TRAININGS[name], random.Random(0)
    expected, seconds = run_to_end(train, make_empty(folder / "undisturbed"))
    result = {"kills": 0, "inside_a_write": 0, "resumed": 0, "identical": 0}
    while result["kills"] < kills:
        place = make_empty(folder / "killed")
        in_a_write = result["kills"] % 2 == 0
        if not kill_after(train, place, draw.uniform(0.0, 0.8) * seconds, in_a_write):
            continue
        result["kills"] += 1
        result["inside_a_write"] += bool(list_drafts(place))
        outcome, _ = run_to_end(train, place)
        told = (place / "log").read_text()
        result["resumed"] += "goes on after epoch" in told or "has ended before" in told
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
