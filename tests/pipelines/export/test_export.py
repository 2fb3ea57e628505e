"""Export: every format gives what the champion gives, or the export fails."""

from __future__ import annotations

import functools
import importlib.util
import json

import keras
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

from graft.analysis.familiarity import fit_familiarity
from graft.classifier.champion import Champion
from graft.classifier.exported import read_exported
from graft.datasets.file_trees import FileTreeDataset
from graft.errors import GraftError
from graft.export import formats
from graft.models.led_out import lead_out_features
from graft.models.networks.registry import NetworkSettings, build_classifier
from graft.parameters.remembering import FamiliarityParameters
from graft.pipelines.candidates import draw_train
from graft.pipelines.export import nodes
from graft.pipelines.export.nodes import export_champion, measure_latencies
from graft.pipelines.export.parameters import ExportParameters
from helpers.exports import make_network
from helpers.pictures import encode

RANDOM = np.random.default_rng(0)
ALL = ["onnx", "saved_model", "litert", "litert_int8"]
PARAMETERS = ExportParameters(
    formats=ALL, checked_pictures=30, calibration_pictures=8, largest_difference=1e-4, repeats=1,
    seed=0, heat_map=True, nearest_pictures=2,
)  # fmt: skip
FAMILIARITY = FamiliarityParameters(
    pictures=20, neighbours=2, refused_share=0.05, batch_size=8, seed=0
)
IMAGES = RANDOM.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
SPLITS = pd.DataFrame(
    {
        "split": ["train"] * 30 + ["dev"] * 30, "label": ["cat", "犬"] * 30,
        "sha256": [f"{number}" for number in range(60)],
    }
)  # fmt: skip


@functools.cache
def make_champion() -> Champion:
    """One for all tests, which only read it."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 3), dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    mapped = keras.layers.Conv2D(6, 3, activation="relu")(scaled)
    normal = keras.layers.BatchNormalization()(mapped)
    flat = keras.layers.GlobalAveragePooling2D()(normal)
    dense = keras.layers.Dense(2, activation="softmax")(keras.layers.Dropout(0.5)(flat))
    model = keras.Model(pixels, dense, name="classifier")
    features = lead_out_features(model).predict(IMAGES, verbose=0)[1]
    remembered = draw_train(SPLITS, FAMILIARITY.pictures, FAMILIARITY.seed)
    facts = {
        "name": "pets", "model": "frozen", "image_size": 8, "colour": "rgb", "max_pixels": 1000,
        "preprocessing": ["It is squashed."], "temperature": 0.5, "threshold": None,
        "versions": {"keras": "3"},
    }  # fmt: skip
    return Champion(
        model, ["cat", "犬"], facts, {}, "",
        fit_familiarity(features[remembered], features[30:], 2, 0.05),
    )  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "exported"
    files, check = export_champion(make_champion(), IMAGES, SPLITS, PARAMETERS, FAMILIARITY)
    dataset = FileTreeDataset(filepath=str(folder))
    dataset.save(files)
    return folder, check, dataset.load()


def test_every_format_gives_what_the_champion_gives(exported) -> None:
    folder, check, _ = exported
    champion = make_champion()
    expected = champion.ask(IMAGES)
    for format_ in ALL:
        read = read_exported(folder / format_)
        assert read.class_names == ["cat", "犬"]
        given = read.interpret(formats.open_format(format_, folder / format_)(IMAGES))
        allowed = 0.1 if format_ == "litert_int8" else 1e-4
        np.testing.assert_allclose(given.probabilities, expected.probabilities, atol=allowed)
        np.testing.assert_allclose(given.distances, expected.distances, atol=10 * allowed)
        if format_ != "litert_int8":
            names = [answer.name for answer in champion.explain(expected)]
            assert [answer.name for answer in read.explain(given)] == names
            assert check[format_]["largest_difference"] <= 1e-4
            assert check[format_]["same_answers"] == 1
            assert check[format_]["accuracy"] == check["champion"]["accuracy"]
    assert check["pictures"] == 30


def test_a_folder_stands_alone_and_decodes_as_in_training(exported) -> None:
    folder, _, _ = exported
    champion, read = make_champion(), read_exported(folder / "onnx")
    picture = encode(RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    (folder.parent / "picture.png").write_bytes(picture)
    np.testing.assert_array_equal(
        read.decode(picture), champion.read_picture(folder.parent / "picture.png")
    )
    assert {read_exported(folder / name).digest for name in ALL} != {read.digest}


def test_an_altered_missing_or_added_file_is_refused(exported, tmp_path) -> None:
    _, _, tree = exported
    files = {
        name.removeprefix("onnx/"): content
        for name, content in tree.read().items()
        if name.startswith("onnx/")
    }
    facts = json.loads(files["classifier.json"])
    swapped = json.dumps({**facts, "class_names": facts["class_names"][::-1]}).encode()
    without = {name: content for name, content in files.items() if name != "familiarity.npz"}
    cases = {
        "classifier.json": {**files, "classifier.json": swapped},
        "familiarity.npz": without,
        "more": {**files, "more": b"x"},
    }
    for number, (name, content) in enumerate(cases.items()):
        FileTreeDataset(filepath=str(tmp_path / str(number))).save(content)
        with pytest.raises(GraftError, match=f"'{name}' is not"):
            read_exported(tmp_path / str(number))
    with pytest.raises(GraftError, match=r"is a folder with checksums\.json"):
        read_exported(tmp_path / "absent")


def test_a_format_that_gives_something_else_fails_the_export(monkeypatch) -> None:
    original = nodes.open_format

    def disturb(format_, folder):
        run = original(format_, folder)
        return lambda pictures: [run(pictures)[0] + 2e-4 * (format_ == "saved_model")]

    monkeypatch.setattr(nodes, "open_format", disturb)
    parameters = PARAMETERS.model_copy(update={"formats": ["saved_model"]})
    with pytest.raises(GraftError, match=r"saved_model does not give.*got a difference of 0\.0002"):
        export_champion(make_champion(), IMAGES, SPLITS, parameters, FAMILIARITY)


@pytest.mark.parametrize("format_", ["onnx", "litert"])
def test_a_network_that_a_format_cannot_say_is_refused_in_one_line(format_, tmp_path) -> None:
    resizes = build_classifier("mnist_sequential", (20, 20, 1), NetworkSettings(class_count=3))
    with pytest.raises(GraftError, match=f"{format_} lacks; leave it out.*got ScaleAndTranslate$"):
        formats.convert(resizes, format_, tmp_path, np.zeros((1, 20, 20, 1), np.uint8))


def test_constants_that_a_layer_holds_are_no_inputs_of_the_onnx_file(tmp_path) -> None:
    """As of EfficientNet, whose normalization holds the means of ImageNet."""
    pictures = keras.Input((8, 8, 3), dtype="uint8")
    scaled = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0] * 3)(pictures)
    network = keras.Model(pictures, [keras.layers.GlobalAveragePooling2D()(scaled)])
    formats.convert(network, "onnx", tmp_path, IMAGES[:1])
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [(one.name, one.shape) for one in session.get_inputs()] == [("pictures", ["N", 8, 8, 3])]
    (found,) = session.run(None, {"pictures": IMAGES})
    expected = (IMAGES.mean(axis=(1, 2)) - np.array([1, 2, 3])) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_names_that_a_converter_made_up_do_not_count(tmp_path) -> None:
    model = onnx.load_from_string(make_network(np.eye(3)))
    files = [tmp_path / "one.onnx", tmp_path / "other.onnx"]
    onnx.save(model, files[0])
    constants = [*model.graph.initializer][::-1]
    for place, node in enumerate(model.graph.node):
        node.name = f"odd_{place}"
        for part in (node.input, node.output):
            part[:] = [name.replace("floats", "f__3").replace("weights", "w__9") for name in part]
    for constant in constants:
        constant.name = constant.name.replace("weights", "w__9")
    copies = [onnx.TensorProto.FromString(one.SerializeToString()) for one in constants]
    del model.graph.initializer[:]
    model.graph.initializer.extend(copies)
    onnx.save(model, files[1])
    assert files[0].read_bytes() != files[1].read_bytes()
    for file in files:
        formats.number_names(file)
    assert files[0].read_bytes() == files[1].read_bytes()
    session = onnxruntime.InferenceSession(files[0])
    probabilities, features = session.run(None, {"pictures": IMAGES})
    np.testing.assert_allclose(features, IMAGES.mean(axis=(1, 2)), rtol=1e-5)
    assert probabilities.shape == (60, 3)


def test_latencies_of_all_are_told(exported) -> None:
    _, _, tree = exported
    found = measure_latencies(make_champion(), tree, IMAGES, PARAMETERS)
    assert list(found) == ["champion", *ALL]
    assert all(found[name]["1"] >= 0 and found[name]["16"] > 0 for name in found)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(GraftError, match=r"\.\[train\].*got no module 'tf2onnx'"):
        export_champion(make_champion(), IMAGES, SPLITS, PARAMETERS, FAMILIARITY)
    assert importlib.util.find_spec("tf2onnx"), "the tests run with the extra"


def test_without_dev_nothing_can_be_checked() -> None:
    with pytest.raises(GraftError, match="there is none; give dev a share"):
        export_champion(
            make_champion(), IMAGES, SPLITS.assign(split="train"), PARAMETERS, FAMILIARITY
        )
