"""One training on whichever backend, and its outcome as arrays: run it as a program.

Usage, in the folder of the tests: KERAS_BACKEND=NAME python -m helpers.backends OUTPUT.npz
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from graft.models.augmentation import PictureAugmenter
from graft.models.backbones import build_backbone
from graft.models.freezing import cut_classifier
from graft.models.grad_cam import find_last_map, make_heat_maps
from graft.models.heads import build_head
from graft.models.inference import predict_rows
from graft.parameters.fine_tuning import AugmentationParameters
from graft.parameters.training import TrainingParameters
from graft.training.devices import seed_everything
from graft.training.tails import train_tail
from graft.training.views import FreshViews, StoredViews, ViewPools

LABELS = np.tile([0, 1], 10)
PICTURES = (
    np.random.default_rng(0).integers(0, 100, (20, 8, 8, 3)) + 100 * LABELS[:, None, None, None]
).astype(np.uint8)
AUGMENTATION = AugmentationParameters(
    rotation=5, zoom=0.05, shift=0.05, shear=0, horizontal_flip=True, fill_mode="nearest",
    brightness=0.05, contrast=0.1,
)  # fmt: skip
# The last batch of an epoch has 4 rows, the others 8.
SETTINGS = TrainingParameters(
    optimizer="adamw", weight_decay=0.1, learning_rate=1e-2, batch_size=8, epochs=3, patience=3,
    seed=1,
)  # fmt: skip
WAYS = ("stored", "pictures", "views")


def train(way: str, settings: TrainingParameters = SETTINGS) -> dict[str, np.ndarray]:
    """Train a small classifier on stored activations, on pictures, or on views of them.

    Returns:
        Its history, probabilities and heat of all pictures.
    """
    seed_everything(0)
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    cut = cut_classifier(backbone, build_head(384, 2, 0.0, 0.0, seed=0), "block3")
    assert cut.trunk is not None
    rows = np.arange(len(PICTURES))
    if way == "stored":
        stored = predict_rows(cut.trunk, PICTURES.__getitem__, rows, 8)
        views = StoredViews(stored.__getitem__, 0, len(rows), 0)
    else:
        augmenter = PictureAugmenter(AUGMENTATION, 8) if way == "views" else None
        views = FreshViews(PICTURES.__getitem__, rows, augmenter)
    pools = ViewPools(views, LABELS, np.ones(len(rows), np.float32))
    history = train_tail(cut, pools, pools, settings, layer_decay=0.5)
    heat_of = find_last_map(cut.whole)
    assert heat_of is not None
    return {
        "history": history.to_numpy(),
        "probabilities": predict_rows(cut.whole, PICTURES.__getitem__, rows, 8),
        "heat": make_heat_maps(heat_of, PICTURES, LABELS),
    }


if __name__ == "__main__":
    found = {f"{way}.{name}": value for way in WAYS for name, value in train(way).items()}
    np.savez(Path(sys.argv[1]), **found)
