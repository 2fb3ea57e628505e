"""The fine-tuning stage: learns from train, stops by dev, never looks at test."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from graft.compute.streams import RowStream
from graft.datasets import KerasModelDataset, NumpyArrayDataset, TracedArrayDataset
from graft.datasets.features import FeatureBlock, FeatureShardsDataset, FeatureTable
from graft.errors import GraftError
from graft.models.backbones import build_backbone
from graft.models.freezing import divide_tuned
from graft.models.heads import build_head
from graft.parameters.base import TrainSampleParameters
from graft.parameters.compute import HERE
from graft.parameters.fine_tuning import OF_CUSTOM, AugmentationParameters, FineTuningParameters
from graft.parameters.forward import AUTO
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.candidates import draw_training_curves
from graft.pipelines.fine_tuning import create_pipeline
from graft.pipelines.fine_tuning.nodes import (
    draw_augmented_pictures,
    draw_recipe_race,
    fine_tune,
    store_boundary_activations,
)
from graft.training import tuning_recipes
from graft.training.backup import TrainingBackup
from graft.training.boundary import BoundaryPlan, BoundaryRun
from helpers.pictures import UnreadImages, trace_images

CLASSES = ["dark", "light"]
OFF = {"rotation": 0, "zoom": 0, "shift": 0, "shear": 0, "horizontal_flip": False,
       "fill_mode": "nearest", "brightness": 0, "contrast": 0}  # fmt: skip
SETTLED = {"mirroring": {}, "budget": {}}
NO_FOLDS = pd.DataFrame({"runner": pd.Series(dtype="str")})
HEAD = HeadTrainingParameters(
    dropout=0.0, learning_rate=0.01, batch_size=8, epochs=20, patience=20, seed=0
)
PARAMETERS = FineTuningParameters(
    unfreeze="block3",
    activation_cache=True,
    views=1,
    activation_dtype="float16",
    activation_batch_size=4,
    augmentation=AugmentationParameters(**{**OFF, "rotation": 10, "brightness": 0.1}),
    layer_decay=1.0,
    learning_rate=1e-2,
    batch_size=4,
    epochs=3,
    patience=3,
    seed=7,
)


def change(**parameters) -> FineTuningParameters:
    return PARAMETERS.model_copy(update=parameters)


@pytest.fixture
def images(splits: pd.DataFrame) -> np.ndarray:
    random = np.random.default_rng(0).integers(0, 60, (len(splits), 8, 8, 3))
    return (random + 180 * splits["label_index"].to_numpy()[:, None, None, None]).astype(np.uint8)


def make_models() -> tuple[keras.Model, keras.Model]:
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    return backbone, build_head(384, 2, dropout=0.2, weight_decay=0.0, seed=0)


def extract(images, splits, folder: Path) -> FeatureTable:
    """The features of the backbone, as the stage before stores them."""
    vectors = make_models()[0].predict(images, verbose=0)
    keys = pd.DataFrame(
        {"image_id": splits["image_id"], "image_sha256": splits["image_id"], "view": np.int16(0)}
    )
    dataset = FeatureShardsDataset(filepath=str(folder / "features_of_backbone"))
    dataset.save([FeatureBlock(keys, vectors)])
    return dataset.load()


def run(images, splits, parameters, folder: Path) -> tuple[keras.Model, pd.DataFrame, np.ndarray]:
    """Both nodes with a file in between, as in a run."""
    folder.mkdir(exist_ok=True)
    file = NumpyArrayDataset(filepath=str(folder / "activations.npy"))
    file.save(
        store_boundary_activations(
            make_models()[0], images, trace_images(images), splits, None, SETTLED, parameters
        )
    )
    stored = file.load()
    backup = TrainingBackup(folder / "backup")
    classifier, history, *_ = fine_tune(
        *make_models(), stored, images, splits, CLASSES, SETTLED, NO_FOLDS, backup, folder,
        parameters,
    )  # fmt: skip
    return classifier, history, stored


@pytest.fixture
def uneven(splits: pd.DataFrame) -> pd.DataFrame:
    """The splits without the first picture: four light ones to train on, and five dark ones."""
    return splits.iloc[1:].reset_index(drop=True)


@pytest.fixture(scope="module")
def known() -> list:
    """The run of :func:`finished`, once it was made."""
    return []


@pytest.fixture
def finished(images, uneven, known, tmp_path_factory) -> tuple:
    """A run on these pictures, which tests only read: classifier, history and what was stored."""
    if not known:
        known.append(run(images[1:], uneven, PARAMETERS, tmp_path_factory.mktemp("finished")))
    return known[0]


def test_the_pipeline_makes_a_flat_classifier_of_pictures(images, splits, tmp_path) -> None:
    backbone, head = make_models()
    inputs = {
        "backbone": backbone, "head": head, "images": images, "splits": splits,
        "class_names": CLASSES, "params:fine_tuning": PARAMETERS,
        "features": extract(images, splits, tmp_path), "params:head_training": HEAD,
        "fine_tuned.backup": TrainingBackup(tmp_path / "backup"), "fine_tuned.logs": tmp_path,
        "previous_boundary_activations": None, "previous_measured_activations": None,
        "image_origins": trace_images(images),
        "params:train_sample": TrainSampleParameters(pictures=3, seed=0),
        "params:forward": AUTO, "forward_exports": None, "params:compute": HERE,
        "boundary_shards": None, "measured_shards": None,
    }  # fmt: skip
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {
            "boundary_activations": NumpyArrayDataset(filepath=str(tmp_path / "activations.npy")),
            "measured_activations": NumpyArrayDataset(filepath=str(tmp_path / "measured.npy")),
            "fine_tuned.classifier": KerasModelDataset(filepath=str(tmp_path / "tuned.keras")),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    classifier = catalog.load("fine_tuned.classifier")
    assert classifier.input_shape == (None, 8, 8, 3)
    assert classifier.inputs[0].dtype == "uint8"
    assert not [layer for layer in classifier.layers if isinstance(layer, keras.Model)]
    assert not [layer for layer in classifier.layers if "ugment" in type(layer).__name__]
    probabilities = classifier.predict(images, verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (probabilities.argmax(axis=1) == splits["label_index"]).mean() == 1


# As the real ones, but that the one that is trained here takes a few steps.
SHORT = tuple(
    replace(recipe, epochs=10, steps=50) if recipe.name == "last_block" else recipe
    for recipe in tuning_recipes.RECIPES
)
RACING = FineTuningParameters.model_validate(
    {name: value for name, value in PARAMETERS.model_dump().items() if name not in OF_CUSTOM}
    | {"recipe": "auto"}
)


def race(images, splits, parameters, folder: Path, folds=NO_FOLDS) -> tuple:
    """Both nodes with a file in between, as in a run; the outputs of the second, and the file."""
    folder.mkdir(exist_ok=True)
    file = NumpyArrayDataset(filepath=str(folder / "activations.npy"))
    origins = trace_images(images)
    stored = store_boundary_activations(
        make_models()[0], images, origins, splits, None, SETTLED, parameters
    )
    file.save(stored)
    backup = TrainingBackup(folder / "backup")
    stored = file.load()
    outputs = fine_tune(
        *make_models(), stored, images, splits, CLASSES, SETTLED, folds, backup, folder, parameters
    )
    return *outputs, stored


def test_recipes_race_and_the_cut_is_that_of_the_winner(
    images, splits, tmp_path, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(tuning_recipes, "RECIPES", SHORT)
    with caplog.at_level(logging.INFO):
        classifier, history, recipe, table, curves, stored = race(images, splits, RACING, tmp_path)
    # What the frozen blocks give is stored once, of the pictures themselves.
    assert stored.shape == (10 + 4, 2, 2, 96)
    assert recipe["recipe"] == "last_block"
    assert recipe["chosen_among"] == 2
    assert recipe["unfreeze"] == 1
    trunk, _ = divide_tuned(classifier)
    np.testing.assert_allclose(
        trunk.predict(images[:10], verbose=0), stored[:10].astype(np.float32), rtol=1e-2, atol=1e-2
    )
    assert table["runner"].tolist() == ["head", "last_block"]
    assert table["kept"].tolist() == [False, True]
    # Ten pictures stand twice in an epoch: 5 steps of four.
    assert table["steps"].tolist() == [0, 10 * 5]
    assert len(history) == 10
    assert history["kept"].sum() == 1
    assert len(curves) == 1 + 10
    told = " ".join(" ".join(record.getMessage().split()) for record in caplog.records)
    assert "head, last_block first" in told
    assert "last_block: dev accuracy 1.000, best of 2 by dev, so optimistic" in told
    assert "--params fine_tuning.recipe=last_block" in told
    assert max(len(record.getMessage()) for record in caplog.records) <= 80
    draw_recipe_race(curves, recipe)
    draw_training_curves(history, title="Fine-tuned")


@pytest.mark.slow
def test_a_recipe_that_is_named_does_what_it_did_in_the_race(images, splits, tmp_path) -> None:
    first, history, *_ = race(images, splits, RACING, tmp_path / "race")
    named = RACING.model_copy(update={"recipe": "last_block"})
    alone, again, recipe, *_ = race(images, splits, named, tmp_path / "alone")
    pd.testing.assert_frame_equal(history, again)
    assert recipe["chosen_among"] == 1
    for mine, yours in zip(first.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_the_head_alone_leaves_everything_as_it_is(images, splits, tmp_path) -> None:
    named = RACING.model_copy(update={"recipe": "head"})
    classifier, history, recipe, *_, stored = race(images, splits, named, tmp_path)
    assert len(stored) == len(history) == 0
    assert recipe["unfreeze"] == "none"
    for mine, yours in zip(classifier.get_weights(), make_models()[0].get_weights(), strict=False):
        np.testing.assert_array_equal(mine, yours)


def test_what_is_stored_are_pictures_and_views_of_train_then_dev(finished) -> None:
    _, history, stored = finished
    assert stored.shape == (9 * 2 + 4, 2, 2, 96)
    assert stored.dtype == np.float16
    assert isinstance(stored, np.memmap)
    assert history["dev_accuracy"].max() == 1


def test_the_activations_come_as_a_stream(images, splits) -> None:
    made = store_boundary_activations(
        make_models()[0], images, trace_images(images), splits, None, SETTLED, PARAMETERS
    )
    assert isinstance(made, RowStream)


class Boundary:
    """The file of activations from run to run, and how many were computed in the last one."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file, self.computed = file, 0
        self.backbone, _ = make_models()
        compute = BoundaryRun.compute

        def count(run: BoundaryRun, plan: BoundaryPlan, rows: np.ndarray):
            self.computed += len(rows)
            return compute(run, plan, rows)

        monkeypatch.setattr(BoundaryRun, "compute", count)

    def store(self, images, splits, parameters=PARAMETERS) -> bytes:
        """What a run leaves in the file, with or without one of a run before it."""
        entry, self.computed = TracedArrayDataset(filepath=str(self.file)), 0
        previous = entry.load() if self.file.exists() else None
        made = store_boundary_activations(
            self.backbone, images, trace_images(images), splits, previous, SETTLED, parameters
        )
        draft = TracedArrayDataset(filepath=str(self.file.with_name("draft.npy")))
        draft.save(made)
        return self.file.with_name("draft.npy").replace(self.file).read_bytes()


@pytest.fixture
def boundary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Boundary:
    return Boundary(tmp_path / "activations.npy", monkeypatch)


def test_only_new_pictures_pass_the_frozen_blocks(images, splits, boundary) -> None:
    # Batches of the second run hold other pictures together than those of the first.
    few = (splits["image_id"] != "03.png") & (splits["image_id"] != "11.png")
    boundary.store(images[few], splits[few].reset_index(drop=True))
    grown = boundary.store(images, splits)
    expected = sum({"train": 2, "dev": 1}.get(split, 0) for split in splits.loc[~few, "split"])
    assert boundary.computed == expected > 0
    boundary.file.unlink()
    assert boundary.store(images, splits) == grown
    assert boundary.computed == 10 * 2 + 4


def test_names_order_and_removal_cost_no_pass(images, splits, boundary) -> None:
    boundary.store(images, splits)
    order = np.random.default_rng(0).permutation(len(splits))[2:]
    shuffled = splits.iloc[order].reset_index(drop=True)
    shuffled["image_id"] = [f"{number}.jpg" for number in range(len(shuffled))]
    made = boundary.store(images[order], shuffled)
    assert boundary.computed == 0
    boundary.file.unlink()
    assert boundary.store(images[order], shuffled) == made


def test_what_decides_an_activation_makes_it_anew(images, splits, boundary) -> None:
    before = boundary.store(images, splits)
    whole = boundary.computed
    for changes, computed in [
        ({"seed": 8}, 10),
        ({"augmentation": AugmentationParameters(**{**OFF, "rotation": 11})}, 10),
        ({"views": 2}, 10),
        ({"views": 0}, 0),
        ({"learning_rate": 1e-3}, 0),
        ({"activation_dtype": "float32"}, whole),
        ({"activation_batch_size": 5}, whole),
        ({"unfreeze": "block2"}, whole),
    ]:
        boundary.file.write_bytes(before)
        made = boundary.store(images, splits, change(**changes))
        assert boundary.computed == computed, changes
        # What was taken over is what would have been computed.
        if 0 < computed < whole or "views" in changes:
            boundary.file.unlink()
            assert boundary.store(images, splits, change(**changes)) == made, changes
        elif computed == 0:
            assert made == before, changes


def test_pictures_and_labels_of_test_make_no_difference(images, uneven, finished, tmp_path) -> None:
    honest, _, _ = finished
    other, lies = images[1:].copy(), uneven.copy()
    other[uneven["split"] == "test"] = 255
    lies.loc[lies["split"] == "test", "label_index"] = 0
    misled, _, _ = run(other, lies, PARAMETERS, tmp_path)
    for mine, yours in zip(honest.get_weights(), misled.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)


@pytest.mark.parametrize("changes", [{"activation_cache": False}, {"unfreeze": "all"}])
def test_without_stored_activations_it_trains_on_fresh_pictures(
    changes, images, splits, tmp_path, caplog
) -> None:
    with caplog.at_level(logging.INFO):
        classifier, history, stored = run(images, splits, change(**changes), tmp_path)
    assert "the whole network runs in every epoch, on fresh views" in caplog.text
    assert len(stored) == 0
    assert len(history) == 3
    assert history["dev_accuracy"].max() == 1
    frozen = make_models()[0].get_weights()
    moved = not all(map(np.array_equal, classifier.get_weights()[:1], frozen[:1]))
    assert moved == ("unfreeze" in changes)


def test_nothing_unfrozen_is_no_fine_tuning(images, splits, tmp_path) -> None:
    with pytest.raises(GraftError, match="name at least one block to fine-tune it; got 'none'"):
        run(images, splits, change(unfreeze="none"), tmp_path)


def test_it_tells_what_it_will_do_before_the_work(images, splits, caplog) -> None:
    parameters = change(activation_batch_size=2)
    with caplog.at_level(logging.INFO):
        store_boundary_activations(
            make_models()[0], images, trace_images(images), splits, None, SETTLED, parameters
        )
    lines = [record.getMessage() for record in caplog.records]
    assert "Fine-tuning  block3, 83,328 of 181,920 parameters, 13 %" in lines[0]
    assert lines[1] == "Activations  10 pictures × (1 + 1 views) and 4 of dev, 2×2×96 float16 each"
    assert lines[2].startswith("             18 kB on disk, about ")
    assert max(map(len, lines)) <= 80


def test_activations_of_other_parameters_are_refused(images, uneven, finished, tmp_path) -> None:
    _, _, stored = finished
    with pytest.raises(GraftError, match=r"run --pipelines=fine_tuning as a whole; .* got \(22,"):
        fine_tune(
            *make_models(), stored, images[1:], uneven, CLASSES, SETTLED, NO_FOLDS,
            TrainingBackup(tmp_path / "other"), tmp_path, change(views=2),
        )  # fmt: skip


def test_a_class_may_weigh_more(images, uneven, finished, tmp_path) -> None:
    plain, _, _ = finished
    weighed, _, _ = run(images[1:], uneven, change(class_weights="balanced"), tmp_path)
    assert not np.array_equal(plain.get_weights()[-1], weighed.get_weights()[-1])


def test_the_contact_sheet_shows_pictures_beside_their_views(images, splits) -> None:
    figure = draw_augmented_pictures(images, splits, SETTLED, PARAMETERS)
    titles = [axes.get_title() for axes in figure.axes]
    assert len(figure.axes) == 6 * 6
    assert titles[:2] == ["00.png", "view 1"]
    plain = draw_augmented_pictures(
        images, splits, SETTLED, change(augmentation=AugmentationParameters(**OFF))
    )
    assert len(plain.axes) == 6
    assert "augmentation is off" in plain.get_suptitle()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"views": -1}, "views: Input should be greater than or equal to 0; got -1"),
        ({"unfreeze": 0}, "number of blocks from 1, 'all' and 'none'; got 0"),
        ({"unfreeze": True}, "'all' and 'none'; got True"),
        ({"unfreeze": None}, "'all' and 'none'; got None"),
        ({"layer_decay": 0}, "layer_decay: Input should be greater than 0"),
        ({"activation_dtype": "int8"}, "'float16' or 'float32'; got 'int8'"),
        ({"augmentation": {**OFF, "zoom": 1}}, "zoom: Input should be less than 1; got 1"),
        ({"augmentation": {**OFF, "flip": True}}, "flip"),
        ({"patience": 0}, "patience: Input should be greater than 0; got 0"),
    ],
)
def test_wrong_parameters_are_told_in_one_line(wrong, message) -> None:
    with pytest.raises(GraftError) as error:
        FineTuningParameters.model_validate({**PARAMETERS.model_dump(), **wrong})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_known_pixels_are_neither_read_nor_hashed(images, splits, tmp_path, monkeypatch) -> None:
    boundary = Boundary(tmp_path / "boundary.npy", monkeypatch)
    boundary.store(images, splits)
    previous = TracedArrayDataset(filepath=str(boundary.file)).load()
    unread, origins = UnreadImages(images), trace_images(images)
    made = store_boundary_activations(
        make_models()[0], unread, origins, splits, previous, SETTLED, PARAMETERS
    )
    assert len(list(made.rows)) == made.shape[0] > 0
