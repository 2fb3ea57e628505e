"""Head training: learns on train, stops by dev, never looks at test."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from graft.datasets import (
    FeatureShardsDataset,
    KerasModelDataset,
    LogFolderDataset,
    TrainingBackupDataset,
)
from graft.datasets.features import FeatureBlock, FeatureTable
from graft.errors import GraftError
from graft.models.layer_weights import collect_weights
from graft.parameters.base import BackboneParameters, TrainSampleParameters
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.feature_extraction.nodes import build_backbone
from graft.pipelines.head_training import create_pipeline
from graft.pipelines.head_training.nodes import train_head
from graft.training.backup import TrainingBackup

CLASSES = ["dark", "light"]
IMAGES = np.zeros((18, 8, 8, 3), np.uint8)
PARAMETERS = HeadTrainingParameters(
    dropout=0.1,
    weight_decay=1e-4,
    learning_rate=0.2,
    batch_size=4,
    epochs=10,
    patience=5,
    class_weights="none",
    seed=7,
)
# Where it does not matter how well it learns.
BRIEF = PARAMETERS.model_copy(update={"learning_rate": 0.05, "epochs": 3, "patience": 3})


@pytest.fixture
def train(tmp_path):
    """Trains without finding a backup of the training before."""
    number = itertools.count()

    def run(features, splits, class_names, parameters, *start):
        folder = tmp_path / f"training_{next(number)}"
        backup = TrainingBackup(folder / "backup")
        return train_head(features, IMAGES, splits, class_names, backup, folder, parameters, *start)

    return run


@pytest.fixture(scope="module")
def known():
    """Trainings on the pictures as they are, by their parameters."""
    return {}


@pytest.fixture
def train_once(train, known, features: FeatureTable, splits: pd.DataFrame):
    """Trains on the pictures as they are; who asks for the same again only reads it."""

    def run(parameters):
        key = parameters.model_dump_json()
        if key not in known:
            known[key] = train(features, splits, CLASSES, parameters)
        return known[key]

    return run


def test_the_pipeline_makes_head_history_and_classifier(splits: pd.DataFrame, tmp_path) -> None:
    backbone = build_backbone(
        BackboneParameters(name="small_cnn", weights="printed_letters", image_size=8, seed=0)
    )
    images = np.random.default_rng(0).integers(0, 256, (len(splits), 8, 8, 3), dtype=np.uint8)
    keys = pd.DataFrame({"image_id": splits["image_id"], "image_sha256": "", "view": np.int16(0)})
    shards = FeatureShardsDataset(filepath=str(tmp_path / "shards"))
    vectors = backbone.predict(images, verbose=0)
    shards.save([FeatureBlock(keys, vectors)])
    catalog = DataCatalog(
        {
            "features": shards,
            "images": MemoryDataset(images),
            "splits": MemoryDataset(splits),
            "class_names": MemoryDataset(CLASSES),
            "backbone": MemoryDataset(backbone, copy_mode="assign"),
            "params:head_training": MemoryDataset(BRIEF),
            "params:train_sample": MemoryDataset(TrainSampleParameters(pictures=3, seed=0)),
            "frozen.backup": TrainingBackupDataset(filepath=str(tmp_path / "backup")),
            "frozen.logs": LogFolderDataset(filepath=str(tmp_path / "logs")),
            "head": KerasModelDataset(filepath=str(tmp_path / "head.keras")),
            "frozen.classifier": KerasModelDataset(filepath=str(tmp_path / "classifier.keras")),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    head, classifier = catalog.load("head"), catalog.load("frozen.classifier")
    np.testing.assert_allclose(
        classifier.predict(images, verbose=0), head.predict(vectors, verbose=0), atol=1e-5
    )


def test_a_head_learns_what_can_be_learnt(train_once) -> None:
    _, history = train_once(PARAMETERS)
    assert history["dev_accuracy"].max() == 1
    assert history["dev_loss"].min() < 0.1


def test_the_labels_of_test_make_no_difference(
    train, train_once, features: FeatureTable, splits: pd.DataFrame
) -> None:
    lies = splits.copy()
    lies.loc[lies["split"] == "test", "label_index"] = 0
    honest, _ = train_once(BRIEF)
    misled, _ = train(features, lies, CLASSES, BRIEF)
    for mine, other in zip(honest.get_weights(), misled.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_two_classes_may_have_one_output_and_still_two_probabilities(
    train, features: FeatureTable, splits: pd.DataFrame
) -> None:
    parameters = PARAMETERS.model_copy(update={"loss": "binary_crossentropy"})
    head, history = train(features, splits, CLASSES, parameters)
    assert head.get_layer("logit").units == 1
    assert head.output_shape == (None, 2)
    assert history["dev_accuracy"].max() == 1


def test_a_binary_loss_with_three_classes_is_refused(
    train, features: FeatureTable, splits: pd.DataFrame
) -> None:
    parameters = PARAMETERS.model_copy(update={"loss": "binary_crossentropy"})
    with pytest.raises(GraftError, match=r"^head_training\.loss: .* two classes apart; with 3"):
        train(features, splits, [*CLASSES, "grey"], parameters)


def test_pictures_that_weigh_nothing_teach_nothing(
    train, features: FeatureTable, splits: pd.DataFrame
) -> None:
    # Half of the pictures are labelled wrong; their weight decides whether that matters.
    wrong = splits.index < 6
    lies = splits.assign(trust=np.where(wrong, 0.0, 1.0))
    lies.loc[wrong, "label_index"] = 1 - lies.loc[wrong, "label_index"]
    parameters = PARAMETERS.model_copy(update={"sample_weights": "trust"})
    _, trusting = train(features, lies, CLASSES, PARAMETERS)
    _, weighing = train(features, lies, CLASSES, parameters)
    assert weighing["dev_loss"].min() < trusting["dev_loss"].min()
    assert weighing["dev_accuracy"].max() == 1


def test_another_seed_gives_another_head(train_once) -> None:
    first, _ = train_once(BRIEF)
    second, _ = train_once(BRIEF.model_copy(update={"seed": 8}))
    assert not np.array_equal(first.get_weights()[0], second.get_weights()[0])


CHAMPION = {"champion": "0123", "model": "frozen"}


def test_a_warm_start_goes_on_from_the_head_of_the_champion(
    train, train_once, features: FeatureTable, splits: pd.DataFrame, caplog
) -> None:
    old, before = train_once(BRIEF)
    with caplog.at_level("INFO"):
        new, history = train(features, splits, CLASSES, BRIEF, CHAMPION, collect_weights(old))
    assert history["epoch"].tolist() == [0, 1, 2, 3]
    # The loss of Keras has the weight decay in it.
    assert history["dev_loss"].iloc[0] == pytest.approx(before["dev_loss"].min(), rel=1e-3)
    assert history["dev_loss"].iloc[3] < history["dev_loss"].iloc[0]
    assert history["kept"].tolist() == [False, False, False, True]
    assert not np.array_equal(new.get_weights()[0], old.get_weights()[0])
    told = " ".join(caplog.text.split())
    assert "Head 3 epochs on from the champion; best on dev is epoch 3" in told


def test_a_warm_start_that_leads_nowhere_ends_where_it_began(
    train, train_once, features: FeatureTable, splits: pd.DataFrame
) -> None:
    old, _ = train_once(PARAMETERS)
    lies = splits.assign(label_index=splits["label_index"].where(splits["split"] != "train", 0))
    few = PARAMETERS.model_copy(update={"learning_rate": 1.0, "epochs": 2, "patience": 2})
    new, history = train(features, lies, CLASSES, few, CHAMPION, collect_weights(old))
    assert history.loc[history["kept"], "epoch"].tolist() == [0]
    for mine, yours in zip(new.get_weights(), old.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_a_warm_start_without_a_champion_trains_as_ever(
    train, train_once, features: FeatureTable, splits: pd.DataFrame
) -> None:
    ever, history = train_once(BRIEF)
    warm, again = train(features, splits, CLASSES, BRIEF, {"champion": None}, {})
    pd.testing.assert_frame_equal(history, again)
    np.testing.assert_array_equal(ever.get_weights()[0], warm.get_weights()[0])


def test_a_warm_start_with_another_head_is_refused(
    train, train_once, features: FeatureTable, splits: pd.DataFrame
) -> None:
    weights = collect_weights(train_once(BRIEF)[0])
    wide = BRIEF.model_copy(update={"hidden_units": 3})
    with pytest.raises(GraftError, match=r"set hidden_units, outputs and loss back, .*'hidden'$"):
        train(features, splits, CLASSES, wide, CHAMPION, weights)


def test_tensorboard_shows_the_mistakes_on_dev_and_its_features(
    train, features: FeatureTable, splits: pd.DataFrame, tmp_path
) -> None:
    parameters = PARAMETERS.model_copy(
        update={"callbacks": ({"class": "tensorboard"},), "epochs": 2, "patience": 2}
    )
    lies = splits.copy()
    lies.loc[splits["split"] == "dev", "label_index"] = 0
    train(features, lies, CLASSES, parameters)
    board = tmp_path / "training_0/tensorboard"
    assert sorted(path.name for path in board.iterdir() if path.is_dir()) == [
        "dev",
        "train",
        "validation",
    ]
    pictures = pd.read_csv(board / "pictures.tsv", sep="\t")
    expected = splits.loc[splits["split"] == "dev", "image_id"]
    assert pictures["image_id"].tolist() == expected.tolist()
    told = b"".join(path.read_bytes() for path in (board / "dev").iterdir())
    assert b"dark taken for light" in told
