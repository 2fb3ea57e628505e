"""What TensorBoard shows of the pictures of dev: the mistakes, and the features in space."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

_MOST_MISTAKES, _MOST_POINTS = 24, 5000
_PROJECTOR = """embeddings {
  tensor_name: "features of dev"
  tensor_path: "features.tsv"
  metadata_path: "pictures.tsv"
}
"""


def show_dev(
    logs: Path,
    dev: pd.DataFrame,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    read_pictures: Callable[[np.ndarray], np.ndarray],
    features: np.ndarray | None = None,
) -> None:
    """Write what TensorBoard shows of dev beside the losses.

    Args:
        logs: Folder of the logs of a training; its folder ``tensorboard`` is written to.
        dev: ``image_id`` and ``label_index``, a row a picture.
        probabilities: float32 (n, C).
        class_names: Names of the classes.
        read_pictures: From numbers of rows of ``dev`` to pictures, uint8 (k, H, W, 3).
        features: float32 (n, D) for the projector; None leaves it out.
    """
    names = np.asarray(class_names, dtype=object)
    table = pd.DataFrame(
        {
            "image_id": dev["image_id"].to_numpy(),
            "label": names[dev["label_index"].to_numpy()],
            "predicted": names[probabilities.argmax(axis=1)],
            "probability": probabilities.max(axis=1),
        }
    )
    wrong = np.flatnonzero(table["label"] != table["predicted"])
    wrong = wrong[np.argsort(-table["probability"].to_numpy()[wrong], kind="stable")][
        :_MOST_MISTAKES
    ]
    write_mistakes(logs / "tensorboard" / "dev", read_pictures(wrong), table.iloc[wrong])
    if features is not None:
        shown = np.linspace(0, len(dev) - 1, min(len(dev), _MOST_POINTS)).astype(int)
        write_projector(logs / "tensorboard", features[shown], table.iloc[shown])


def write_mistakes(folder: Path, pictures: np.ndarray, mistakes: pd.DataFrame) -> None:
    """Write pictures that were named wrong.

    Args:
        folder: Made anew; what is in it is removed.
        pictures: uint8 (n, H, W, 3), a picture a row of ``mistakes``.
        mistakes: ``image_id``, ``label``, ``predicted`` and ``probability`` (of the latter).
    """
    shutil.rmtree(folder, ignore_errors=True)
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=0):
        for place, mistake in enumerate(mistakes.to_dict("records")):
            told = f"{mistake['label']} taken for {mistake['predicted']}"
            text = f"{mistake['image_id']}: {told} ({mistake['probability']:.2f})"
            tf.summary.image(
                f"mistakes/{place + 1:02d} {told}", pictures[place : place + 1], description=text
            )
    writer.close()


def write_projector(folder: Path, features: np.ndarray, pictures: pd.DataFrame) -> None:
    """Write features for TensorBoard's projector, which turns and searches them in space.

    Args:
        folder: Where event files of TensorBoard lie.
        features: float32 (n, D).
        pictures: What is known of each of them, a column each; two or more columns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "features.tsv", features, fmt="%.6g", delimiter="\t")
    # The projector takes every line end for that of a row, quoted or not.
    pictures = pictures.replace(r"[\t\r\n]", " ", regex=True)
    pictures.to_csv(folder / "pictures.tsv", sep="\t", index=False)
    (folder / "projector_config.pbtxt").write_text(_PROJECTOR)
