"""Which pictures are predicted: all that are held out, and a sample of train."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from graft.pipelines.evaluation.parameters import TrainSampleParameters


def list_measured(splits: pd.DataFrame, parameters: TrainSampleParameters) -> np.ndarray:
    """Rows of train_dev, dev and test and of a random sample of train, in order, int (n,).

    The error on train is one step of a ladder and needs no more pictures than the others; a pass
    of all pictures of train through a fine-tuned network may cost as much as an epoch. Drawn are
    those with the smallest salted hash: a few new pictures change the sample by a few.
    """
    train = np.flatnonzero(splits["split"] == "train")
    salted = [f"{parameters.seed} {content}" for content in splits["sha256"].iloc[train]]
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in salted]
    drawn = train[np.argsort(hashes, kind="stable")[: parameters.pictures]]
    held_out = np.flatnonzero(splits["split"].isin(["train_dev", "dev", "test"]))
    return np.sort(np.concatenate([drawn, held_out]))
