"""The section on wrong pictures: which, what was looked at, what they are like."""

from __future__ import annotations

import json
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.pipelines.explanation import create_pipeline
from graft.pipelines.explanation.nodes import (
    draw_heat_maps,
    explain_pictures,
    select_pictures,
)
from graft.pipelines.explanation.parameters import ExplanationParameters
from graft.reporting.error_figures import draw_explained, embed_pictures
from graft.reporting.report import render_page
from helpers.classifiers import build_undecided

CLASSES = ["dark", "light"]
PARAMETERS = ExplanationParameters(
    gallery_size=2, close_hits=2, pairs=3, pair_examples=3, neighbours=2
)
SECTION = "explanation"


def make_predictions(splits: pd.DataFrame, sure: list[float], model: str = "frozen"):
    """Predictions of dev and test with this probability of "light" on the pictures of test."""
    table = splits.loc[splits["split"].isin(["dev", "test"]), ["image_id", "split", "label"]]
    table = table.reset_index(drop=True).assign(model=model)
    light = np.full(len(table), 0.5, np.float32)
    light[table["split"] == "test"] = sure
    table["predicted"] = np.where(light > 0.5, "light", "dark")
    return table.assign(probability_dark=1 - light, probability_light=light)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (18, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def classifier() -> keras.Model:
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3, name="convolution")(keras.layers.Rescaling(1 / 255)(pixels))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(x))


def explain(splits, features, images, classifier, sure, model="frozen"):
    """All that the stage makes of these predictions, without Kedro."""
    predictions = make_predictions(splits, sure, model)
    selection = select_pictures(predictions, splits, CLASSES, PARAMETERS)
    heat, layer = draw_heat_maps(selection, images, CLASSES, classifier)
    return explain_pictures(selection, layer, features, splits, PARAMETERS), heat


def render(explanations, heat, images) -> str:
    sections = {SECTION: embed_pictures(explanations, heat, images)}
    return render_page("explanation.html", content=SimpleNamespace(sections=sections, figures={}))


# Test holds light, dark, light, dark.
SURE = [0.9, 0.8, 0.3, 0.2]


def test_mistakes_hits_and_pairs_are_chosen_from_test_alone(splits) -> None:
    found = select_pictures(make_predictions(splits, SURE), splits, CLASSES, PARAMETERS)
    test = splits[splits["split"] == "test"]["image_id"].tolist()
    assert {picture["image_id"] for picture in found["pictures"]} == set(test)
    assert [found["pictures"][n]["image_id"] for n in found["mistakes"]] == [test[1], test[2]]
    assert [found["pictures"][n]["image_id"] for n in found["hits"]] == [test[3], test[0]]
    assert (found["wrong"], found["test_pictures"], found["model"]) == (2, 4, "frozen")
    (pair,) = found["pairs"]
    assert (pair["first"], pair["second"], pair["count"]) == ("dark", "light", 2)
    assert sorted(pair["examples"]) == sorted(found["mistakes"])
    for picture in found["pictures"]:
        assert splits["image_id"].iloc[picture["row"]] == picture["image_id"]


def test_the_selection_can_be_written_as_json(splits) -> None:
    found = select_pictures(make_predictions(splits, SURE), splits, CLASSES, PARAMETERS)
    assert json.loads(json.dumps(found)) == found


def test_nearest_pictures_are_of_train_and_have_their_labels(
    splits, features, images, classifier
) -> None:
    found, _ = explain(splits, features, images, classifier, SURE)
    vectors = np.concatenate([block for _, block in features.read_blocks()]).astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for picture in found["pictures"]:
        similarity = vectors[:10] @ vectors[picture["row"]]  # the first ten are train
        expected = np.argsort(-similarity)[:2]
        assert [near["row"] for near in picture["nearest"]] == expected.tolist()
        for near in picture["nearest"]:
            assert near["label"] == splits["label"].iloc[near["row"]]
            assert near["similarity"] == pytest.approx(similarity[near["row"]], abs=1e-4)
    # The classes lie apart in the features: what is like a mistake has the right label.
    assert found["agreeing"] == {"predicted": 0, "label": 2, "other": 0}


def test_features_of_augmented_views_are_no_neighbours(splits, features, tmp_path) -> None:
    from graft.datasets.features import FeatureBlock, FeatureShardsDataset

    vectors = features.read_block(0)
    views = features.keys.assign(view=np.int16(1))
    dataset = FeatureShardsDataset(filepath=str(tmp_path / "views"))
    dataset.save([FeatureBlock(views, -vectors), FeatureBlock(features.keys, vectors)])
    selection = select_pictures(make_predictions(splits, SURE), splits, CLASSES, PARAMETERS)
    layer = {"layer": None, "height": None, "width": None}
    plain = explain_pictures(selection, layer, features, splits, PARAMETERS)
    assert explain_pictures(selection, layer, dataset.load(), splits, PARAMETERS) == plain


@pytest.mark.parametrize("model", ["frozen", "fine_tuned", "from_scratch"])
def test_the_heat_is_of_the_model_that_was_chosen(
    splits, features, images, classifier, model
) -> None:
    found, heat = explain(splits, features, images, classifier, SURE, model)
    assert found["heat_map"] == {"layer": "convolution", "height": 6, "width": 6}
    assert heat.shape == (4, 6, 6)
    assert heat.dtype == np.uint8
    assert heat.max() == 255


def test_grey_pictures_are_shown_to_a_classifier_of_colours(splits, features, classifier) -> None:
    grey = np.random.default_rng(1).integers(0, 256, (18, 8, 8, 1), dtype=np.uint8)
    found, heat = explain(splits, features, grey, classifier, SURE)
    _, same_heat = explain(splits, features, np.repeat(grey, 3, 3), classifier, SURE)
    np.testing.assert_array_equal(heat, same_heat)
    assert "data:image/" in render(found, heat, grey)


def test_a_model_without_a_feature_map_is_said_to_have_none(splits, features, images) -> None:
    found, heat = explain(splits, features, images, build_undecided((8, 8, 3), 2), SURE)
    assert heat.shape == (4, 0, 0)
    page = render(found, heat, images)
    assert "There are no heat maps" in page
    assert "Heat over" not in page


@pytest.mark.parametrize(
    ("sure", "says"),
    [
        ([0.9, 0.1, 0.8, 0.2], "None of the 4 pictures of test is wrong"),
        ([0.1, 0.9, 0.2, 0.8], "4 of 4 pictures of test are wrong"),
        ([0.9, 0.1, 0.8, 0.9], "1 of 4 pictures of test is wrong"),
    ],
    ids=["perfect", "all wrong", "one mistake"],
)
def test_the_section_says_how_many_are_wrong(
    splits, features, images, classifier, sure, says
) -> None:
    found, heat = explain(splits, features, images, classifier, sure)
    page = render(found, heat, images)
    assert says in page
    assert 'id="wrong"' in page
    assert draw_explained(found, heat, images).axes


def test_a_test_split_without_one_class_is_explained(splits, features, images, classifier) -> None:
    splits = splits[(splits["split"] != "test") | (splits["label"] == "light")]
    found, heat = explain(splits, features, images, classifier, [0.9, 0.3])
    assert found["test_pictures"] == 2
    assert "dark and light" in render(found, heat, images)


def test_no_picture_file_is_needed_and_names_are_escaped(splits, features, images, classifier):
    # Neither the selection nor the page knows of files: pixels come from `images`.
    found, heat = explain(splits, features, images, classifier, SURE)
    picture = found["pictures"][0]
    picture |= {"image_id": "gone/<b>.png", "label": "<script>", "predicted": "$x_1$"}
    page = render(found, heat, images)
    assert "gone/&lt;b&gt;.png" in page
    assert "<script>" not in page
    draw_explained(found, heat, images).savefig("/dev/null", format="png")


def test_without_its_data_the_section_says_how_to_get_it() -> None:
    page = render_page("explanation.html", content=SimpleNamespace(sections={}, figures={}))
    assert "run the pipeline" in page


def test_a_section_of_photographs_stays_small(splits, features, classifier) -> None:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (18, 14, 14, 3), dtype=np.uint8)
    photographs = np.repeat(np.repeat(coarse, 16, axis=1), 16, axis=2)
    noise = random.integers(-20, 20, photographs.shape)
    photographs = np.clip(photographs + noise, 0, 255).astype(np.uint8)
    found, _ = explain(splits, features, photographs[:, ::28, ::28], classifier, SURE)
    heat = random.integers(0, 256, (len(found["pictures"]), 7, 7), dtype=np.uint8)
    assert len(render(found, heat, photographs)) < 45_000 * len(found["pictures"])


def test_a_probability_that_is_no_number_is_refused(splits) -> None:
    predictions = make_predictions(splits, [0.9, np.nan, 0.3, 0.2])
    with pytest.raises(GraftError, match="every probability must be a number"):
        select_pictures(predictions, splits, CLASSES, PARAMETERS)


def test_a_thousand_classes_and_pictures_are_selected_quickly() -> None:
    random = np.random.default_rng(0)
    names = [f"class_{number:04d}" for number in range(1000)]
    probabilities = random.dirichlet(np.ones(1000), 1000).astype(np.float32)
    table = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in names])
    facts = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(1000)],
            "split": "test",
            "model": "frozen",
            "label": random.permutation(names),
            "predicted": np.array(names)[probabilities.argmax(axis=1)],
        }
    )
    found = select_pictures(pd.concat([facts, table], axis=1), facts, names, PARAMETERS)
    assert len(found["pairs"]) == 3
    assert found["pair_count"] > 900


def test_the_pipeline_ends_in_a_section_and_a_figure(splits, features, images, classifier) -> None:
    given = {
        "chosen_predictions": make_predictions(splits, SURE),
        "splits": splits,
        "class_names": CLASSES,
        "images": images,
        "features": features,
        "chosen_classifier": classifier,
        "params:explanation": PARAMETERS,
    }
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()}
    )
    made = SequentialRunner().run(create_pipeline(), catalog)
    assert set(made) == {"explained_pictures"}
    assert len(made["explained_pictures"].load().axes) == 4 * 4


def test_a_table_of_features_in_another_order_gives_the_same(
    splits, features: FeatureTable, images, classifier
) -> None:
    found, _ = explain(splits, features, images, classifier, SURE)
    shuffled = splits.sample(frac=1, random_state=0).reset_index(drop=True)
    selection = select_pictures(make_predictions(splits, SURE), shuffled, CLASSES, PARAMETERS)
    again = explain_pictures(selection, found["heat_map"], features, shuffled, PARAMETERS)
    names = {p["image_id"]: [n["image_id"] for n in p["nearest"]] for p in found["pictures"]}
    assert {
        p["image_id"]: [n["image_id"] for n in p["nearest"]] for p in again["pictures"]
    } == names
