"""What a GPU is used for, on JAX: features, fine-tuning, a start. Print rows of a table.

Usage: KERAS_BACKEND=jax python benchmarks/accelerator.py [--shared FOLDER] [--pictures N]
           [--size PIXELS] [--batch N] [--only NAME ...]

MobileNetV2 in bfloat16, on the shared cats and dogs, of which there are as many copies as are asked
for. Beside each row stands PyTorch, where it is installed: the same network by the same rules,
compiled by `torch.compile`, in the same call. Each is warmed up once, then measured.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from graft.backends.backend import load_backend
from graft.datasets.features import FeatureBlock
from graft.images.decoding import decode_picture
from graft.models.augmentation import PictureAugmenter
from graft.models.backbones import build_backbone
from graft.models.freezing import cut_classifier
from graft.models.heads import build_head
from graft.models.precision import clone_mixed
from graft.parameters.fine_tuning import AugmentationParameters
from graft.parameters.training import TrainingParameters
from graft.pipelines.feature_extraction.nodes import extract_features
from graft.pipelines.feature_extraction.parameters import FeatureExtractionParameters
from graft.training.devices import seed_everything
from graft.training.tails import train_tail
from graft.training.views import FreshViews, ViewPools

WEIGHTS = "weights/mobilenet_v2_imagenet_no_top.weights.h5"
# As conf/base has it.
AUGMENTATION = AugmentationParameters(
    rotation=5, zoom=0.05, shift=0.05, shear=0, horizontal_flip=True, fill_mode="nearest",
    brightness=0.05, contrast=0.1,
)  # fmt: skip
EPOCHS, DECODED = 4, 1200


class Bench:
    """Pictures and network of all rows."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.files = sorted((options.shared / "data/cats_vs_dogs").rglob("*.jpg"))[:DECODED]
        few = np.stack([decode(file, options.size) for file in self.files])
        copies = -(-options.pictures // len(few))
        self.pictures = np.concatenate([few] * copies)[: options.pictures]
        self.labels = np.arange(len(self.pictures)) % 2
        seed_everything(0)
        weights = options.shared / WEIGHTS
        self.backbone = build_backbone("MobileNetV2", options.size, str(weights), seed=0)

    def rate(self, run: Callable[[], Any]) -> float:
        """Pictures a second of the second run."""
        run()
        started = time.perf_counter()
        run()
        return len(self.pictures) / (time.perf_counter() - started)


def decode(file: Path, size: int) -> np.ndarray:
    """A picture as the decoding stage has it."""
    return decode_picture(file.read_bytes(), size, 10**8)


def weigh(file: Path, size: int) -> int:
    """Decode a picture; its pixels stay where they are."""
    return decode(file, size).nbytes


def measure_stage(blocks: Iterator[FeatureBlock]) -> tuple[float, float]:
    """Seconds before the first block of features, and further pictures a second.

    Batches that were on their way when the first block came are not counted.
    """
    started = time.perf_counter()
    next(blocks)
    begun = time.perf_counter()
    further = [len(block.features) for block in blocks]
    seconds = time.perf_counter() - begun
    return begun - started, sum(further[:-1]) / seconds


def features(bench: Bench) -> Iterator[str]:
    """The stage, `predict`, the device alone, and PyTorch."""
    count, batch = len(bench.pictures), bench.options.batch
    names = pd.Series([f"{number:07d}" for number in range(count)])
    splits = pd.DataFrame({"image_id": names})
    index = pd.DataFrame({"image_id": names, "sha256": names})
    origins = pd.DataFrame({"origin": names})
    parameters = FeatureExtractionParameters(batch_size=batch, precision=bench.options.precision)

    def run_stage() -> tuple[float, float]:
        blocks = extract_features(
            bench.backbone, bench.pictures, origins, splits, index, None, parameters
        )
        return measure_stage(blocks)

    network = clone_mixed(bench.backbone)
    runs = [run_stage() for _ in range(4)]
    stage, fixed = max(rate for _, rate in runs), min(seconds for seconds, _ in runs)
    predict = bench.rate(lambda: network.predict(bench.pictures, batch_size=batch, verbose=0))
    # Not fork: JAX's threads would not survive it.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        seconds = []
        for _ in range(4):
            started = time.perf_counter()
            list(workers.map(partial(weigh, size=bench.options.size), bench.files, chunksize=10))
            seconds.append(time.perf_counter() - started)
    decoding = len(bench.files) / min(seconds)
    yield f"| features, before the first picture | {fixed:.1f} s |"
    yield (
        f"| features, every further picture, stage / `predict` | {stage:,.0f} / {predict:,.0f} = "
        f"{stage / predict:.2f} |"
    )
    yield (
        f"| features / decoding them by Pillow on {os.cpu_count()} cores | {stage:,.0f} / "
        f"{decoding:,.0f} = {stage / decoding:.1f} |"
    )
    if find_spec("torch"):
        torch_rate = bench.rate(make_torch_features(bench.pictures, batch))
        yield f"| features, stage / PyTorch from host arrays | {stage / torch_rate:.2f} |"


def tuning(bench: Bench) -> Iterator[str]:
    """Whole-network fine-tuning with augmentation: pictures a second of the quickest epoch."""
    settings = TrainingParameters(
        optimizer="adamw", weight_decay=0.01, learning_rate=1e-4, batch_size=bench.options.batch,
        epochs=EPOCHS, patience=EPOCHS, seed=0, precision=bench.options.precision,
        callbacks=({"class": "__main__.Clock"},),
    )  # fmt: skip
    head = build_head(bench.backbone.output_shape[-1], 2, 0.2, 0.0, seed=0)
    cut = cut_classifier(bench.backbone, head, "all")
    rows = np.arange(len(bench.pictures))
    augmenter = PictureAugmenter(AUGMENTATION, bench.options.size)
    views = FreshViews(bench.pictures.__getitem__, rows, augmenter)
    train = ViewPools(views, bench.labels, np.ones(len(rows), np.float32))
    few = rows[: bench.options.batch]
    dev = ViewPools(
        FreshViews(bench.pictures.__getitem__, few, None), bench.labels[few],
        np.ones(len(few), np.float32),
    )  # fmt: skip
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as logs:
        train_tail(cut, train, dev, settings, 1.0, logs=Path(logs))
    epochs = np.diff([started, *ENDS])
    rate = len(rows) / epochs[1:].min()
    yield f"| whole network tuned, first epoch with all that is made for it | {epochs[0]:.1f} s |"
    if find_spec("torch"):
        other = tune_by_torch(bench.pictures, bench.labels, bench.options.batch)
        yield (
            f"| whole network tuned, pictures/s / PyTorch's | {rate:,.0f} / {other:,.0f} = "
            f"{rate / other:.2f} |"
        )
    else:
        yield f"| whole network tuned, pictures/s | {rate:,.0f} |"


ENDS: list[float] = []


class Clock(keras.callbacks.Callback):
    """Notes when epochs end."""

    watches_steps = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        ENDS.append(time.perf_counter())


def start(bench: Bench) -> Iterator[str]:
    """A process of its own, twice: the second finds what the first one compiled."""
    code = (
        "import time; t = time.perf_counter()\n"
        "import numpy as np\n"
        "from graft.models.backbones import build_backbone\n"
        "from graft.models.inference import compile_forward\n"
        f"network = build_backbone('MobileNetV2', {bench.options.size}, 'random', seed=0)\n"
        "made = time.perf_counter()\n"
        f"pictures = np.zeros(({bench.options.batch}, *network.input_shape[1:]), np.uint8)\n"
        f"compile_forward(network, {bench.options.batch})(pictures)\n"
        "print(f'{made - t:.1f} s imports and network, {time.perf_counter() - made:.1f} s first "
        "pass')\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        for which in ("nothing compiled yet", "compiled before"):
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True,
                env={**os.environ, "JAX_COMPILATION_CACHE_DIR": folder},
            )  # fmt: skip
            yield f"| start, {which} | {done.stdout.strip()} |"


def make_torch_network() -> Any:
    """MobileNetV2 as torchvision has it, to two classes; it normalizes as when it predicts."""
    import torch
    import torchvision

    network = torchvision.models.mobilenet_v2(num_classes=2).cuda()
    return network.to(memory_format=torch.channels_last).eval()


def make_torch_features(pictures: np.ndarray, batch: int) -> Callable[[], None]:
    """Passes all pictures from host arrays, the next batch sent while one is computed."""
    import torch

    network = make_torch_network()

    @torch.compile
    def forward(given: Any) -> Any:
        with torch.autocast("cuda", torch.bfloat16):
            values = given.permute(0, 3, 1, 2).to(torch.bfloat16) / 127.5 - 1
            return network.features(values).mean((2, 3))

    def run() -> None:
        found = []
        with torch.no_grad():
            for begin in range(0, len(pictures), batch):
                part = torch.from_numpy(pictures[begin : begin + batch]).pin_memory()
                found.append(forward(part.cuda(non_blocking=True)).float().cpu())

    return run


def tune_by_torch(pictures: np.ndarray, labels: np.ndarray, batch: int) -> float:
    """Pictures a second of the quickest epoch; pixels and augmentation on the device."""
    import torch
    from torch.nn import functional

    network = make_torch_network()
    held = torch.from_numpy(pictures).cuda()
    classes = torch.from_numpy(labels).cuda()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, weight_decay=0.01, fused=True)

    @torch.compile
    def measure(rows: Any, maps: Any, tones: Any) -> Any:
        values = held[rows].permute(0, 3, 1, 2).float()
        grid = functional.affine_grid(maps, list(values.shape), align_corners=False)
        values = functional.grid_sample(
            values, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        values = values * tones[:, :1, None, None] + tones[:, 1:, None, None]
        values = values.clamp(0, 255) / 127.5 - 1
        values = values.to(memory_format=torch.channels_last)
        with torch.autocast("cuda", torch.bfloat16):
            return functional.cross_entropy(network(values).float(), classes[rows])

    def run_epoch() -> None:
        order = torch.randperm(len(pictures), device="cuda")
        for begin in range(0, len(order) - batch + 1, batch):
            rows = order[begin : begin + batch]
            angle = (torch.rand(batch, device="cuda") - 0.5) * 0.17
            scale = 1 + (torch.rand(batch, device="cuda") - 0.5) * 0.1
            flip = torch.where(torch.rand(batch, device="cuda") < 0.5, -1.0, 1.0)
            shift = (torch.rand(batch, 2, device="cuda") - 0.5) * 0.1
            cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
            maps = torch.stack(
                [cos * flip, -sin, shift[:, 0], sin * flip, cos, shift[:, 1]], dim=1
            ).view(batch, 2, 3)
            tones = torch.stack(
                [1 + (torch.rand(batch, device="cuda") - 0.5) * 0.2,
                 (torch.rand(batch, device="cuda") - 0.5) * 25], dim=1,
            )  # fmt: skip
            measure(rows, maps, tones).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()

    seconds = []
    for _ in range(EPOCHS):
        started = time.perf_counter()
        run_epoch()
        seconds.append(time.perf_counter() - started)
    return len(pictures) // batch * batch / min(seconds[1:])


ROWS = {"features": features, "tuning": tuning, "start": start}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--pictures", type=int, default=20480)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument("--only", nargs="+", choices=[*ROWS], default=[*ROWS])
    options = parser.parse_args()
    devices = ", ".join(gpu.name for gpu in load_backend().list_accelerators()) or "no GPU"
    print(f"{devices}; Keras {keras.__version__} on {keras.config.backend()}", flush=True)
    bench = Bench(options)
    for name in options.only:
        for row in ROWS[name](bench):
            print(row, flush=True)


if __name__ == "__main__":
    main()
