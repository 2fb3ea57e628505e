"""What TensorBoard is given, read back with TensorBoard's own readers."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from graft.training.callbacks import show_dev, write_projector

MISTAKES = pd.DataFrame(
    {
        "image_id": ["a.png", "b.png", "c.png"],
        "label": ["cat", "dog", "cat"],
        "predicted": ["dog", "cat", "dog"],
        "probability": [0.6, 0.9, 0.7],
    }
)


def read_pictures(folder):
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {
        tag: np.array(Image.open(io.BytesIO(events.Tensors(tag)[0].tensor_proto.string_val[2])))
        for tag in events.Tags()["tensors"]
    }


DEV = pd.DataFrame({"image_id": ["a.png", "b.png", "c.png", "d.png"], "label_index": [0, 1, 0, 1]})
PROBABILITIES = np.array([[0.4, 0.6], [0.9, 0.1], [0.3, 0.7], [0.2, 0.8]], "float32")
SHADES = np.array([10, 20, 30, 40], np.uint8)


def read_shades(rows):
    return np.broadcast_to(SHADES[rows][:, None, None, None], (len(rows), 4, 4, 3))


def test_mistakes_are_pictures_with_what_was_taken_for_what_the_surest_first(tmp_path):
    show_dev(tmp_path, DEV, PROBABILITIES, ["cat", "dog"], read_shades)
    found = read_pictures(tmp_path / "tensorboard/dev")
    assert list(found) == [
        "mistakes/01 dog taken for cat",
        "mistakes/02 cat taken for dog",
        "mistakes/03 cat taken for dog",
    ]
    assert [int(picture[0, 0, 0]) for picture in found.values()] == [20, 30, 10]


def test_a_second_run_replaces_the_mistakes_of_the_first(tmp_path):
    show_dev(tmp_path, DEV, PROBABILITIES, ["cat", "dog"], read_shades)
    show_dev(tmp_path, DEV, np.eye(2)[[0, 1, 0, 0]], ["cat", "dog"], read_shades)
    assert list(read_pictures(tmp_path / "tensorboard/dev")) == ["mistakes/01 dog taken for cat"]


def test_features_go_to_the_projector_with_what_is_known_of_each_picture(tmp_path):
    features = np.arange(8.0).reshape(4, 2)
    show_dev(tmp_path, DEV, PROBABILITIES, ["cat", "dog"], read_shades, features)
    pictures = pd.read_csv(tmp_path / "tensorboard/pictures.tsv", sep="\t")
    assert pictures["predicted"].tolist() == ["dog", "cat", "dog", "dog"]
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "tensorboard/features.tsv"), features)


def test_the_projector_finds_a_row_of_features_for_every_picture(tmp_path):
    features = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    write_projector(tmp_path, features, MISTAKES)
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    [embedding] = config.embeddings
    np.testing.assert_allclose(np.loadtxt(tmp_path / embedding.tensor_path), features, rtol=1e-5)
    pictures = pd.read_csv(tmp_path / embedding.metadata_path, sep="\t")
    assert pictures["image_id"].tolist() == MISTAKES["image_id"].tolist()
