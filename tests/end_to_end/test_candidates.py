"""A candidate of one's own: one entry and one training function, and it stands in the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

MODULE = '''
"""What a user writes."""

import keras
import pandas as pd


def nearest_mean(images, splits, class_names):
    """The class whose mean picture is nearest."""
    train = (splits["split"] == "train").to_numpy()
    labels = splits["label_index"].to_numpy()
    means = [images[train & (labels == c)].mean(axis=0) for c in range(len(class_names))]
    pixels = keras.Input(images.shape[1:], dtype="uint8")
    flat = keras.layers.Flatten()(pixels)
    dense = keras.layers.Dense(len(class_names), activation="softmax")
    classifier = keras.Model(pixels, dense(keras.ops.cast(flat, "float32")))
    # |x - m|² up to what all classes share is |m|² - 2 m·x; a smaller one is a larger logit.
    kernel = pd.DataFrame([mean.ravel() for mean in means]).to_numpy("float32")
    dense.set_weights([2e-4 * kernel.T, -1e-4 * (kernel**2).sum(axis=1)])
    figures = {"loss": [1.0], "accuracy": [0.5], "dev_loss": [1.0], "dev_accuracy": [0.5]}
    return classifier, pd.DataFrame({"epoch": [1], **figures, "learning_rate": [0.0]})
'''


def test_a_candidate_of_ones_own_is_in_the_report(
    finished_project: Path, run_kedro: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = finished_project
    (project / "src" / "my_candidates.py").write_text(MODULE)
    monkeypatch.syspath_prepend(project / "src")
    (project / "conf/test/parameters_candidates.yml").write_text(
        "candidates: [frozen, fine_tuned, my_candidates.nearest_mean]\n"
    )
    outcome = run_kedro("--env=test")
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    reporting = project / "data/08_reporting/test"
    metrics = json.loads((reporting / "metrics.json").read_text())
    assert list(metrics) == ["frozen", "fine_tuned", "nearest_mean"]
    # Two kinds of digits of 8×8 pixels: their means tell them apart.
    assert metrics["nearest_mean"]["dev"]["accuracy"]["value"] > 0.9
    report = (reporting / "report.html").read_text()
    assert "nearest-mean" in report
    assert "The class whose mean picture is nearest: loss and accuracy" in report
    assert (project / "data/06_models/test/nearest_mean/classifier.keras").exists()
    # Every stage is fresh now, that of the candidate too.
    assert "nothing to do" in run_kedro("--env=test").out
