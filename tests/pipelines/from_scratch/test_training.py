"""Training from scratch: learns on train, stops by dev, never looks at test."""

from __future__ import annotations

import itertools
import logging

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.pandas import CSVDataset

from graft.datasets import (
    FigureDataset,
    KerasModelDataset,
    LogFolderDataset,
    TrainingBackupDataset,
)
from graft.errors import GraftError
from graft.parameters.base import TrainSampleParameters
from graft.parameters.forward import AUTO
from graft.parameters.from_scratch import ScratchTrainingParameters
from graft.pipelines.candidates import predict_pictures
from graft.pipelines.from_scratch import create_pipeline
from graft.pipelines.from_scratch.nodes import train_network
from graft.training.backup import TrainingBackup

CLASSES = ["dark", "light"]
SAMPLE = TrainSampleParameters(pictures=3, seed=0)
PARAMETERS = ScratchTrainingParameters(
    network="gtsrb_simple",
    activation="relu",
    initializer="glorot_uniform",
    l1=0,
    l2=1e-4,
    learning_rate=0.01,
    batch_size=4,
    epochs=6,
    patience=6,
    seed=7,
)
# Where it does not matter how well it learns.
BRIEF = PARAMETERS.model_copy(update={"epochs": 2, "patience": 2})


def paint(splits: pd.DataFrame, channels: int = 3) -> np.ndarray:
    """Dark and light pictures of 16×16 pixels with a little noise."""
    noise = np.random.default_rng(0).integers(0, 30, (len(splits), 16, 16, channels))
    shades = np.where(splits["label"] == "light", 200, 20)[:, None, None, None]
    return (shades + noise).astype(np.uint8)


@pytest.fixture
def train(tmp_path):
    """Trains without finding a backup of the training before."""
    number = itertools.count()

    def run(images, splits, parameters=PARAMETERS, class_names=CLASSES):
        folder = tmp_path / f"training_{next(number)}"
        backup = TrainingBackup(folder / "backup")
        return train_network(images, splits, class_names, backup, folder, parameters)

    return run


@pytest.fixture(scope="module")
def known() -> list:
    """The training of :func:`trained`, once it was made."""
    return []


@pytest.fixture
def trained(splits: pd.DataFrame, train, known) -> tuple:
    """A brief training on the pictures as they are, which tests only read."""
    if not known:
        known.append(train(paint(splits), splits, BRIEF))
    return known[0]


def test_the_pipeline_makes_classifier_history_and_curves_and_tells_the_outcome(
    splits: pd.DataFrame, tmp_path, caplog
) -> None:
    inputs = {
        "images": paint(splits), "splits": splits, "class_names": CLASSES,
        "params:from_scratch": PARAMETERS, "params:train_sample": SAMPLE,
        "params:forward": AUTO, "forward_exports": None,
    }  # fmt: skip
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {
            "from_scratch.backup": TrainingBackupDataset(filepath=str(tmp_path / "backup")),
            "from_scratch.logs": LogFolderDataset(filepath=str(tmp_path / "logs")),
            "from_scratch.classifier": KerasModelDataset(filepath=str(tmp_path / "c.keras")),
            "from_scratch.history": CSVDataset(
                filepath=str(tmp_path / "history.csv"), save_args={"index": False}
            ),
            "from_scratch.predictions": MemoryDataset(),
            "from_scratch.training_curves": FigureDataset(filepath=str(tmp_path / "curves.png")),
        }
    )
    with caplog.at_level(logging.INFO, "graft"):
        SequentialRunner().run(create_pipeline(), catalog)
    assert catalog.load("from_scratch.training_curves")[:4] == b"\x89PNG"
    found = catalog.load("from_scratch.predictions")
    assert (found["label"] == found["predicted"]).all()
    assert found["split"].value_counts()["train"] == SAMPLE.pictures
    assert "gtsrb_simple (57,922 parameters), 6 epochs; best on dev is epoch" in caplog.text


def test_what_is_not_in_train_or_dev_is_not_looked_at(splits: pd.DataFrame, train, trained) -> None:
    other = paint(splits)
    other[splits["split"] == "test"] = 0
    yours = train(other, splits, BRIEF)
    for a, b in zip(trained[0].get_weights(), yours[0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(trained[1], yours[1])


def test_another_seed_trains_another_network(splits: pd.DataFrame, train, trained) -> None:
    other = train(paint(splits), splits, BRIEF.model_copy(update={"seed": 8}))[0]
    assert (trained[0].get_weights()[0] != other.get_weights()[0]).any()


def test_pictures_of_one_channel_are_trained_and_tested_on_as_they_are(
    splits: pd.DataFrame, train
) -> None:
    images = paint(splits, channels=1)
    classifier, _ = train(images, splits)
    assert classifier.input_shape == (None, 16, 16, 1)
    found = predict_pictures(classifier, images, splits, CLASSES, SAMPLE)
    assert (found["label"] == found["predicted"]).all()


def test_without_a_network_there_is_nothing_to_train(splits: pd.DataFrame, train) -> None:
    parameters = PARAMETERS.model_copy(update={"network": "none"})
    with pytest.raises(GraftError, match=r"name a network, such as .*; got 'none'"):
        train(paint(splits), splits, parameters)


def test_tensorboard_shows_the_mistakes_on_dev(splits: pd.DataFrame, train, tmp_path) -> None:
    parameters = PARAMETERS.model_copy(
        update={"callbacks": ({"class": "tensorboard"},), "epochs": 1, "patience": 1}
    )
    images = paint(splits, channels=1)
    flipped = splits.copy()
    dev = flipped["split"] == "dev"
    flipped.loc[dev, "label_index"] = 1 - flipped.loc[dev, "label_index"]
    train(images, flipped, parameters)
    assert list((tmp_path / "training_0/tensorboard/dev").glob("events*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "resnet"}, "allowed are none, .*mnist_sequential.*; got 'resnet'"),
        ({"loss": "binary_crossentropy"}, "tells two classes apart"),
    ],
)
def test_what_does_not_go_together_is_told(
    splits: pd.DataFrame, train, changes: dict, message: str
) -> None:
    with pytest.raises(GraftError, match=message):
        train(paint(splits), splits, PARAMETERS.model_copy(update=changes), [*CLASSES, "grey"])


def test_a_wrong_parameter_is_told_with_what_is_allowed() -> None:
    with pytest.raises(GraftError, match=r"activation: .*'relu'.*got 'step'"):
        ScratchTrainingParameters.model_validate(PARAMETERS.model_dump() | {"activation": "step"})
