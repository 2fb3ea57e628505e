"""Pictures held out pass the blocks that fine-tuning leaves alone once."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from graft.compute.known_rows import TracedRows
from graft.compute.streams import RowStream
from graft.datasets import TracedArrayDataset
from graft.models import inference
from graft.models.backbones import build_backbone
from graft.models.freezing import cut_classifier, divide_tuned
from graft.models.heads import build_head
from graft.parameters.base import TrainSampleParameters
from graft.parameters.forward import ForwardParameters
from graft.pipelines.candidates import list_measured
from graft.pipelines.fine_tuning.predicting import (
    predict_from_pictures,
    store_measured_activations,
)
from helpers.pictures import UnreadImages, trace_images

CLASSES = ["dark", "light"]
SAMPLE = TrainSampleParameters(pictures=2, seed=0)


def tune(unfreeze: str | int, seed: int) -> keras.Model:
    """A classifier as fine-tuning leaves it: other weights in what was unfrozen."""
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    head = build_head(backbone.output_shape[-1], 2, dropout=0.2, weight_decay=0.0, seed=0)
    classifier = cut_classifier(backbone, head, unfreeze).whole
    random = np.random.default_rng(seed)
    for weight in classifier.trainable_weights:
        weight.assign(weight + random.normal(scale=0.05, size=weight.shape))
    return classifier


@pytest.fixture
def images(splits: pd.DataFrame) -> np.ndarray:
    random = np.random.default_rng(0).integers(0, 255, (len(splits), 8, 8, 3))
    return random.astype(np.uint8)


@pytest.fixture
def predict(tmp_path: Path, splits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch):
    """Both nodes with the file of the last run; predictions, bytes of the file, pictures passed."""
    file = TracedArrayDataset(filepath=str(tmp_path / "measured.npy"))
    passed, compile_forward = [0], inference.compile_forward

    def count(model: keras.Model, batch_size: int):
        forward = compile_forward(model, batch_size)

        def run(batch: np.ndarray) -> np.ndarray:
            passed[0] += len(batch) * (model.name == "trunk")
            return forward(batch)

        return run

    monkeypatch.setattr(inference, "compile_forward", count)

    def predict(classifier, images, splits=splits, clean=False):
        passed[0] = 0
        path = tmp_path / "measured.npy"
        previous = file.load() if path.exists() and not clean else None
        made = store_measured_activations(
            classifier, images, trace_images(images), splits, previous, SAMPLE
        )
        draft = TracedArrayDataset(filepath=str(tmp_path / "draft.npy"))
        draft.save(made)
        (tmp_path / "draft.npy").replace(path)
        table = predict_from_pictures(
            classifier, np.load(path, mmap_mode="r"), images, splits, CLASSES, SAMPLE
        )
        return table, path.read_bytes(), passed[0]

    return predict


@pytest.mark.parametrize(("unfreeze", "count"), [("block3", 10), ("block2", 10), ("all", 0)])
def test_the_predictions_are_those_of_the_whole_classifier(
    unfreeze, count, predict, images, splits
) -> None:
    classifier = tune(unfreeze, seed=1)
    table, _, passed = predict(classifier, images)
    assert passed == count
    held_out = list_measured(splits, SAMPLE)
    expected = classifier.predict(images[held_out], verbose=0)
    names = [f"probability_{name}" for name in CLASSES]
    np.testing.assert_allclose(table[names], expected, atol=1e-6)
    assert table["image_id"].tolist() == splits["image_id"].iloc[held_out].tolist()


def test_after_another_tuning_no_known_picture_passes_again(predict, images, splits) -> None:
    predict(tune("block3", seed=1), images)
    other = tune("block3", seed=2)
    grown = images.copy()
    grown[-1] = 255 - grown[-1]
    table, content, passed = predict(other, grown)
    assert passed == 1
    fresh, expected, passed = predict(other, grown, clean=True)
    assert passed == 10
    pd.testing.assert_frame_equal(table, fresh, rtol=0, atol=0)
    assert content == expected


def test_other_frozen_weights_make_all_anew(predict, images) -> None:
    predict(tune("block3", seed=1), images)
    other = tune("block3", seed=1)
    other.layers[3].weights[0].assign(other.layers[3].weights[0] * 1.01)
    assert predict(other, images)[2] == 10


def test_of_train_a_sample_is_among_them(predict, images, splits) -> None:
    table, _, _ = predict(tune("block3", seed=1), images)
    assert table["split"].value_counts().to_dict() == {"dev": 4, "test": 4, "train": 2}


def test_the_boundary_is_where_fine_tuning_had_it() -> None:
    for unfreeze in ("block3", "block2"):
        backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
        head = build_head(backbone.output_shape[-1], 2, dropout=0.2, weight_decay=0.0, seed=0)
        cut = cut_classifier(backbone, head, unfreeze)
        trunk, tail = divide_tuned(cut.whole)
        assert trunk.output is cut.trunk.output
        assert tail.count_params() == cut.tail.count_params()


def test_known_pixels_are_neither_read_nor_hashed(predict, images, splits, tmp_path) -> None:
    classifier = tune("block3", seed=1)
    predict(classifier, images)
    previous = TracedArrayDataset(filepath=str(tmp_path / "measured.npy")).load()
    unread, origins = UnreadImages(images), trace_images(images)
    made = store_measured_activations(classifier, unread, origins, splits, previous, SAMPLE)
    assert len(list(made.rows)) == made.shape[0] > 0


def test_on_onnx_runtime_activations_are_those_of_keras_and_are_known_again(
    images: np.ndarray, splits: pd.DataFrame, tmp_path: Path
) -> None:
    classifier, origins = tune(1, seed=0), trace_images(images)

    def store(engine: str) -> TracedRows:
        file = TracedArrayDataset(filepath=str(tmp_path / f"{engine}.npy"))
        made = store_measured_activations(
            classifier, images, origins, splits, None, SAMPLE, ForwardParameters(engine=engine)
        )
        file.save(made)
        return file.load()

    on_keras, on_onnx = store("keras"), store("onnx")
    np.testing.assert_allclose(on_onnx.rows, on_keras.rows, rtol=1e-5, atol=1e-5)
    assert set(on_onnx.origins).isdisjoint(on_keras.origins)
    marked = TracedRows(np.asarray(on_onnx.rows) + 1, on_onnx.origins)
    again = store_measured_activations(
        classifier, images, origins, splits, marked, SAMPLE, ForwardParameters(engine="onnx")
    )
    assert isinstance(again, RowStream)
    taken_over = dict(again.rows)
    assert all((taken_over[row] == marked.rows[row]).all() for row in range(len(marked.rows)))
