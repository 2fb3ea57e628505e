"""Forward passes: rows that a model does not take are refused in one line."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from graft.errors import GraftError
from graft.models.inference import compile_forward


def test_pictures_of_another_size_than_the_network_takes_are_refused():
    # As with --force, which takes pictures that were decoded for another size as they are.
    pictures = keras.Input((8, 8, 3), dtype="uint8")
    network = keras.Model(pictures, keras.layers.Flatten()(pictures), name="network")
    forward = compile_forward(network, batch_size=2)
    assert forward(np.zeros((1, 8, 8, 3), np.uint8)).shape == (1, 192)
    with pytest.raises(GraftError, match=r"'network' takes rows of shape \(8, 8, 3\).*\(16, 16, 3"):
        forward(np.zeros((1, 16, 16, 3), np.uint8))
