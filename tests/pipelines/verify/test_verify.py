"""Verify: the saved metrics are those of the champion, or it says which are not."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from graft.analysis.intervals import measure_with_intervals
from graft.classifier.champion import Champion
from graft.pipelines.verify.nodes import compare_figures, measure_again, verify_metrics


@pytest.fixture
def world():
    """A classifier that tells dark from bright, pictures and what it gets on them."""
    import keras

    pictures = keras.Input((2, 2, 3), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pictures))
    dense = keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")
    model = keras.Model(pictures, dense(flat))
    dense.set_weights([np.repeat([[-1.0, 1.0]], 12, axis=0), np.array([6.0, -6.0])])
    images = np.repeat(np.arange(0, 240, 6, dtype=np.uint8), 12).reshape(-1, 2, 2, 3)
    splits = pd.DataFrame(
        {"split": ["train", "dev", "test", "test"] * 10, "label": ["dark"] * 18 + ["bright"] * 22}
    )
    probabilities = model.predict(images, verbose=0)
    labels = (splits["label"] == "dark").to_numpy().astype(int)
    metrics = {}
    for split in ("dev", "test"):
        rows = (splits["split"] == split).to_numpy()
        figures = measure_with_intervals(labels[rows], probabilities[rows][:, ::-1], 10, 0.95, 0)
        metrics[split] = {"n": int(rows.sum()), **figures}
    # Alphabetical: bright is 0.
    dense.set_weights([weights[..., ::-1] for weights in dense.get_weights()])
    champion = Champion(model, ["bright", "dark"], {"model": "fine_tuned"}, metrics, "")
    return champion, images, splits


def test_the_same_classifier_gives_the_same(world, caplog):
    with caplog.at_level(logging.INFO):
        found = verify_metrics(*world)
    assert found == {
        "model": "fine_tuned", "same": True, "pictures": 30, "tolerance": 1e-4, "differences": []
    }  # fmt: skip
    assert "Verified     same" in caplog.text


def test_another_classifier_is_found_out_figure_by_figure(world, caplog):
    model = world[0].model
    model.layers[-1].set_weights([weights * 0.5 for weights in model.layers[-1].get_weights()])
    found = verify_metrics(*world)
    assert not found["same"]
    assert {(part["split"], part["metric"]) for part in found["differences"]} >= {
        ("dev", "log_loss"),
        ("test", "log_loss"),
    }
    assert "NOT the same" in caplog.text
    assert "test log loss: saved" in caplog.text


def test_a_missing_figure_is_a_difference():
    now = measure_again(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    (found,) = compare_figures({name: value for name, value in now.items() if name != "n"}, now)
    assert found == {"metric": "n", "saved": None, "now": 2}


def test_pictures_of_one_channel_are_shown_to_a_classifier_of_three(world):
    champion, images, splits = world
    assert verify_metrics(champion, images[..., :1], splits)["pictures"] == 30
