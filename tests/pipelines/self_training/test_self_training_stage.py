"""The stage of self-training: a candidate from features, judged before it is trusted."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from graft.analysis import clusters
from graft.datasets.features import FeatureBlock, FeatureShardsDataset, FeatureTable
from graft.errors import GraftError
from graft.parameters.self_learning import SelfTrainingParameters
from graft.pipelines.self_training.nodes import train_on_unlabelled

PARAMETERS = SelfTrainingParameters(
    pictures=500, folds=3, refused_share=0.05, neighbours=3, confidence=0.8, seed=0
)
NAMES = ["dark", "light"]


@pytest.fixture(autouse=True)
def _dev_is_large_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "FEW_CLUSTERS", 3)


def _build_backbone() -> keras.Model:
    pictures = keras.Input((2, 2, 3), dtype="uint8", name="pixels")
    numbers = keras.layers.Rescaling(1 / 255, name="rescaling")(pictures)
    return keras.Model(pictures, keras.layers.Flatten(name="flat")(numbers)[:, :4])


@pytest.fixture
def unlabelled(tmp_path: Path) -> tuple[FeatureTable, pd.DataFrame]:
    """A hundred pictures like the labelled ones."""
    vectors = np.random.default_rng(1).normal(size=(100, 4)).astype(np.float32)
    vectors[:50, 0] += 6
    pictures = pd.DataFrame({"image_id": [f"new/{number}" for number in range(100)]})
    return _store(tmp_path / "unlabelled", pictures, vectors), pictures


def _store(place: Path, pictures: pd.DataFrame, vectors: np.ndarray) -> FeatureTable:
    names = pictures[["image_id"]]
    keys = names.assign(image_sha256=names["image_id"], view=np.int16(0))
    dataset = FeatureShardsDataset(filepath=str(place))
    dataset.save([FeatureBlock(keys, vectors)])
    return dataset.load()


def _train(features, unlabelled, splits):
    return train_on_unlabelled(features, *unlabelled, _build_backbone(), splits, NAMES, PARAMETERS)


def test_a_head_and_a_classifier_answer_alike(features, unlabelled, splits) -> None:
    head, classifier, history, verdict = _train(features, unlabelled, splits)
    found = head.predict(features.read(splits["image_id"]), verbose=0)
    assert (found.argmax(axis=1) == splits["label_index"]).mean() > 0.75
    pictures = np.random.default_rng(0).integers(0, 256, (5, 2, 2, 3), dtype=np.uint8)
    vectors = pictures.reshape(5, -1)[:, :4].astype(np.float32) / 255
    np.testing.assert_allclose(
        classifier.predict(pictures, verbose=0), head.predict(vectors, verbose=0), rtol=1e-5
    )
    ways = [way["way"] for way in verdict["ways"]]
    assert ways == ["teacher", "student", "balanced_student", "strong_penalty"]
    (chosen,) = (way for way in verdict["ways"] if way["is_chosen"])
    assert verdict["measured_on"] == "dev"
    assert history["dev_accuracy"].tolist() == [chosen["accuracy"]]
    assert json.loads(json.dumps(verdict)) == verdict


def test_what_is_unlike_all_that_has_a_label_is_left_out_and_counted(tmp_path, caplog) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(80) % 2
    middles = 10 * np.eye(4, dtype=np.float32)
    known = middles[labels] + random.normal(size=(80, 4)).astype(np.float32)
    # A hundred like them, and five of a class that nobody has labelled.
    others = middles[[*(np.arange(100) % 2), *[3] * 5]] + random.normal(size=(105, 4)).astype("f4")
    splits = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(80)],
            "label_index": labels.astype(np.int32),
            "cluster": np.arange(80),
            "split": ["train"] * 40 + ["dev"] * 40,
        }
    )
    unlabelled = pd.DataFrame({"image_id": [f"new/{number}.png" for number in range(105)]})
    tables = [
        _store(tmp_path / name, names, vectors)
        for name, names, vectors in (("a", splits, known), ("b", unlabelled, others))
    ]
    caplog.set_level("INFO")
    *_, verdict = _train(tables[0], (tables[1], unlabelled), splits)
    assert verdict["used"] + verdict["left_out"] == 105
    assert 5 <= verdict["left_out"] <= 25
    told = " ".join(" ".join(record.message[13:] for record in caplog.records).split())
    assert verdict["sentence"] in told


def test_the_labels_of_test_make_no_difference(features, unlabelled, splits) -> None:
    lies = splits.copy()
    lies.loc[lies["split"] == "test", "label_index"] = 0
    first, second = (_train(features, unlabelled, one)[0] for one in (splits, lies))
    for mine, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_dev_of_few_clusters_is_not_asked_alone(
    features, unlabelled, splits, monkeypatch
) -> None:
    monkeypatch.setattr(clusters, "FEW_CLUSTERS", 1000)
    *_, verdict = _train(features, unlabelled, splits)
    assert verdict["measured_on"] == "folds"
    assert verdict["measured"] == splits["split"].isin(["train", "dev"]).sum()


def test_a_class_without_a_picture_in_train_is_named(features, unlabelled, splits) -> None:
    with pytest.raises(GraftError, match=r"leave self_trained out of candidates; got none of dark"):
        _train(features, unlabelled, splits[splits["label_index"] == 1])
