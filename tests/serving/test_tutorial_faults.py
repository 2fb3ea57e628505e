"""What the upload pages of tutorials do wrong, and the service does not.

They resize otherwise than training did, take EXIF for nothing, end in HTTP 500 on whatever is no
RGB picture, number the classes anew, and show their insides in debug mode.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from graft.images.decoding import decode_picture
from graft.serving.app import create_app
from graft.serving.engine import Engine
from graft.serving.service_settings import ServiceSettings
from helpers.exports import SIZE, make_export, write_export

# Not in the order of the alphabet: the second class is the red one.
NAMES = ["zebra", "ant"]
SETTINGS = {"hosts": ("testserver",), "decoders": 1, "networks": 1}
# No two places alike, so that whatever is turned, squashed or cut otherwise is seen.
SCENE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("x") / "onnx"
    engine = Engine(write_export(folder, make_export(NAMES)), 1)
    app = create_app(engine, ServiceSettings.check(**SETTINGS))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def seen(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Pictures (n, H, W, channels) uint8 as they come to the network."""
    model, arrived = client.app.state.service.engine.model, []
    run = model.run
    monkeypatch.setitem(
        vars(model), "run", lambda pictures: (arrived.append(pictures), run(pictures))[1]
    )
    return arrived


def save(picture: Image.Image, format_: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def send(client: TestClient, data: bytes):
    return client.post("/predict", files={"pictures": ("p", data)})


def make_form(disposition: bytes, content: bytes) -> dict:
    part = b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n--b--\r\n"
    return {
        "content": part % (disposition, content),
        "headers": {"content-type": "multipart/form-data; boundary=b"},
    }


def turn(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


deep = Image.fromarray(np.linspace(0, 65535, 1500, dtype=np.uint16).reshape(30, 50))
clear = SCENE.copy()
clear.putalpha(Image.linear_gradient("L").resize(SCENE.size))


@pytest.mark.parametrize(
    "data",
    [
        save(SCENE), save(SCENE, "JPEG"), save(clear), save(SCENE.convert("L")),
        save(SCENE.convert("1")), save(SCENE.convert("P")), save(SCENE.convert("LA")),
        save(SCENE.convert("CMYK"), "JPEG"), save(deep), save(deep, "TIFF"), save(SCENE, "GIF"),
        save(SCENE, "WEBP"), save(SCENE, "JPEG", exif=turn(6)), save(SCENE.resize((900, 700))),
        save(SCENE.resize((3, 200))), save(SCENE.resize((SIZE, SIZE))),
    ],
    ids=["RGB", "JPEG", "RGBA", "grey", "bits", "palette", "grey and alpha", "CMYK", "16 bit",
         "16 bit TIFF", "GIF", "WEBP", "EXIF", "large", "narrow", "as large as the network's"],
)  # fmt: skip
def test_the_network_sees_the_very_pixels_of_training(client, seen, data) -> None:
    response = send(client, data)
    assert response.status_code == 200
    (pictures,) = seen
    np.testing.assert_array_equal(pictures[0], decode_picture(data, SIZE, 10**6))


def test_a_photo_of_a_telephone_is_turned_upright(client, seen) -> None:
    send(client, save(SCENE))
    send(client, save(SCENE.transpose(Image.Transpose.ROTATE_90), exif=turn(6)))
    lying, upright = seen
    np.testing.assert_array_equal(upright, lying)


def test_classes_have_the_order_of_training(client) -> None:
    said = send(client, save(Image.new("RGB", (9, 9), (200, 20, 20)))).json()["pictures"][0]
    assert said["answer"] == "ant"
    assert [one["name"] for one in said["classes"]] == ["ant", "zebra"]
    assert said["classes"][0]["probability"] > 0.9


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"files": {"pictures": ("empty.png", b"")}}, 415),
        ({"files": {"pictures": ("cut.jpg", save(SCENE, "JPEG")[:700])}}, 415),
        ({"files": {"pictures": ("cut.png", save(SCENE)[:-400])}}, 415),
        ({"files": {"pictures": ("page.png", b"<html>")}}, 415),
        # As a browser sends a form in which nothing was chosen, and one with text alone.
        (make_form(b'name="pictures"; filename=""\r\nContent-Type: x/y', b""), 400),
        (make_form(b'name="token"', b"x"), 400),
        ({}, 415),
    ],
    ids=["empty", "cut JPEG", "cut PNG", "no picture", "nothing chosen", "no file", "no form"],
)
def test_what_cannot_be_answered_gets_a_reason_and_no_500(client, body, status) -> None:
    response = client.post("/predict", **body)
    assert response.status_code == status
    (line,) = response.json()["error"].splitlines()
    assert line


def test_a_defect_shows_nothing_of_the_insides(client, monkeypatch) -> None:
    def fail(pictures: np.ndarray) -> list[np.ndarray]:
        raise RuntimeError("a secret of the insides")

    service = client.app.state.service
    with monkeypatch.context() as patch:
        patch.setitem(vars(service.engine.model), "run", fail)
        broken = send(client, save(SCENE))
    assert broken.status_code == 500
    assert broken.json() == {"error": "a defect of the service; it was logged"}
    assert not client.app.debug
    for place in ("/console", "/docs", "/redoc", "/static/", "/debug"):
        assert client.get(place).status_code == 404
    assert send(client, save(SCENE)).status_code == 200
