"""The cross-validation: honest folds, the project's own trainings, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from graft.analysis.metrics import METRICS
from graft.datasets import NumpyArrayDataset, TracedArrayDataset
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.models.backbones import build_backbone
from graft.parameters.fine_tuning import (
    OF_CUSTOM,
    AugmentationParameters,
    FineTuningParameters,
    find_settings,
)
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.cross_validation import nodes as reporting
from graft.pipelines.cross_validation import trainings as fold_inputs
from graft.pipelines.cross_validation.nodes import cross_validate, store_fold_activations
from graft.pipelines.cross_validation.parameters import CrossValidationParameters
from graft.pipelines.cross_validation.trainings import find_used, make_folds
from graft.pipelines.fine_tuning.nodes import store_boundary_activations
from graft.training import heads_on_features as head_preparation
from graft.training.boundary import BoundaryRun
from helpers.pictures import trace_images

CLASSES = ["dark", "light"]
PARAMETERS = CrossValidationParameters(folds=3, fine_tuning=False, confidence=0.95, seed=0)
HEAD = HeadTrainingParameters(
    dropout=0.0, learning_rate=0.1, batch_size=8, epochs=3, patience=3, seed=0
)
BRIEF = HEAD.model_copy(update={"epochs": 1, "patience": 1})
OFF = {"rotation": 0, "zoom": 0, "shift": 0, "shear": 0, "horizontal_flip": False,
       "fill_mode": "nearest", "brightness": 0.05, "contrast": 0}  # fmt: skip
TUNING = FineTuningParameters(
    unfreeze="block3",
    activation_cache=True,
    views=1,
    activation_dtype="float32",
    activation_batch_size=4,
    augmentation=AugmentationParameters(**OFF),
    layer_decay=1.0,
    learning_rate=1e-3,
    batch_size=8,
    epochs=2,
    patience=2,
    seed=7,
)


# What the fine-tuning stage says of a recipe that won.
WON = {"recipe": "last_block", "parameters": TUNING.model_dump(mode="json")}


@pytest.fixture
def with_folds(splits: pd.DataFrame) -> pd.DataFrame:
    """The splits of eighteen pictures, of which four are of test."""
    return splits.assign(fold=np.where(splits["split"] == "test", -1, 0))


@pytest.fixture
def images(splits: pd.DataFrame) -> np.ndarray:
    random = np.random.default_rng(0).integers(0, 60, (len(splits), 8, 8, 3))
    return (random + 180 * splits["label_index"].to_numpy()[:, None, None, None]).astype(np.uint8)


def run(features, images, splits, tuning=TUNING, head=HEAD, folder: Path | None = None, **changes):
    parameters = PARAMETERS.model_copy(update=changes)
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    stored = store_fold_activations(
        backbone, images, trace_images(images), splits, CLASSES, None, WON, tuning, parameters
    )
    if folder is not None:
        file = NumpyArrayDataset(filepath=str(folder / "activations.npy"))
        file.save(stored)
        stored = file.load()
    return cross_validate(
        features, backbone, stored, images, splits, CLASSES, WON, head, tuning, parameters
    )


def test_every_fold_is_measured_by_every_metric_and_test_is_never_looked_at(
    features: FeatureTable, images, with_folds, monkeypatch
) -> None:
    sides = []
    prepare = head_preparation.prepare_features

    def note(features, splits, *rest):
        sides.append(splits["split"].tolist())
        return prepare(features, splits, *rest)

    monkeypatch.setattr(head_preparation, "prepare_features", note)
    scores = run(features, images, with_folds, head=BRIEF)
    assert scores["model"].tolist() == ["frozen"] * 3
    assert scores["measured"].sum() == 14
    assert (scores[["train", "stop", "measured"]].sum(axis=1) == 14).all()
    assert set(METRICS) <= set(scores.columns)
    # A picture of test is neither trained on nor stopped by; any other, but in the one fold
    # that it measures.
    unused = np.array(sides) == "unused"
    assert unused.sum(axis=0).tolist() == [1] * 14 + [3] * 4

    is_test = with_folds["split"] == "test"
    labels = with_folds["label_index"].where(~is_test, 1 - with_folds["label_index"])
    lies = with_folds.assign(label_index=labels)
    folds, others = (list(make_folds(one, CLASSES, PARAMETERS)) for one in (with_folds, lies))
    for fold, other in zip(folds, others, strict=True):
        for part in ("train", "stop", "measure"):
            np.testing.assert_array_equal(getattr(fold, part), getattr(other, part))
    # What is made of a fold is seen in any of them.
    monkeypatch.setattr(reporting, "make_folds", lambda *given: [*make_folds(*given)][:1])
    again = run(features, images, lies, head=BRIEF)
    pd.testing.assert_frame_equal(again, scores[:1])


@pytest.mark.slow
def test_fine_tuned_folds_stand_beside_frozen_ones_and_come_out_the_same_twice(
    features384, images, with_folds, tmp_path
) -> None:
    weak = BRIEF.model_copy(update={"learning_rate": 1e-3})
    options = {"head": weak, "folder": tmp_path, "fine_tuning": True}
    first = run(features384, images, with_folds, **options)
    assert first["model"].tolist() == ["frozen", "fine_tuned"] * 3
    frozen, tuned = (first[first["model"] == name] for name in ("frozen", "fine_tuned"))
    assert (tuned["log_loss"].to_numpy() < frozen["log_loss"].to_numpy()).all()
    second = run(features384, images, with_folds, **options)
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("policy", [pytest.param("balanced", marks=pytest.mark.slow), "sqrt"])
def test_a_fold_whose_training_lacks_a_class_is_measured_with_class_weights_too(
    policy, features384, images, with_folds, tmp_path, monkeypatch
) -> None:
    # All of the class "dark" is in the first two of three folds: where these stop and measure,
    # it is not trained on. No other training is asked for.
    outside = with_folds["split"] != "test"
    fold = np.where(with_folds["label"] == "dark", np.arange(18) // 2 % 2, np.arange(18) // 2 % 3)
    lacking = with_folds.assign(fold=np.where(outside, fold, -1))

    def make_lacking(*given) -> list:
        folds = [*make_folds(*given)]
        return [fold for fold in folds if set(lacking["label"].iloc[fold.train]) == {"light"}]

    monkeypatch.setattr(reporting, "make_folds", make_lacking)
    scores = run(
        features384, images, lacking, folder=tmp_path, folds=None, fine_tuning=True,
        head=BRIEF.model_copy(update={"class_weights": policy}),
        tuning=TUNING.model_copy(update={"class_weights": policy, "epochs": 1, "patience": 1}),
    )  # fmt: skip
    assert scores["model"].tolist() == ["frozen", "fine_tuned"]
    assert np.isfinite(scores[["accuracy", "log_loss"]]).all(axis=None)


def test_a_fold_leaves_the_backbone_to_the_next_as_it_was(
    features384, images, with_folds, monkeypatch
) -> None:
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    before = [np.array(weight) for weight in backbone.weights]
    cached = TUNING.model_copy(update={"activation_cache": False, "epochs": 1, "patience": 1})
    parameters = PARAMETERS.model_copy(update={"fine_tuning": True})
    nothing = store_fold_activations(
        backbone, images, trace_images(images), with_folds, CLASSES, None, WON, cached, parameters
    )
    assert len(nothing) == 0
    monkeypatch.setattr(reporting, "make_folds", lambda *given: [*make_folds(*given)][:1])
    scores = cross_validate(
        features384, backbone, nothing, images, with_folds, CLASSES, WON, BRIEF, cached, parameters
    )
    assert scores["model"].tolist() == ["frozen", "fine_tuned"]
    for old, new in zip(before, backbone.weights, strict=True):
        np.testing.assert_array_equal(old, np.array(new))


@pytest.fixture
def features384(images, with_folds, tmp_path) -> FeatureTable:
    """Features of the small backbone, as the fine-tuning starts from."""
    from graft.datasets.features import FeatureBlock, FeatureShardsDataset

    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    keys = pd.DataFrame(
        {
            "image_id": with_folds["image_id"],
            "image_sha256": with_folds["sha256"],
            "view": np.int16(0),
        }
    )
    dataset = FeatureShardsDataset(filepath=str(tmp_path / "features384"))
    dataset.save([FeatureBlock(keys, backbone.predict(images, verbose=0))])
    return dataset.load()


def test_stored_views_of_a_fold_are_those_of_its_pictures(with_folds) -> None:
    used = find_used(with_folds)
    step = 1 + TUNING.views
    stored = np.arange(len(used) * step, dtype=np.float32)[:, None]
    inputs = fold_inputs.FoldInputs(stored, np.zeros(0), with_folds, used, TUNING)
    rows = np.array([3, 9, 12])
    assert inputs.read_plain(rows).ravel().tolist() == [6, 18, 24]
    plain = np.concatenate([pool[0] for pool in inputs.make_stop(rows).draw()])
    assert plain.ravel().tolist() == [6, 18, 24]
    drawn = {
        value
        for seed in range(20)
        for pool in inputs.make_train(rows, 2).draw(np.random.default_rng(seed))
        for value in pool[0].ravel().tolist()
    }
    assert drawn == {6, 7, 18, 19, 24, 25}


def test_what_the_fine_tuning_stage_has_stored_is_taken_over(
    images, with_folds, tmp_path, monkeypatch
) -> None:
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    path = str(tmp_path / "boundary_activations.npy")
    NumpyArrayDataset(filepath=path).save(
        store_boundary_activations(
            backbone, images, trace_images(images), with_folds, None, {"budget": {}}, TUNING
        )
    )
    previous = TracedArrayDataset(filepath=path).load()
    computed = []
    compute = BoundaryRun._compute

    def note(run, pictures, numbers):
        computed.extend(zip(pictures.tolist(), numbers.tolist(), strict=True))
        return compute(run, pictures, numbers)

    monkeypatch.setattr(BoundaryRun, "_compute", note)
    parameters = PARAMETERS.model_copy(update={"fine_tuning": True})
    arguments = (backbone, images, trace_images(images), with_folds, CLASSES)
    some = store_fold_activations(*arguments, previous, WON, TUNING, parameters)
    taken_over = dict(some.rows)
    assert computed == [(row, 1) for row in range(10, 14)]  # the views of dev
    anew = store_fold_activations(*arguments, None, WON, TUNING, parameters)
    for number, row in anew.rows:
        np.testing.assert_array_equal(taken_over[number], row)


def test_fine_tuning_without_a_block_to_train_is_refused(features, images, with_folds) -> None:
    nothing = TUNING.model_copy(update={"unfreeze": "none"})
    with pytest.raises(GraftError, match=r"needs blocks to train.*got fine_tuning.unfreeze 'none'"):
        run(features, images, with_folds, nothing, fine_tuning=True)


def make_scores(models=("frozen",), folds: int = 4) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"model": model, "fold": fold, "train": 20, "stop": 10, "measured": 10}
            | {name: random.uniform(0.5, 1) for name in METRICS}
            for model in models
            for fold in range(folds)
        ]
    )


def test_mean_spread_and_interval_are_those_of_scipy() -> None:
    scores = make_scores()
    found = reporting.summarise_cross_validation(scores, PARAMETERS)
    for name in METRICS:
        values = scores[name].to_numpy()
        figure = found["models"]["frozen"][name]
        assert figure["folds"] == values.tolist()
        assert figure["mean"] == pytest.approx(values.mean(), abs=1e-12)
        assert figure["std"] == pytest.approx(np.std(values, ddof=1), abs=1e-12)
        most = np.inf if name == "log_loss" else 1  # no share is above 1
        expected = np.clip(stats.t.interval(0.95, 3, values.mean(), stats.sem(values)), 0, most)
        assert (figure["low"], figure["high"]) == pytest.approx(tuple(expected), abs=1e-9)
    assert found["difference"] == {}


def test_the_difference_is_taken_within_each_fold() -> None:
    scores = make_scores(("frozen", "fine_tuned"))
    found = reporting.summarise_cross_validation(scores, PARAMETERS)
    frozen, tuned = (scores[scores["model"] == name]["accuracy"] for name in found["models"])
    assert found["difference"]["accuracy"]["folds"] == pytest.approx(
        (tuned.to_numpy() - frozen.to_numpy()).tolist()
    )


@pytest.mark.parametrize("models", [("frozen",), ("frozen", "fine_tuned")])
def test_the_table_fits_a_terminal_and_the_page_needs_nothing_else(models) -> None:
    scores = make_scores(models, folds=10)
    found = reporting.summarise_cross_validation(scores, PARAMETERS)
    lines = reporting.format_cross_validation(found)
    assert max(map(len, lines)) <= 80
    assert lines[1] == "10 folds of 100 pictures, test left out"
    page = reporting.write_cross_validation_page(found, b"\x89PNG")
    assert '<h2 id="cross_validation">' in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert ("Difference" in page) == (len(models) == 2)


def test_perfect_folds_are_survived() -> None:
    scores = make_scores().assign(**dict.fromkeys(METRICS, 1.0))
    found = reporting.summarise_cross_validation(scores, PARAMETERS)
    figure = found["models"]["frozen"]["accuracy"]
    assert (figure["low"], figure["high"], figure["std"]) == (1, 1, 0)


def test_every_metric_has_a_panel_with_a_title_and_axes() -> None:
    figure = reporting.draw_cross_validation_folds(make_scores(("frozen", "fine_tuned")))
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == len(METRICS)
    assert figure.get_suptitle()
    for axes in panels:
        assert axes.get_title()
        assert axes.get_xlabel()
        assert axes.get_ylabel()


def test_folds_are_tuned_by_the_recipe_that_won_unless_told_otherwise() -> None:
    racing = FineTuningParameters.model_validate(
        {name: value for name, value in TUNING.model_dump().items() if name not in OF_CUSTOM}
        | {"recipe": "auto"}
    )
    assert find_settings(racing, WON) == TUNING
    told = TUNING.model_copy(update={"unfreeze": 2})
    assert find_settings(told, WON) == told
    # Whether pictures are mirrored is not asked again.
    flip = {**OFF, "horizontal_flip": "auto"}
    asked = told.model_copy(update={"augmentation": AugmentationParameters(**flip)})
    assert find_settings(asked, WON).augmentation.horizontal_flip is False
