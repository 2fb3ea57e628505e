"""Pretraining: letters in held-out fonts measure, the others train, and a seed settles it all."""

import logging
import re
import subprocess
import sys

import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from graft.models.backbones import build_small_cnn
from graft.models.pretrained import assign_weights
from graft.pipelines.pretraining.letters import FONTS, LETTERS
from graft.pipelines.pretraining.nodes import pretrain_backbone, render_printed_letters
from graft.pipelines.pretraining.parameters import PretrainingParameters
from graft.pipelines.pretraining.pipeline import create_pipeline
from helpers.told import join_lines

SETTINGS = {
    "seed": 0,
    "count_per_letter": 2,
    "dev_fonts": ["cmtt10", "DejaVuSans"],
    "epochs": 2,
    "batch_size": 32,
    "learning_rate": 0.002,
    "warmup_share": 0.1,
    "weight_decay": 0.0001,
    "dropout": 0.3,
    "label_smoothing": 0.1,
}


@pytest.fixture(scope="module")
def parameters():
    return PretrainingParameters(**SETTINGS)


@pytest.fixture(scope="module")
def letters(parameters):
    return render_printed_letters(parameters)


@pytest.fixture(scope="module")
def pretrained(parameters):
    """Weights, history and what was told, of one run of the pipeline."""
    catalog = DataCatalog({"params:pretraining": MemoryDataset(parameters)})
    messages = []
    listener = logging.Handler()
    listener.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("graft")
    level = logger.level
    logger.setLevel("INFO")
    logger.addHandler(listener)
    try:
        outputs = SequentialRunner().run(create_pipeline(), catalog)
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
    assert set(outputs) == {"pretrained_weights", "pretraining_history"}
    made = {name: dataset.load() for name, dataset in outputs.items()}
    return made["pretrained_weights"], made["pretraining_history"], messages


def test_letters_are_grey_pictures_of_three_channels(letters):
    images, labels = letters
    assert images.shape == (len(labels), 8, 8, 3) == (2 * len(LETTERS), 8, 8, 3)
    assert images.dtype == np.uint8
    assert (images == images[..., :1]).all()


def test_every_letter_has_its_label_and_its_place_in_the_list(letters):
    _, labels = letters
    assert [LETTERS[index] for index in labels["label_index"]] == labels["label"].tolist()
    assert labels["label"].value_counts().eq(2).all()


def test_the_dev_split_is_the_held_out_fonts(letters):
    _, labels = letters
    assert set(labels["split"]) == {"train", "dev"}
    is_held_out = labels["font"].isin(SETTINGS["dev_fonts"])
    assert (labels["split"].eq("dev") == is_held_out).all()


def test_the_pipeline_gives_weights_for_the_small_cnn_and_a_row_an_epoch(pretrained):
    weights, history, _ = pretrained
    assign_weights(build_small_cnn(8, seed=1), weights)
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}
    assert history["epoch"].tolist() == [1, 2]
    assert set(history) == {"epoch", "loss", "accuracy", "dev_loss", "dev_accuracy"}
    assert history["loss"].iloc[1] < history["loss"].iloc[0]


def test_the_log_says_what_was_drawn_and_how_well_it_is_told_apart(pretrained):
    drawn, told = join_lines(pretrained[2])
    assert drawn.startswith("Letters      322 pictures of 161 letters (6 alphabets, ")
    assert re.fullmatch(r"Pretrained   2 epochs; \d+\.\d % right .* \(cmtt10, DejaVuSans\)", told)


@pytest.mark.slow
def test_two_runs_give_the_same_bits(letters, parameters, pretrained):
    first, first_history, _ = pretrained
    again, again_history = pretrain_backbone(*letters, parameters)
    assert first_history.equals(again_history)
    for path, array in first.items():
        np.testing.assert_array_equal(array, again[path])


def test_the_pipeline_module_is_imported_without_tensorflow():
    code = (
        "import sys, graft.pipelines.pretraining.pipeline;"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"dropout": 1.0},
        {"learning_rte": 0.1},
        {"dev_fonts": []},
        {"dev_fonts": ["Arial"]},
        {"dev_fonts": list(FONTS)},
    ],
)
def test_impossible_parameters_are_refused(change):
    with pytest.raises(ValidationError):
        PretrainingParameters(**SETTINGS | change)
