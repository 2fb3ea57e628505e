"""Prediction: any pictures get answers, bad ones a reason, known ones no second look."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from graft.analysis.familiarity import fit_familiarity
from graft.classifier.champion import Champion
from graft.datasets.arrays import NumpyArrayDataset
from graft.datasets.features import FeatureShardsDataset
from graft.errors import GraftError, PictureError
from graft.images.decoding import decode_picture
from graft.models.backbones import build_imagenet_classifier, read_imagenet_classes
from graft.models.inference import predict_rows
from graft.models.led_out import lead_out_features
from graft.parameters.forward import ForwardParameters
from graft.pipelines.prediction.nodes import (
    extract_layer,
    lay_out_array,
    predict_pictures,
    predict_unlabelled,
)
from graft.pipelines.prediction.parameters import PredictionParameters
from graft.pipelines.prediction.pipeline import choose_prediction, create_pipeline
from graft.sources.plain_files import read_plain_files
from graft.sources.source import ImageSource, Record, make_records
from helpers.pictures import encode
from helpers.prediction import PARAMETERS

RANDOM = np.random.default_rng(0)
NAMES = ["cat", "Käse", "犬"]


def make_champion(threshold: dict | None = None, channels: int = 3) -> Champion:
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, channels), dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 255, name="scaled")(pixels)
    mapped = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(scaled)
    flat = keras.layers.Flatten(name="flat")(mapped)
    dense = keras.layers.Dense(3, activation="softmax", name="probabilities")(flat)
    facts = {
        "model": "frozen", "image_size": 8, "colour": "rgb", "max_pixels": 10_000,
        "temperature": 0.5, "threshold": threshold,
    }  # fmt: skip
    return Champion(keras.Model(pixels, dense, name="classifier"), NAMES, facts, {}, "")


@pytest.fixture
def files() -> dict[str, bytes]:
    """Six pictures, of which two are the same, and two files that are none."""
    pixels = [RANDOM.integers(0, 256, (12, 10, 3), dtype=np.uint8) for _ in range(5)]
    pictures = {f"{number}.png": encode(array) for number, array in enumerate(pixels)}
    cut = encode(pixels[0], "jpeg")[:200]
    return {**pictures, "again.png": pictures["3.png"], "cut.jpg": cut, "notes.txt": b"no picture"}


def make_source(files: dict[str, bytes]) -> ImageSource:
    return ImageSource(make_records(map(Record, files)), files.__getitem__)


def predict(files, champion=None, previous=None, **changes):
    champion = champion or make_champion()
    parameters = PARAMETERS.model_copy(update=changes)
    return predict_pictures(make_source(files), lambda: champion, previous, parameters)


def test_every_file_gets_a_row_with_an_answer_or_a_reason(files) -> None:
    table, listed = predict(files)
    assert table["file"].tolist() == [*files]
    assert table["answered"].tolist() == [True] * 6 + [False] * 2
    assert list(listed.columns) == [
        "file", "answer", "answered", "reason", "distance", "class_1", "probability_1", "class_2",
        "probability_2",
    ]  # fmt: skip
    bad = table[~table["answered"]]
    assert bad["reason"].str.startswith(("damaged or cut short", "not a picture")).all()
    assert bad[["answer", "class_1", "probability_1", "origin"]].isna().all(axis=None)
    assert (table["answer"] == table["class_1"]).sum() == 6
    same = table[table["file"].isin(["3.png", "again.png"])].drop(columns="file")
    assert same.iloc[0].equals(same.iloc[1])


def test_the_same_bytes_get_the_probabilities_of_evaluation(files) -> None:
    champion = make_champion()
    table, _ = predict(files, champion, top=3)
    pixels = np.stack([decode_picture(files[f"{n}.png"], 8, 10_000) for n in range(5)])
    raw = predict_rows(champion.model, pixels.__getitem__, np.arange(5), batch_size=64)
    calibrated = raw.astype(float) ** 2 / (raw.astype(float) ** 2).sum(axis=1, keepdims=True)
    for row, expected in zip(table.to_dict("records"), calibrated, strict=False):
        given = {row[f"class_{place}"]: row[f"probability_{place}"] for place in (1, 2, 3)}
        np.testing.assert_allclose([given[name] for name in NAMES], expected, atol=1e-6)
        assert row["class_1"] == NAMES[expected.argmax()]


def test_known_pictures_are_not_computed_again(files, caplog, monkeypatch) -> None:
    first, _ = predict(files)
    asked = []
    judge = Champion.judge

    def count(self, outputs):
        asked.append(len(outputs))
        return judge(self, outputs)

    monkeypatch.setattr(Champion, "judge", count)
    new = encode(np.full((9, 9, 3), 77, np.uint8))
    with caplog.at_level(logging.INFO):
        second, _ = predict({"new.png": new, **files}, previous=first)
    assert asked == [1]
    assert "3 of them looked at now" in " ".join(" ".join(caplog.messages).split())
    pd.testing.assert_frame_equal(second.iloc[1:].reset_index(drop=True), first)
    # A renamed picture is known too; another threshold, temperature or number of classes is not.
    predict({"renamed.png": files["0.png"]}, previous=first)
    assert asked == [1]
    predict(files, make_champion({"kind": "abstain", "value": 0.9}), previous=first)
    predict(files, previous=first, top=3)
    assert sum(asked) == 1 + 5 + 5


def test_two_runs_give_the_same_table(files) -> None:
    pd.testing.assert_frame_equal(predict(files)[0], predict(files)[0])
    # Nor does it matter what else is in the batch.
    alone, _ = predict({"2.png": files["2.png"]})
    together, _ = predict(files)
    assert alone["probability_1"].iloc[0] == together["probability_1"].iloc[2]


def test_an_unsure_classifier_says_so(files) -> None:
    table, _ = predict(files, make_champion({"kind": "abstain", "value": 1.01}))
    assert not table["answered"].any()
    assert table["reason"].iloc[:6].str.match(r"not sure: 0\.\d{3}, below 1\.010").all()
    assert table["class_1"].iloc[:6].notna().all()


def test_a_picture_unlike_train_gets_its_distance_and_no_answer(files) -> None:
    champion = make_champion()
    pixels = np.stack([decode_picture(files[f"{n}.png"], 8, 10_000) for n in range(5)])
    led_out = lead_out_features(champion.model)
    assert led_out is not None
    features = led_out.predict(pixels, verbose=0)[1]
    familiarity = fit_familiarity(features[:4], features[:4], 1, 0.05)
    known = replace(champion, familiarity=familiarity)
    table, _ = predict(files, known)
    assert table["answered"].tolist() == [True] * 4 + [False, True] + [False] * 2
    assert table["reason"].iloc[4].startswith("unlike anything in training: distance")
    assert table["distance"].iloc[4] > familiarity.threshold > table["distance"].iloc[0]
    assert table["class_1"].iloc[4] in NAMES
    # Who has learnt what is unlike train asks anew.
    before, _ = predict(files, champion)
    pd.testing.assert_frame_equal(predict(files, known, previous=before)[0], table)


def test_on_onnx_runtime_a_picture_is_answered_as_on_keras_whatever_stands_beside_it(
    files,
) -> None:
    champion = make_champion()
    on_onnx = ForwardParameters(engine="onnx")

    def ask(names: list[str], previous: pd.DataFrame | None = None) -> pd.DataFrame:
        source = make_source({name: files[name] for name in names})
        return predict_pictures(source, lambda: champion, previous, PARAMETERS, on_onnx)[0]

    # The eight pictures on which both are compared are among them, and two of them are none.
    together, on_keras = ask([*files]), predict(files, champion)[0]
    probabilities = ["probability_1", "probability_2"]
    np.testing.assert_allclose(together[probabilities], on_keras[probabilities], rtol=1e-5)
    pd.testing.assert_frame_equal(
        together.drop(columns=[*probabilities, "origin"]),
        on_keras.drop(columns=[*probabilities, "origin"]),
    )
    pd.testing.assert_frame_equal(ask(["3.png"]), together.iloc[[3]].reset_index(drop=True))
    assert set(together["origin"].dropna()).isdisjoint(on_keras["origin"].dropna())
    pd.testing.assert_frame_equal(ask([*files], previous=on_keras), together)


def test_unlabelled_pictures_of_the_index_are_found(files) -> None:
    unlabelled = pd.DataFrame({"image_id": ["1.png", "4.png"]})
    champion = make_champion()
    table, _ = predict_unlabelled(
        make_source(files), unlabelled, lambda: champion, None, PARAMETERS
    )
    assert table["file"].tolist() == ["1.png", "4.png"]
    with pytest.raises(GraftError, match=r"has a label.*prediction\.source=FOLDER"):
        predict_unlabelled(make_source(files), unlabelled[:0], lambda: champion, None, PARAMETERS)


def test_no_champion_is_told_in_one_line(files) -> None:
    with pytest.raises(GraftError, match=r"no champion yet.*prediction\.classifier=imagenet"):
        predict_pictures(make_source(files), None, None, PARAMETERS)


def test_nothing_readable_is_still_a_table() -> None:
    def refuse(_: str) -> bytes:
        raise PictureError("cannot be read: Permission denied")

    source = ImageSource(make_records([Record("a.png")]), refuse)
    table, _ = predict_pictures(source, make_champion, None, PARAMETERS)
    assert table["reason"].tolist() == ["cannot be read: Permission denied"]


def extract(files, folder, layer: str):
    parameters = PARAMETERS.model_copy(update={"layer": layer})
    blocks, shape = extract_layer(make_source(files), make_champion, parameters)
    dataset = FeatureShardsDataset(filepath=str(folder / "features"))
    dataset.save(blocks)
    array = NumpyArrayDataset(filepath=str(folder / "features.npy"))
    array.save(lay_out_array(dataset.load(), shape))
    return dataset.load(), array.load()


def test_a_layer_gives_its_outputs_in_its_own_shape(files, tmp_path, caplog) -> None:
    table, array = extract(files, tmp_path, "conv")
    good = ["0.png", "1.png", "2.png", "3.png", "4.png", "again.png"]
    assert table.keys["image_id"].tolist() == good
    assert array.shape == (6, 6, 6, 4)
    champion = make_champion()
    conv = keras.Model(champion.model.input, champion.model.get_layer("conv").output)
    pixels = np.stack([decode_picture(files[name], 8, 10_000) for name in good])
    np.testing.assert_allclose(array, conv.predict(pixels, verbose=0), atol=1e-6)
    np.testing.assert_array_equal(table.read(good), array.reshape(6, -1))
    assert "cut.jpg" in caplog.text
    assert "notes.txt" in caplog.text


def test_an_unknown_layer_is_answered_with_all_there_are(files, tmp_path) -> None:
    with pytest.raises(GraftError, match=r"did you mean 'conv'\? .*scaled, conv, flat.*'konv'"):
        extract(files, tmp_path, "konv")
    bad = {"notes.txt": b"no picture"}
    with pytest.raises(
        DatasetError, match=r"there is none; the first is 'notes\.txt' \(not a pict"
    ):
        extract(bad, tmp_path, "conv")


def test_the_wiring_follows_the_parameters() -> None:
    try:
        choose_prediction({"prediction": {"source": "pictures", "layer": None}})
        assert "prediction_source" in create_pipeline().inputs()
        choose_prediction({"prediction": {"source": None, "layer": None}})
        assert {"raw_images", "unlabelled_images"} <= create_pipeline().inputs()
        choose_prediction({"prediction": {"source": None, "layer": "conv"}})
        assert "layer_features_array" in create_pipeline().outputs()
    finally:
        choose_prediction({})


def test_a_folder_an_archive_and_a_file_are_sources(files, pack, tmp_path) -> None:
    # Folders called train and test mean nothing here.
    packed = read_plain_files(pack({"train/0.png": files["0.png"], "1.png": files["1.png"]}))
    assert sorted(packed.records["image_id"]) == ["1.png", "train/0.png"]
    assert packed.records["label"].isna().all()
    assert packed.read("train/0.png") == files["0.png"]
    (tmp_path / "one.png").write_bytes(files["2.png"])
    one = read_plain_files(tmp_path / "one.png")
    assert one.records["image_id"].tolist() == ["one.png"]
    assert one.read("one.png") == files["2.png"]
    with pytest.raises(GraftError, match="no folder or archive"):
        read_plain_files(tmp_path / "absent")


def test_classes_of_imagenet_have_one_name_each(tmp_path) -> None:
    index = {str(n): [f"n{n:08d}", "crane" if n in (3, 4) else f"thing {n}"] for n in range(1000)}
    file = tmp_path / "index.json"
    file.write_text(json.dumps(index))
    names = read_imagenet_classes(str(file))
    assert len(set(names)) == 1000
    assert names[2:5] == ["thing 2", "crane (n00000003)", "crane (n00000004)"]
    file.write_text("{}")
    with pytest.raises(GraftError, match=r"class_index=FILE; got .*index\.json"):
        read_imagenet_classes(str(file))
    with pytest.raises(GraftError, match="did you mean MobileNetV2"):
        build_imagenet_classifier("MobileNetV22", 224, "imagenet")


@pytest.mark.shared
def test_a_cat_is_a_cat_of_imagenet_without_a_champion(shared) -> None:
    weights = shared / "weights"
    imagenet = {
        "network": "MobileNetV2", "image_size": 224, "weights": str(
            weights / "mobilenet_v2_imagenet.weights.h5"
        ), "class_index": str(weights / "imagenet_class_index.json"),
    }  # fmt: skip
    given = {**PARAMETERS.model_dump(), "imagenet": imagenet, "classifier": "imagenet", "top": 5}
    parameters = PredictionParameters.model_validate({**given, "max_pixels": 10**7})
    assert len(parameters.list_files()) == 2
    source = read_plain_files(shared / "data" / "cats_vs_dogs")
    wanted = source.records[source.records["image_id"].isin(["cat.1.jpg", "dog.1.jpg"])]
    source = replace(source, records=wanted.reset_index(drop=True))
    table, _ = predict_pictures(source, None, None, parameters)
    assert table["answered"].all()
    cats = {"tabby", "tiger_cat", "Egyptian_cat", "Persian_cat", "Siamese_cat", "lynx"}
    first = table.filter(regex="^class_").iloc[0]
    assert cats & set(first), first.tolist()
