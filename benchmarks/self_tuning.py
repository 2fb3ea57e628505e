"""What does fine-tuning on pictures without a label gain on traffic signs? Print rows of a table.

Usage: python benchmarks/self_tuning.py [--shared FOLDER] [--draws N] [--tracks N ...]
           [--confidence P ...] [--size PIXELS] [--processes N]

A draw deals the tracks of every sign: two are test, one is dev, one or two have a label, and the
others are the pool. The teacher is fine-tuned by the recipe `all` on those with a label; a student
by the same recipe on what the teacher thinks of the pool too, as the candidate `self_tuned` is.

Cells: test accuracy of a logistic regression on frozen features and of the teacher; gain of the
student over the teacher in points, and of what dev chooses of both (95 % interval of a bootstrap
over the draws); pictures learnt from and how many of them the teacher names rightly; how often dev
refuses; draws that what dev chooses harms by over a point. Each draw is told on standard error as
it ends.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import keras
import numpy as np

from graft.analysis.choosing import Outcome
from graft.analysis.predictions import measure_log_loss
from graft.analysis.self_training import (
    Labelled,
    LinearClassifier,
    beats,
    find_sure,
    sharpen,
    train_way,
)  # fmt: skip
from graft.images.decoding import decode_picture
from graft.models.augmentation import PictureAugmenter
from graft.models.backbones import build_backbone
from graft.models.blocks import find_blocks
from graft.models.freezing import cut_classifier
from graft.models.heads import build_head
from graft.models.inference import predict_rows
from graft.parameters.fine_tuning import AugmentationParameters, FineTuningParameters
from graft.training.devices import seed_everything
from graft.training.shuffling import BatchSource
from graft.training.soft_labels import Pictures, join_pictures
from graft.training.tails import train_tail
from graft.training.tuning_recipes import follow, get_recipe
from graft.training.views import FreshViews, ViewPools
from label_next import list_pictures

# As conf/base has it; signs must not be mirrored.
AUGMENTATION = AugmentationParameters(
    rotation=5, zoom=0.05, shift=0.05, shear=0, horizontal_flip=False, fill_mode="nearest",
    brightness=0.05, contrast=0.1,
)  # fmt: skip


def deal(classes: np.ndarray, groups: np.ndarray, tracks: int, seed: int) -> list[np.ndarray]:
    """Rows of train, pool, dev and test of a draw."""
    random = np.random.default_rng(seed)
    sides: list[list[int]] = [[], [], [], []]
    for number in range(classes.max() + 1):
        own = random.permutation(np.unique(groups[classes == number]))
        parts = np.split(own, [2, 3, 3 + tracks])
        for side, part in zip((3, 2, 0, 1), parts, strict=True):
            sides[side] += part.tolist()
    return [np.flatnonzero(np.isin(groups, side)) for side in sides]


class Signs:
    """The pictures, and what is trained on them.

    Args:
        shared: Folder of pictures and weights.
        size: Side of a picture, in pixels.
    """

    def __init__(self, shared: Path, size: int) -> None:
        self.weights = str(shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5")
        self.size = size
        files, self.classes, self.groups = list_pictures(shared, "gtsrb")
        self.pixels = np.stack(
            [decode_picture(path.read_bytes(), size, 80_000_000) for path in files]
        )
        self.count = int(self.classes.max()) + 1

    def measure(
        self, tracks: int, thresholds: list[float], seed: int
    ) -> Iterator[dict[str, float]]:
        """A draw, once for every confidence."""
        train, pool, dev, test = deal(self.classes, self.groups, tracks, seed)
        backbone = build_backbone("MobileNetV2", self.size, self.weights, seed=0)
        features = predict_rows(backbone, self._read, np.arange(len(self.pixels)), 32)
        known = Labelled(features[train], self.classes[train], self.groups[train])
        head = train_way("teacher", known, features[:0], self.count)
        frozen = head.predict(features[test]).argmax(axis=1) == self.classes[test]
        teacher = self._tune(head, train, None, dev, seed)
        thought = predict_rows(teacher, self._read, pool, 32)
        before = [self._judge(teacher, side, 0.0) for side in (dev, test)]
        for confidence in thresholds:
            sure = find_sure(thought, confidence)
            answers = pool[sure], sharpen(thought[sure])
            student = self._tune(head, train, answers, dev, seed)
            after = [self._judge(student, side, 1.0) for side in (dev, test)]
            gain = 100 * float(after[1].right.mean() - before[1].right.mean())
            is_refused = not beats(after[0], before[0])
            right = thought[sure].argmax(axis=1) == self.classes[pool[sure]]
            yield {
                "frozen": 100 * float(frozen.mean()),
                "teacher": 100 * float(before[1].right.mean()),
                "student": gain,
                "chosen": 0.0 if is_refused else gain,
                "refused": float(is_refused),
                "used": float(sure.sum()),
                "right": float(right.mean()),
            }

    def _read(self, rows: np.ndarray) -> np.ndarray:
        return self.pixels[rows]

    def _tune(
        self,
        head: LinearClassifier,
        train: np.ndarray,
        answers: tuple[np.ndarray, np.ndarray] | None,
        dev: np.ndarray,
        seed: int,
    ) -> keras.Model:
        """A classifier by the recipe `all`, from a head on frozen features on.

        Args:
            head: On frozen features.
            train: Rows with a label.
            answers: Rows without one and a teacher's shares of classes; None for a teacher.
            dev: Rows to choose the epoch by.
            seed: Of the training.
        """
        seed_everything(seed)
        backbone = build_backbone("MobileNetV2", self.size, self.weights, seed=0)
        layer = build_head(head.kernel.shape[0], self.count, 0.0, 0.0, seed=0)
        layer.set_weights([head.kernel.astype("float32"), head.bias.astype("float32")])
        given = FineTuningParameters(
            recipe="all", activation_cache=False, activation_dtype="float32",
            activation_batch_size=32, augmentation=AUGMENTATION, batch_size=32, seed=seed,
        )  # fmt: skip
        count = len(train) + (0 if answers is None else len(answers[0]))
        settings = follow(get_recipe("all"), given, count, len(find_blocks(backbone)))
        if answers is None:
            views = FreshViews(self._read, train, PictureAugmenter(AUGMENTATION, self.size))
            ones = np.ones(len(train), np.float32)
            learnt: BatchSource = ViewPools(views, self.classes[train], ones, settings.repeats)
        else:
            known = Pictures(self._read, train, np.eye(self.count)[self.classes[train]])
            learnt = join_pictures(known, Pictures(self._read, *answers), self.size, settings)
        plain = FreshViews(self._read, dev, None)
        measured = ViewPools(plain, self.classes[dev], np.ones(len(dev), np.float32))
        cut = cut_classifier(backbone, layer, settings.unfreeze)
        train_tail(cut, learnt, measured, settings, settings.layer_decay)
        return cut.whole

    def _judge(self, classifier: keras.Model, rows: np.ndarray, cost: float) -> Outcome:
        found = predict_rows(classifier, self._read, rows, 32).astype(np.float64)
        labels = self.classes[rows]
        return Outcome(found.argmax(axis=1) == labels, measure_log_loss(labels, found), cost)


def measure_draw(job: tuple[argparse.Namespace, int, int]) -> list[dict[str, float]]:
    """A draw in a process of its own, on one thread if there are several."""
    options, tracks, seed = job
    if options.processes > 1 and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return list(Signs(options.shared, options.size).measure(tracks, options.confidence, seed))


def tell_row(tracks: int, confidence: float, found: list[dict[str, float]]) -> str:
    """A row of the table of benchmarks/README.md."""
    mean = {name: np.mean([one[name] for one in found]) for name in found[0]}
    cells = []
    for name in ("student", "chosen"):
        gains = np.array([one[name] for one in found])
        drawn = np.random.default_rng(0).choice(gains, (10_000, len(gains))).mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        cells.append(f"{gains.mean():+.1f} ({low:+.1f} to {high:+.1f})")
    harmed = sum(one["chosen"] < -1 for one in found)
    return (
        f"| {tracks} | {confidence:g} | {mean['frozen']:.1f} | {mean['teacher']:.1f} | "
        f"{' | '.join(cells)} | {mean['used']:.0f}, {100 * mean['right']:.0f} % | "
        f"{sum(one['refused'] for one in found):.0f} of {len(found)} | {harmed} of {len(found)} |"
    )


def main() -> None:
    """Measure, and print a row a number of tracks and confidence."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--tracks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--confidence", type=float, nargs="+", default=[0.5])
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    jobs = [(options, tracks, seed) for seed in range(options.draws) for tracks in options.tracks]
    draws = []
    with get_context("spawn").Pool(options.processes, maxtasksperchild=1) as workers:
        for job, found in zip(jobs, workers.imap(measure_draw, jobs), strict=True):
            print(job[1:], json.dumps(found), file=sys.stderr, flush=True)
            draws.append(found)
    print(
        "| tracks | confidence | frozen | teacher | student | chosen by dev | learnt from, right "
        "| refused | harmed |"
    )
    for tracks in options.tracks:
        own = [found for (_, number, _), found in zip(jobs, draws, strict=True) if number == tracks]
        for place, confidence in enumerate(options.confidence):
            print(tell_row(tracks, confidence, [found[place] for found in own]), flush=True)


if __name__ == "__main__":
    main()
