"""Small indexes of pictures, and the split of them."""

from __future__ import annotations

import pandas as pd

from graft.images.duplicates import find_clusters, find_links, name_links
from graft.pipelines.splitting.nodes import split_images
from graft.pipelines.splitting.parameters import SplittingParameters

PARAMETERS = SplittingParameters(
    train=0.6,
    dev=0.2,
    test=0.2,
    few=10_000,
    many=1_000_000,
    held_out_of_many=0.01,
    target_source=None,
    train_dev=0.2,
    folds=5,
    near_duplicate_radius=4,
    seed=0,
)


def make_index(labels, groups=None, sources=None, prefix="", given=None):
    """An index of whole pictures, each of its own bytes and pixels, in clusters by group."""
    numbers = range(len(labels))
    index = pd.DataFrame(
        {
            "image_id": [f"{prefix}{number}.png" for number in numbers],
            "label": labels,
            "group": groups if groups is not None else [None] * len(labels),
            "source": sources if sources is not None else [None] * len(labels),
            "sha256": [f"file {prefix}{number}" for number in numbers],
            "pixel_sha256": [f"pixels {prefix}{number}" for number in numbers],
            "perceptual_hash": [None] * len(labels),
            "weight": [None] * len(labels),
            "given_split": given if given is not None else [None] * len(labels),
            "status": "ok",
        }
    ).astype("str")
    return regroup(index)


def regroup(index):
    """The index with its clusters found anew."""
    return index.assign(cluster=find_clusters(index, find_links(index, radius=4)))


def split(index, previous=None, **changes):
    """Splits and class names of an index."""
    splits, class_names, _ = split_and_check(index, previous, **changes)
    return splits, class_names


def split_and_check(index, previous=None, **changes):
    """All that the node gives, of an index whose links are those that ingestion would find."""
    links = name_links(index, find_links(index, radius=4))
    return split_images(index, links, previous, PARAMETERS.model_copy(update=changes))
