"""The whole pipeline on JAX, and its classifier on TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from graft.classifier.champion import load_champion
from graft.errors import GraftError
from graft.export.formats import refuse_missing_libraries
from graft.models.forward_passes import open_forward

# Opens the champion on TensorFlow and passes the pictures that it was tested on.
OPEN = """
import sys
import keras, numpy as np
assert keras.config.backend() == "tensorflow"
from graft.classifier.champion import load_champion
from pathlib import Path
champion = load_champion(Path(sys.argv[1]), ["graft.models.networks"])
np.save(sys.argv[3], champion.model(np.load(sys.argv[2])).numpy())
"""


def test_a_run_on_jax_gives_a_classifier_that_tensorflow_opens(
    project: Path, run_kedro: Callable, tmp_path: Path
) -> None:
    outcome = run_kedro("--env=test")
    assert outcome.code == 0, outcome.err
    champion = next((project / "data/06_models").glob("*/champion"))
    facts = json.loads((champion / "classifier.json").read_text())
    assert "jax" in facts["versions"]
    assert "tensorflow" not in facts["versions"]

    mine = load_champion(champion, ["graft.models.networks"]).model
    pictures = np.random.default_rng(0).integers(0, 256, (6, *mine.input_shape[1:]), np.uint8)
    np.save(tmp_path / "pictures.npy", pictures)
    subprocess.run(
        [sys.executable, "-c", OPEN, champion, tmp_path / "pictures.npy", tmp_path / "found.npy"],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"}, check=True, capture_output=True,
    )  # fmt: skip
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), mine(pictures), atol=1e-4)

    again = run_kedro("--env=test", "--plan")
    assert again.code == 0
    assert "nothing to do" in again.out


def test_what_only_tensorflow_does_is_refused_in_one_line() -> None:
    with pytest.raises(GraftError, match=r"`KERAS_BACKEND=tensorflow kedro run .*got .*=jax$"):
        refuse_missing_libraries(["saved_model"])
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(GraftError, match=r"set the variable KERAS_BACKEND to tensorflow"):
        open_forward(network, np.ones((1, 2)).__getitem__, np.arange(1), 1, engine="onnx")
