"""What is said of the champion, in its folder, in its card and in the report."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from graft import __version__
from graft.analysis.seen_pictures import hash_data, hash_lines
from graft.fingerprints import get_backend


def add_evaluation(
    previous: list[dict[str, str]] | None, predictions: pd.DataFrame, splits: pd.DataFrame
) -> list[dict[str, str]]:
    """The looks at test of all runs, this one included.

    A look is a test split and the probabilities that a model gives on it. Measuring
    the same model again tells nothing new and is no look.

    Args:
        previous: Looks until now; None before the first.
        predictions: Those of the model whose figures on test are shown.
        splits: Columns ``image_id``, ``sha256``, ``label``, ``split``.

    Returns:
        Looks in order, each with ``split`` and ``predictions`` (SHA-256) and ``model``.
    """
    test = splits.loc[splits["split"] == "test", ["image_id", "sha256", "label"]]
    shown = predictions[predictions["split"] == "test"]
    rows = shown.drop(columns=["split", "label", "predicted"]).merge(test, on="image_id")
    # Renaming a picture changes nothing that was measured.
    rows = rows.sort_values(["sha256", "label", "image_id"])
    probabilities = rows.filter(regex="^probability_").to_numpy(np.float32)
    look = {
        "split": hash_test(splits),
        "predictions": hashlib.sha256(probabilities.tobytes()).hexdigest(),
        "model": str(shown["model"].iloc[0]),
    }
    return [*(previous or []), *([] if look in (previous or []) else [look])]


def count_evaluations(
    test_evaluations: list[dict[str, str]], splits: pd.DataFrame
) -> dict[str, int]:
    """How many looks there were: ``now``, at today's test split, and ``all`` in all."""
    today = hash_test(splits)
    now = sum(look["split"] == today for look in test_evaluations)
    return {"now": now, "all": len(test_evaluations)}


def hash_test(splits: pd.DataFrame) -> str:
    """SHA-256 over the content and label of the pictures of test."""
    test = splits[splits["split"] == "test"]
    return hash_lines(test["sha256"] + " " + test["label"])


# What decides the numbers that a saved classifier gives.
LIBRARIES = ("keras", "numpy", "pillow")
_SPLITS = ("train", "train_dev", "dev", "test")
_COLOURS = {
    "rgb": "Its colours are sRGB, three channels.",
    "grey": "Its colours are turned to grey (ITU-R BT.601), one channel.",
    "lab_l": "Of its colours the lightness L* of CIELAB is kept, one channel.",
}


def compare_on_dev(metrics: Mapping[str, Any], chosen: str) -> list[dict[str, Any]]:
    """Log loss and accuracy on dev of all models, the best first; None without dev."""
    rows = []
    for model, splits in metrics.items():
        dev = splits.get("dev", {})
        rows.append(
            {
                "model": model,
                "log_loss": dev.get("log_loss"),
                "accuracy": dev.get("accuracy"),
                "chosen": model == chosen,
            }
        )
    return sorted(rows, key=lambda row: (row["log_loss"] or {}).get("value", float("inf")))


def describe_data(splits: pd.DataFrame, class_names: list[str]) -> dict[str, Any]:
    """Hash and numbers of the pictures: ``sha256``, ``pictures``, ``splits``, ``classes``."""
    sizes = splits["split"].value_counts()
    train = splits.loc[splits["split"] == "train", "label"].value_counts()
    return {
        "sha256": hash_data(splits),
        "pictures": len(splits),
        "splits": {
            name: int(sizes[name])
            for name in ("train", "train_dev", "dev", "test")
            if name in sizes
        },
        "train_by_class": {name: int(train.get(name, 0)) for name in class_names},
    }


def describe_preprocessing(size: int, colour: str, value_range: str | None = None) -> list[str]:
    """How a file becomes what the classifier takes, a sentence a step."""
    scaled = f": {value_range} become 0-255" if value_range else ""
    return [
        "A picture is turned upright by its EXIF orientation.",
        f"Transparent parts are laid on white; more than 8 bits are scaled down to 8{scaled}.",
        f"It is squashed to {size} × {size} pixels (Pillow, bilinear, antialiased).",
        _COLOURS[colour],
        "It goes in as whole numbers from 0 to 255 (uint8); scaling is done in the classifier.",
    ]


def list_versions() -> dict[str, str]:
    """Versions of what a classifier's numbers depend on."""
    return {
        "graft": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in (*LIBRARIES, get_backend())},
    }


def simplify(value: Any) -> Any:
    """Parameters as plain values, the same whether or not Kedro has validated them.

    Examples:
        >>> simplify({"rate": 1.0, "share": 0.5})
        {'rate': 1, 'share': 0.5}
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: simplify(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [simplify(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def round_table(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain values, shares to six digits."""
    rounded = table.assign(**{name: table[name].round(6) for name in table.select_dtypes("float")})
    return rounded.to_dict("records")
