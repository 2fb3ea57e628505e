"""The champion as a folder: it comes back as it was, the same bytes for the same champion."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from PIL import Image

from graft.analysis.calibration import apply_temperature
from graft.analysis.familiarity import fit_familiarity
from graft.classifier.champion import Champion, load_champion
from graft.datasets import AtomicDataset, ChampionDataset
from graft.errors import GraftError
from graft.fingerprints import list_libraries
from graft.images.decoding import decode_picture
from graft.pipelines.champion.facts import LIBRARIES

RANDOM = np.random.default_rng(0)
FACTS = {
    "model": "frozen", "image_size": 8, "colour": "rgb", "max_pixels": 1000, "temperature": 2.0,
    "threshold": None,
}  # fmt: skip


def make_model(channels: int = 3) -> keras.Model:
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, channels), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(flat))


def make_champion(**changes) -> Champion:
    metrics = {"dev": {"n": 4, "accuracy": {"value": 0.75, "low": 0.3, "high": 0.95}}}
    return Champion(make_model(), ["cat", "Käse"], {**FACTS, **changes}, metrics, "# Card\n")


@pytest.fixture
def saved(tmp_path):
    dataset = AtomicDataset(
        filepath=tmp_path / "champion", dataset={"type": "graft.datasets.ChampionDataset"}
    )
    dataset.save(make_champion())
    return dataset


def test_it_comes_back_as_it_was(saved) -> None:
    champion, loaded = make_champion(), saved.load()
    pixels = RANDOM.integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(loaded.predict(pixels), champion.predict(pixels))
    assert loaded.ask(pixels).distances is None
    assert (loaded.class_names, loaded.metrics, loaded.card) == (
        champion.class_names, champion.metrics, champion.card
    )  # fmt: skip
    assert loaded.facts == {**champion.facts, "imports": []}
    assert {path.name for path in saved.filepath.iterdir()} == {
        "classifier.keras", "classifier.json", "class_names.json", "metrics.json", "model_card.md",
    }  # fmt: skip


def test_the_same_champion_is_the_same_bytes(saved, tmp_path) -> None:
    # What a stage packs was loaded from a file, and loading leaves out what Keras counts by itself.
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        ChampionDataset(filepath=str(folder)).save(saved.load())
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()


def test_a_folder_with_a_file_missing_or_altered_is_not_trusted(saved) -> None:
    (saved.filepath / "class_names.json").write_text('["dog", "cat"]')
    assert not saved.exists()
    (saved.filepath / "class_names.json").unlink()
    with pytest.raises(GraftError, match=r"make it with `kedro run`; got .*champion"):
        load_champion(saved.filepath)


def test_probabilities_are_calibrated_as_they_were_measured() -> None:
    pixels = RANDOM.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    for temperature in (0.1, 1.0, 4.0):
        champion = make_champion(temperature=temperature)
        raw = champion.model.predict(pixels, verbose=0)
        given = champion.predict(pixels)
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, apply_temperature(raw, temperature), atol=1e-6)


def _say_yes(name: str, value: float) -> dict:
    return {"kind": "positive_class", "value": value, "positive_class": name}


@pytest.mark.parametrize(
    ("threshold", "answers"),
    [
        (None, ["cat", "Käse", "Käse"]),
        ({"kind": "abstain", "value": 0.8, "positive_class": None}, ["cat", None, "Käse"]),
        (_say_yes("Käse", 0.85), ["cat", "cat", "Käse"]),
        (_say_yes("cat", 0.3), ["cat", "cat", "Käse"]),
    ],
    ids=["none", "abstain", "second class", "first class"],
)
def test_the_answer_follows_the_threshold_chosen_on_dev(threshold, answers) -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.1, 0.9]])
    assert make_champion(threshold=threshold).decide(probabilities) == answers


def test_a_file_is_decoded_like_the_pictures_to_train_on(tmp_path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    expected = decode_picture(path.read_bytes(), 8, 1000)
    np.testing.assert_array_equal(make_champion().read_picture(path), expected)
    # Grey pictures stand for all three channels where the classifier takes three.
    grey = make_champion(colour="grey").read_picture(path)
    assert grey.shape == (8, 8, 3)
    assert (grey == grey[..., :1]).all()


def test_what_is_no_picture_is_told_in_one_line(tmp_path) -> None:
    (tmp_path / "text.png").write_text("text")
    for name, says in (("text.png", "not a picture"), ("absent.png", "No such file")):
        with pytest.raises(GraftError, match=rf"{says}.*; got '.*{name}'"):
            make_champion().read_picture(tmp_path / name)


def test_the_versions_in_it_are_a_part_of_its_recipe() -> None:
    # Otherwise a new version would leave an old one written down.
    counted = set(list_libraries("graft.classifier.champion")) | {"tensorflow"}  # through Keras
    assert counted >= set(LIBRARIES)


def test_a_network_of_ones_own_is_found_by_its_module(tmp_path) -> None:
    from graft.models.networks.registry import NetworkSettings, build_classifier

    model = build_classifier("mnist_subclassed", (28, 28, 1), NetworkSettings(class_count=2))
    folder = tmp_path / "champion"
    dataset = ChampionDataset(filepath=str(folder), imports=["graft.models.networks"])
    dataset.save(Champion(model, ["a", "b"], FACTS, {}, ""))
    facts = json.loads((folder / "classifier.json").read_text())
    assert facts["imports"] == ["graft.models.networks"]
    pixels = RANDOM.integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    raw = model.predict(pixels, verbose=0)
    expected = apply_temperature(raw, 2.0)
    np.testing.assert_allclose(load_champion(folder).predict(pixels), expected, atol=1e-6)


def test_features_are_led_out_of_networks_whose_layers_have_the_same_names(tmp_path) -> None:
    from graft.classifier.model_file import read_model, write_model
    from graft.models.led_out import lead_out_features

    pixels = keras.Input((8, 8, 3), dtype="uint8")
    cast = keras.ops.cast(pixels, "float32")
    joined = keras.layers.Concatenate()([cast, cast])
    mapped = keras.layers.Activation("linear")(keras.layers.Conv2D(4, 3)(joined))
    flat = keras.layers.GlobalAveragePooling2D()(mapped)
    write_model(
        keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(flat)), tmp_path / "m.keras"
    )
    # As in a process of its own, in which Keras counts from one.
    keras.utils.clear_session()
    model = read_model(tmp_path / "m.keras")
    familiarity = fit_familiarity(np.eye(4), np.eye(4), 1, 0.05)
    champion = Champion(model, ["cat", "Käse"], FACTS, {}, "", familiarity)
    assert champion.lead_out().output_shape == (None, 6)
    assert lead_out_features(model) is not None


def test_it_tells_what_is_unlike_train_after_it_was_saved(tmp_path) -> None:
    from graft.models.led_out import lead_out_features

    model = make_model()
    light = RANDOM.integers(200, 256, (20, 8, 8, 3), dtype=np.uint8)
    led_out = lead_out_features(model)
    assert led_out is not None
    probabilities, features = led_out.predict(light, verbose=0)
    np.testing.assert_allclose(probabilities, model.predict(light, verbose=0), atol=1e-6)
    assert features.shape == (20, 192)
    familiarity = fit_familiarity(features[:15], features[15:], 2, 0.05)
    champion = Champion(model, ["cat", "Käse"], FACTS, {}, "", familiarity)
    ChampionDataset(filepath=str(tmp_path / "champion")).save(champion)
    loaded = load_champion(tmp_path / "champion")
    striped = np.zeros((1, 8, 8, 3), np.uint8)
    striped[:, ::2] = 255
    findings = loaded.ask(np.concatenate([light[15:16], striped]))
    assert findings.distances is not None
    usual, unusual = loaded.explain(findings)
    assert usual.name in ("cat", "Käse")
    assert unusual.name is None
    assert unusual.reason.startswith("unlike anything in training: distance ")
    assert loaded.decide(*findings)[1] is None
    assert None not in loaded.decide(findings.probabilities)
    (tmp_path / "champion" / "familiarity.npz").write_bytes(b"PK")
    with pytest.raises(GraftError, match="got a damaged one in"):
        load_champion(tmp_path / "champion")
