"""How often test was looked at: another model each time it was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd


def add_look(
    former: list[dict[str, str]] | None, predictions: pd.DataFrame, splits: pd.DataFrame
) -> list[dict[str, str]]:
    """The looks at test of all runs, this one included.

    A look is a test split and the probabilities that a model gives on it. Measuring
    the same model again tells nothing new and is no look.

    Args:
        former: Looks until now; None before the first.
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
    return [*(former or []), *([] if look in (former or []) else [look])]


def count_looks(test_looks: list[dict[str, str]], splits: pd.DataFrame) -> dict[str, int]:
    """How many looks there were: ``now``, at today's test split, and ``all`` in all."""
    today = hash_test(splits)
    now = sum(look["split"] == today for look in test_looks)
    return {"now": now, "all": len(test_looks)}


def hash_test(splits: pd.DataFrame) -> str:
    """SHA-256 over the content and label of the pictures of test."""
    test = splits[splits["split"] == "test"]
    return hash_lines(test["sha256"] + " " + test["label"])


def hash_data(splits: pd.DataFrame) -> str:
    """SHA-256 over the content, label and split of all pictures, in whatever order they are."""
    return hash_lines(splits["sha256"] + " " + splits["label"] + " " + splits["split"])


def hash_lines(lines: Iterable[Any]) -> str:
    """SHA-256 over sorted lines.

    Examples:
        >>> hash_lines(["a", "b"]) == hash_lines(["b", "a"])
        True
    """
    return hashlib.sha256("\n".join(sorted(map(str, lines))).encode()).hexdigest()
