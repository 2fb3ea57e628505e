"""Explanations: for who asks, of what is there, by the model that answered."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from graft.serving.app import create_app
from graft.serving.engine import Engine, load_model
from graft.serving.service_settings import ServiceSettings
from helpers.exports import make_export, write_export
from helpers.pictures import encode

NAMES = ["Käse", "犬"]
RED = encode(np.full((9, 9, 3), (200, 20, 20), np.uint8))
HALF = np.full((16, 16, 3), (20, 20, 20), np.uint8)
HALF[:, 8:] = (220, 20, 20)


def serve(folder: Path, *, explains: bool, **settings) -> TestClient:
    files = make_export(NAMES, is_familiar=True, explains=explains)
    engine = Engine(write_export(folder / "onnx", files), 1)
    return TestClient(
        create_app(
            engine, ServiceSettings.check(hosts=("testserver",), decoders=1, threads=1, **settings)
        )
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with serve(tmp_path_factory.mktemp("x"), explains=True) as client:
        yield client


def ask(client: TestClient, *pictures: bytes, **options):
    files = [("pictures", ("p", data, "image/png")) for data in pictures]
    return client.post("/explain", files=files, **options)


def test_heat_lies_where_the_class_is_and_the_nearest_come_first(client) -> None:
    (said,) = ask(client, encode(HALF)).json()["pictures"]
    assert said["class_name"] == "犬"
    heat = np.array(said["heat"])
    assert heat.shape == (2, 2)
    assert (heat[:, 1] > heat[:, 0] + 0.5).all()
    near, far = said["nearest"]
    assert (near["class_name"], far["class_name"]) == ("犬", "犬")
    assert near["distance"] <= far["distance"]
    small = Image.open(io.BytesIO(base64.b64decode(near["jpeg"])))
    assert np.allclose(np.asarray(small)[0, 0], (200, 20, 20), atol=25)


def test_a_picture_that_cannot_be_used_has_its_reason(client) -> None:
    answer = ask(client, RED, b"no picture")
    assert answer.status_code == 200
    good, bad = answer.json()["pictures"]
    assert good["class_name"] == "犬"
    assert bad["status"] == 415
    alone = ask(client, b"no picture")
    assert alone.status_code == 415
    assert alone.json()["error"] == bad["error"]
    assert ask(client).status_code in (400, 415)


def test_who_only_wants_answers_pays_for_no_explanation_and_nobody_counts_twice(client) -> None:
    model = client.app.state.service.engine.model
    fresh = load_model(model.exported.folder, 1)
    fresh.ask(np.zeros((1, *fresh.picture_shape), np.uint8))
    assert "_session" not in vars(fresh.explainer)
    before = client.get("/metrics").text.count("graft_answers_total{")
    ask(client, RED)
    assert client.get("/metrics").text.count("graft_answers_total{") == before
    client.post("/predict", files={"pictures": RED})
    assert client.get("/metrics").text.count("graft_answers_total{") == before + 1


def test_a_model_explains_by_its_own_files_after_another_has_taken_its_place(tmp_path) -> None:
    folder = write_export(tmp_path / "onnx", make_export(NAMES, is_familiar=True, explains=True))
    model = load_model(folder, 1)
    write_export(folder, make_export(NAMES[::-1], flip=True))
    said = model.explainer.explain(np.full((8, 8, 3), (200, 20, 20), np.uint8))
    assert said["class_name"] == "犬"
    assert len(said["nearest"]) == 2
    assert np.array(said["heat"]).shape == (2, 2)


def test_an_export_without_them_has_none(tmp_path) -> None:
    with serve(tmp_path, explains=False) as client:
        (said,) = ask(client, RED).json()["pictures"]
        assert said == {"class_name": "犬", "heat": None, "nearest": []}
        assert "data-explains" not in client.get("/").text


def test_explanations_want_the_token_too(tmp_path) -> None:
    with serve(tmp_path, explains=True, token="s3cret") as client:
        assert ask(client, RED).status_code == 401
        assert ask(client, RED, data={"token": "s3cret"}).status_code == 200
