"""What goes with ONNX for the page: Grad-CAM as it is, and pictures of train only if asked for."""

from __future__ import annotations

import io
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from PIL import Image

from graft.analysis.familiarity import fit_familiarity
from graft.classifier.champion import Champion
from graft.classifier.exported import HEAT_MAP
from graft.classifier.nearest import NEAREST, read_small_pictures
from graft.errors import GraftError
from graft.export.heat_map import convert_heat_map
from graft.models.backbones import build_backbone
from graft.models.grad_cam import compile_heat_maps, find_last_map
from graft.models.heads import average_heads, build_head, join_classifier
from graft.parameters.remembering import FamiliarityParameters
from graft.pipelines.candidates import draw_train
from graft.pipelines.export import page_extras
from graft.pipelines.export.page_extras import (
    HEAT_DIFFERENCE,
    export_heat_map,
    export_small_pictures,
)

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
SPLITS = pd.DataFrame(
    {
        "split": ["train"] * 30 + ["dev"] * 10, "label": ["cat", "犬"] * 20,
        "sha256": [f"{number}" for number in range(40)],
    }
)  # fmt: skip
FAMILIARITY = FamiliarityParameters(
    pictures=12, neighbours=1, refused_share=0.05, batch_size=8, seed=0
)


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    return build_backbone("small_cnn", 8, "printed_letters", seed=0)


def build(backbone: keras.Model, kind: str) -> keras.Model:
    """A classifier with random weights in its head; a new head has none that tell classes apart."""
    size = backbone.output_shape[-1]
    options = {"hidden": {"hidden_units": 16}, "one output": {"output_count": 1}}.get(kind, {})
    count = 2 if kind == "one output" else 3
    heads = [build_head(size, count, 0.2, 0.0, seed, **options) for seed in range(2)]
    for head in heads:
        head.set_weights([RANDOM.normal(0, 0.3, array.shape) for array in head.get_weights()])
    return average_heads(heads, backbone) if kind == "mean" else join_classifier(backbone, heads[0])


def chain(*layers: keras.layers.Layer) -> keras.Model:
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    given = keras.layers.Rescaling(1 / 255)(pixels)
    for layer in layers:
        given = layer(given)
    return keras.Model(pixels, given)


def convolve(pool_stride: int) -> keras.Model:
    """A network from scratch whose last map goes through a pooling and two dense layers."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return chain(
        layers.Conv2D(5, 3, activation="relu"), layers.MaxPooling2D(2, pool_stride),
        layers.Flatten(), layers.Dense(7, activation="relu"),
        layers.Dense(3, activation="softmax"),
    )  # fmt: skip


def compare(model: keras.Model, file: Path) -> float:
    """The largest difference of heat between Grad-CAM and its export."""
    found = find_last_map(model)
    assert convert_heat_map(found, file) == []
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    pictures, classes = IMAGES[:6], np.arange(6) % model.output_shape[-1]
    expected = compile_heat_maps(found, 6)(pictures, classes)
    assert expected.max() == 1
    given = [
        session.run(None, {"pictures": pictures[[row]], "classes": classes[[row]]})[0][0]
        for row in range(6)
    ]
    return np.abs(np.stack(given) - expected).max()


@pytest.mark.parametrize("kind", ["plain", "hidden", "one output", "mean"])
def test_the_heat_map_is_grad_cam_whatever_the_head(kind: str, backbone, tmp_path) -> None:
    assert compare(build(backbone, kind), tmp_path / HEAT_MAP) < 1e-4


def test_it_is_so_behind_a_pooling_and_dense_layers_too(tmp_path) -> None:
    assert compare(convolve(pool_stride=2), tmp_path / HEAT_MAP) < 1e-4


def make_champion(model: keras.Model, rows: np.ndarray | None = None) -> Champion:
    known = None
    if rows is not None:
        known = fit_familiarity(measure(IMAGES[rows]), measure(IMAGES[30:]), 1, 0.05)
    return Champion(model, ["cat", "犬", "x"], {}, {}, "", known)


def measure(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1).astype(np.float32)


def test_where_onnx_has_no_such_gradient_there_is_no_heat_map_and_it_says_why() -> None:
    champion = make_champion(convolve(pool_stride=1))
    files, check = export_heat_map(champion, IMAGES, np.zeros(40, int))
    assert files == {}
    assert check == {"lacking": "ONNX has no MaxPoolGrad"}


def test_without_a_feature_map_there_is_none_either() -> None:
    flat = chain(keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax"))
    champion = make_champion(flat)
    found = export_heat_map(champion, IMAGES, np.zeros(40, int))
    assert found == ({}, {"lacking": "the network has no feature map"})


def test_a_heat_map_that_shows_something_else_fails_the_export(backbone, monkeypatch) -> None:
    champion = make_champion(build(backbone, "plain"))
    files, check = export_heat_map(champion, IMAGES, np.zeros(40, int))
    assert list(files) == [HEAT_MAP]
    assert (check["pictures"], check["layer"], check["height"]) == (16, "block3_relu1", 2)
    assert check["largest_difference"] <= HEAT_DIFFERENCE
    other = make_champion(build(backbone, "plain"))
    original = page_extras.convert_heat_map
    monkeypatch.setattr(
        page_extras, "convert_heat_map",
        lambda found, file: original(find_last_map(other.model), file),
    )  # fmt: skip
    with pytest.raises(GraftError, match=r"does not show what Grad-CAM shows.*heat_map=false"):
        export_heat_map(champion, IMAGES, np.zeros(40, int))


def test_small_pictures_are_those_that_the_champion_remembers(backbone, tmp_path) -> None:
    rows = draw_train(SPLITS, FAMILIARITY.pictures, FAMILIARITY.seed)
    champion = make_champion(build(backbone, "plain"), rows)
    files = export_small_pictures(champion, measure, IMAGES, SPLITS, FAMILIARITY)
    (tmp_path / NEAREST).write_bytes(files[NEAREST])
    small = read_small_pictures(tmp_path)
    assert small.labels == SPLITS["label"].iloc[rows].tolist()
    for row, file in zip(rows, small.files, strict=True):
        picture = Image.open(io.BytesIO(file))
        assert (picture.format, picture.size, dict(picture.getexif())) == ("JPEG", (8, 8), {})
        assert np.asarray(picture).mean() == pytest.approx(IMAGES[row].mean(), abs=3)
    # The nearest to a picture of train is that picture.
    (nearest, distance), *_ = champion.familiarity.find_nearest(measure(IMAGES[rows[[5]]])[0], 3)
    assert (nearest, distance) == (5, pytest.approx(0, abs=0.05))


def test_other_pictures_than_the_champion_remembers_are_refused(backbone) -> None:
    rows = draw_train(SPLITS, FAMILIARITY.pictures, FAMILIARITY.seed)
    champion = make_champion(build(backbone, "plain"), rows)
    later = FAMILIARITY.model_copy(update={"seed": 1})
    with pytest.raises(GraftError, match="must be those that the champion remembers"):
        export_small_pictures(champion, measure, IMAGES, SPLITS, later)
    unknowing = make_champion(champion.model)
    with pytest.raises(GraftError, match="it knows of none"):
        export_small_pictures(unknowing, measure, IMAGES, SPLITS, FAMILIARITY)
