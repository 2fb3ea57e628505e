"""Pictures without a label, as pixels and features: the stages of the labelled ones, once more.

A stage that works with such pictures adds this pipeline to its own. Of the pictures that are left
when some have got their labels everything is known.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from kedro.pipeline import Node, Pipeline

from graft.analysis.familiarity import fit_familiarity
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.images.checking import OK
from graft.parameters.self_learning import SelfTrainingParameters
from graft.pipelines import decoding, feature_extraction

NAMESPACE = "unlabelled"


def select_unlabelled(image_index: pd.DataFrame) -> pd.DataFrame:
    """The pictures that can be used and have no label, one of each cluster.

    A copy or look-alike of a labelled picture, or of another one here, would teach nothing new. The
    one is that with the smallest hash, which is as good as drawn by lot: the first picture of a
    track shows its thing from afar, and asking for these took more labels than asking at random.

    Returns:
        ``unlabelled_pictures``: ``image_id``, ``sha256``, ``cluster``.

    Raises:
        GraftError: If there is none.
    """
    usable = image_index[image_index["status"] == OK]
    labelled = usable.loc[usable["label"].notna(), "cluster"]
    left = usable[usable["label"].isna() & ~usable["cluster"].isin(labelled)]
    left = left.sort_values("sha256").drop_duplicates("cluster").sort_index()
    if left.empty:
        raise GraftError(
            "every picture has a label or is a copy of one that has; add pictures without one to "
            "the source, or leave self_trained out of candidates; got "
            f"{len(usable):,} pictures"
        )
    return left[["image_id", "sha256", "cluster"]].reset_index(drop=True)


def choose_near(
    features: FeatureTable,
    unlabelled_features: FeatureTable,
    unlabelled_pictures: pd.DataFrame,
    splits: pd.DataFrame,
    parameters: SelfTrainingParameters,
) -> tuple[np.ndarray, int]:
    """Which pictures without a label may be learnt from.

    What is unlike all that has a label would be learnt as one of the classes that somebody has
    labelled, and may be of none.

    Returns:
        Their rows in ``unlabelled_pictures``, int (n,), and the number of those left out.
    """
    order = np.random.default_rng(parameters.seed).permutation(len(unlabelled_pictures))
    drawn = np.sort(order[: parameters.pictures])
    sides = {name: splits[splits["split"] == name] for name in ("train", "dev")}
    train, dev = (features.read(side["image_id"]) for side in sides.values())
    clusters = sides["train"]["cluster"].to_numpy(np.int64)
    known = fit_familiarity(train, dev, parameters.neighbours, parameters.refused_share, clusters)
    pool = unlabelled_features.read(unlabelled_pictures["image_id"].iloc[drawn])
    is_near = known.measure(pool) <= known.threshold
    return drawn[is_near], int((~is_near).sum())


def create_unlabelled_pipeline() -> Pipeline:
    """``raw_images``, ``image_index``, ``backbone`` → ``unlabelled_pictures`` and their features.

    A stage of its own, ``unlabelled``, so that two that want it share it.
    """
    extraction = feature_extraction.create_pipeline()
    repeated = decoding.create_pipeline() + extraction.only_nodes(
        "feature_extraction.extract_features"
    )
    again = Pipeline(
        repeated,
        inputs={
            "splits": "unlabelled_pictures",
            "previous_images": "previous_unlabelled_pixels",
            "previous_features": "previous_unlabelled_features",
        },
        outputs={
            "images": "unlabelled_pixels",
            "image_origins": "unlabelled_origins",
            "features": "unlabelled_features",
        },
        parameters={"params:decoding", "params:feature_extraction", "params:forward"},
        namespace=NAMESPACE,
        prefix_datasets_with_namespace=False,
    )
    select = Node(
        select_unlabelled, inputs="image_index", outputs="unlabelled_pictures",
        name="select_unlabelled", namespace=NAMESPACE,
    )  # fmt: skip
    return Pipeline([select]) + again
