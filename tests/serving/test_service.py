"""The service in this process: answers, limits, refusals, pages."""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from graft.classifier.exported import list_checksums
from graft.errors import GraftError
from graft.images.decoding import decode_picture
from graft.serving.app import create_app
from graft.serving.engine import Engine, find_export
from graft.serving.service_settings import ServiceSettings
from helpers.exports import make_export, write_export

NAMES = ["Käse", "犬 <script>alert(1)</script>"]
LIMITS = {
    "hosts": ("testserver",), "decoders": 1, "picture_bytes": 200_000, "request_bytes": 500_000,
    "pictures": 3, "pixels": 1_000_000, "reload_seconds": 0.05, "threads": 1,
}  # fmt: skip
RED, GREEN, BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)


def draw(
    colour: tuple[int, ...] = RED, format_: str = "PNG", mode: str = "RGB", **options
) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (20, 10), colour).save(buffer, format_, **options)
    return buffer.getvalue()


def send(client: TestClient, *pictures: bytes, **options):
    files = [("pictures", ("p.png", data, "image/png")) for data in pictures]
    return client.post("/predict", files=files, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("x") / "onnx", make_export(NAMES, is_familiar=True))


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    app = create_app(Engine(folder, 1), ServiceSettings.check(**LIMITS))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_pictures_get_answers_in_their_order(client, folder) -> None:
    said = send(client, draw(GREEN), draw(RED), b"no picture").json()
    assert [one.get("answer") for one in said["pictures"]] == [*NAMES, None]
    assert said["pictures"][2] == {
        "error": "not a picture, or of a format that Pillow cannot read", "status": 415
    }  # fmt: skip
    first = said["pictures"][0]
    mean = decode_picture(draw(GREEN), 8, 1000).mean(axis=(0, 1))
    # Two classes with logits z and -z at temperature 2.
    expected = 1 / (1 + np.exp(-0.05 * (mean[1] - mean[0])))
    assert first["classes"][0] == {"name": NAMES[0], "probability": pytest.approx(expected, 1e-5)}
    assert sum(one["probability"] for one in first["classes"]) == pytest.approx(1)
    assert said["model"] == Engine(folder, 1).model.exported.digest
    assert client.get("/").headers["x-graft-model"] == said["model"]


def test_what_is_unlike_training_is_told_so(client) -> None:
    (one,) = send(client, draw(BLUE)).json()["pictures"]
    assert one["answer"] is None
    assert one["reason"].startswith("unlike anything in training")
    assert len(one["classes"]) == 2


def test_hostile_pictures_are_refused_with_a_reason(client, pack_bomb) -> None:
    whole = draw(format_="JPEG")
    cases = {
        b"": (415, "empty file"), b"text": (415, "not a picture"), whole[:400]: (415, "damaged"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n": (415, "not a picture"),
        draw(format_="TGA"): (415, "format TGA; taken are BMP"),
        pack_bomb(2000, 1000): (413, "more than 1,000,000 pixels"),
        pack_bomb(12_000, 10_000): (413, "more than 1,000,000 pixels"),
        bytes(200_001): (413, "a picture has at most 200,000 bytes"),
    }  # fmt: skip
    for data, (status, reason) in cases.items():
        response = send(client, data)
        assert response.status_code == status, response.text
        assert reason in response.json()["error"]
    assert send(client, draw()).status_code == 200


def test_forms_beyond_a_limit_or_damaged_are_refused(client) -> None:
    too_many = send(client, *[draw()] * 4)
    assert (too_many.status_code, too_many.json()) == (
        413, {"error": "a request has at most 3 pictures"}
    )  # fmt: skip
    announced = client.post("/predict", content=b"x", headers={"content-length": "999999999"})
    assert announced.status_code == 413

    def stream() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="x"; filename="f"\r\n\r\n'
        yield from [bytes(50_000)] * 20

    form = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post("/predict", content=stream(), headers=form).status_code == 413
    assert client.post("/predict", json={"a": 1}).status_code == 415
    cut = b'--b\r\nContent-Disposition: form-data; name="x"; filename="f"\r\n\r\nabc'
    for body in (b"", b"--b", cut, b"--c\r\n\r\n", b"\0" * 99):
        response = client.post("/predict", content=body, headers=form)
        assert response.status_code in (400, 415), body
        assert response.json()["error"]
    fields = {f"field{number}": "x" for number in range(20)}
    assert client.post("/predict", data=fields, files={"p": b"x"}).status_code == 413
    long = client.post("/predict", data={"token": "x" * 2000}, files={"p": b"x"})
    assert long.status_code == 413


def test_other_routes_and_methods_are_told_in_json(client) -> None:
    assert client.get("/absent").json() == {"error": "Not Found"}
    assert client.get("/predict").status_code == 405
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    schema = client.get("/openapi.json").json()
    assert "/predict" in schema["paths"]
    assert schema["paths"]["/predict"]["post"]["requestBody"]["required"]


class _Reader(HTMLParser):
    """Tags and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.text.append(data)


def test_the_page_works_without_javascript_and_escapes_all(client) -> None:
    page = client.get("/", headers={"accept": "text/html"})
    answered = send(client, draw(RED), b"x", draw(BLUE), headers={"accept": "text/html"})
    for response in (page, answered):
        assert response.headers["content-type"].startswith("text/html")
        policy = response.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        reader = _Reader()
        reader.feed(response.text)
        scripts = [attributes for tag, attributes in reader.tags if tag == "script"]
        names = ("explain", "page")
        assert scripts == [{"src": f"/static/{name}.js", "defer": None} for name in names]
        assert not [a for _, a in reader.tags if any(n.startswith(("on", "style")) for n in a)]
        places = [
            a.get("src") or a.get("href") for _, a in reader.tags if "src" in a or "href" in a
        ]
        assert all(place.startswith("/") for place in places)
        for place in places:
            assert client.get(place).status_code == 200, place
        assert NAMES[1] in "".join(reader.text)
    text = " ".join(_texts(answered.text))
    assert "cannot be used" in text
    assert "unlike anything in training" in text
    assert answered.text.count("<progress") == 4
    refused = send(client, b"x", headers={"accept": "text/html"})
    assert refused.status_code == 415
    assert "not a picture" in refused.text


def _texts(page: str) -> list[str]:
    reader = _Reader()
    reader.feed(page)
    return reader.text


def test_the_script_puts_nothing_into_the_page_as_html(client) -> None:
    script = client.get("/static/page.js").text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


def test_the_open_inference_protocol(client) -> None:
    assert client.get("/v2").json()["name"] == "graft"
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/colours/ready").json()["ready"]
    told = client.get("/v2/models/colours").json()
    assert told["inputs"][0]["shape"] == [-1, 8, 8, 3]
    assert told["parameters"]["class_names"] == NAMES
    assert client.get("/v2/models/other").status_code == 404
    pixels = decode_picture(draw(RED), 8, 1000)
    tensor = {
        "name": "pictures", "datatype": "UINT8", "shape": [1, 8, 8, 3],
        "data": pixels.ravel().tolist(),
    }  # fmt: skip
    infer = "/v2/models/colours/infer"
    said = client.post(infer, json={"id": "7", "inputs": [tensor]}).json()
    by_file = send(client, draw(RED)).json()["pictures"][0]["classes"]
    assert max(said["outputs"][0]["data"]) == pytest.approx(by_file[0]["probability"])
    assert (said["id"], said["outputs"][0]["shape"]) == ("7", [1, 2])
    for wrong in (
        {}, {"inputs": []}, {"inputs": [{**tensor, "shape": [1, 8, 8]}]}, [],
        {"inputs": [{**tensor, "data": [300] * 192}]},
        {"inputs": [{**tensor, "shape": [99, 8, 8, 3]}]},
        {"inputs": [{**tensor, "datatype": "FP32"}]}, {"inputs": [{**tensor, "data": "x"}]},
        {"inputs": [{**tensor, "data": [[1], [1, 2]]}]}, {"inputs": [{**tensor, "data": []}]},
        {"inputs": [{**tensor, "shape": [10**30, 8, 8, 3]}]},
    ):  # fmt: skip
        response = client.post(infer, json=wrong)
        assert response.status_code == 400, wrong
        assert response.json()["error"]
    deep = client.post(infer, content=b"[" * 100_000)
    assert deep.status_code == 400


def test_figures_for_prometheus(client) -> None:
    send(client, draw(RED), draw(BLUE), b"x")
    text = client.get("/metrics").text
    assert 'graft_requests_total{route="/predict",status="200"}' in text
    for name in ("unlike", "unreadable"):
        assert float(re.search(rf'graft_unanswered_total{{why="{name}"}} (\S+)', text)[1]) >= 1
    assert "graft_request_seconds_bucket" in text
    assert "graft_distance_count" in text
    assert "\ngraft_requests_at_once 0.0" in text


def start(folder: Path, **changes) -> TestClient:
    settings = ServiceSettings.check(**{**LIMITS, **changes})
    return TestClient(create_app(Engine(folder, 1), settings), raise_server_exceptions=False)


def test_a_token_is_asked_for(folder) -> None:
    with start(folder, token="secret") as client:
        assert send(client, draw()).status_code == 401
        wrong = send(client, draw(), headers={"authorization": "Bearer wrong"})
        assert wrong.status_code == 401
        assert wrong.headers["www-authenticate"] == "Bearer"
        assert send(client, draw(), headers={"authorization": "Bearer secret"}).status_code == 200
        files = {"pictures": draw()}
        assert client.post("/predict", data={"token": "secret"}, files=files).status_code == 200
        assert client.post("/predict", data={"token": "sécret"}, files=files).status_code == 401
        assert client.get("/metrics").status_code == 401
        assert client.post("/v2/models/colours/infer", json={}).status_code == 401
        assert client.get("/v2/health/live").status_code == 200
        assert 'name="token"' in client.get("/").text
        assert "secret" not in client.get("/").text


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_too_many_at_once_are_sent_away_and_too_slow_ones_given_up(folder) -> None:
    engine = Engine(folder, 1)
    settings = ServiceSettings.check(**{**LIMITS, "requests_at_once": 2, "seconds": 4})
    with TestClient(create_app(engine, settings)) as client:
        assert send(client, draw()).status_code == 200
        run, is_free = engine.model.run, threading.Event()
        held = lambda pictures: (is_free.wait(60), run(pictures))[1]  # noqa: E731
        object.__setattr__(engine.model, "run", held)
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(send, client, draw()) for _ in range(2)]
            wait_until(lambda: "\ngraft_requests_at_once 2.0" in client.get("/metrics").text)
            sent_away = send(client, draw())
            given_up = [one.result() for one in waiting]
        assert sent_away.status_code == 429
        assert [answer.status_code for answer in given_up] == [504, 504]
        for answer in (sent_away, *given_up):
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"]
        is_free.set()
        wait_until(lambda: send(client, draw()).status_code == 200)


def test_a_decoder_that_is_killed_costs_nobody_an_answer(folder, monkeypatch) -> None:
    with start(folder) as client:
        assert send(client, draw()).status_code == 200
        (worker,) = client.app.state.service.decoders._crew
        worker._process.kill()
        assert send(client, draw()).status_code == 200
        # One that does not even start is tried again, and then it is nobody's picture's fault.
        begin, failures = worker._start, iter([True, True, False, True, True, True, False])

        def fail() -> None:
            if next(failures):
                raise GraftError("a process that decodes pictures cannot start")
            begin()

        monkeypatch.setattr(worker, "_start", fail)
        worker.end()
        assert send(client, draw()).status_code == 200
        worker.end()
        refused = send(client, draw())
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert send(client, draw()).status_code == 200


def test_what_is_still_coming_in_is_bounded_for_all_together(folder) -> None:
    with start(folder, requests_at_once=1, request_bytes=300_000) as client:
        intake = client.app.state.service.intake
        assert intake._held == 0
        intake._held = 299_000
        crowded = send(client, bytes(150_000))
        assert (crowded.status_code, crowded.headers["retry-after"]) == (429, "1")
        assert intake._held == 299_000


def test_a_new_model_is_taken_up_without_a_lost_or_mixed_answer(tmp_path) -> None:
    old, new = make_export(["dark", "red"]), make_export(["red", "dark"], flip=True)
    folder = write_export(tmp_path / "onnx", old)
    digests = {}
    for files in (old, new):
        place = write_export(tmp_path / "other", files)
        digests[Engine(place, 1).model.exported.digest] = json.loads(files["classifier.json"])
    stop, said = threading.Event(), []
    with start(folder) as client:

        def load() -> None:
            while not stop.is_set():
                said.append(send(client, draw(RED)))

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(6):
                before = client.get("/").headers["x-graft-model"]
                write_export(folder, new if number % 2 == 0 else old)
                wait_until(lambda: client.get("/").headers["x-graft-model"] != before)  # noqa: B023
                count = len(said)
                wait_until(lambda: len(said) > count + 2)  # noqa: B023
        finally:
            stop.set()
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in said} == {200}
        seen = set()
        for answer in said:
            body = answer.json()
            seen.add(body["model"])
            assert answer.headers["x-graft-model"] == body["model"]
            # Both call it red; a mixture of names and network would call it dark.
            assert body["pictures"][0]["answer"] == "red"
            names = [one["name"] for one in body["pictures"][0]["classes"]]
            assert sorted(names) == sorted(digests[body["model"]]["class_names"])
        assert seen == set(digests)
        # A damaged one is not taken up.
        before = client.get("/").headers["x-graft-model"]
        write_export(folder, {**new, "model.onnx": new["model.onnx"] + b"x", "y": b""})
        time.sleep(0.4)
        assert client.get("/").headers["x-graft-model"] == before
        assert send(client, draw(RED)).status_code == 200


def test_only_a_whole_onnx_export_is_served(tmp_path, folder) -> None:
    files = make_export(NAMES)
    damaged = write_export(tmp_path / "onnx", {**files, "model.onnx": b"x"})
    with pytest.raises(GraftError, match=r"'model\.onnx' is not; export again"):
        Engine(damaged, 1)
    senseless = {name: data for name, data in files.items() if name != "checksums.json"}
    senseless["model.onnx"] = b"no network"
    senseless["checksums.json"] = list_checksums(senseless)
    with pytest.raises(GraftError, match=r"ONNX Runtime must be able to load .*; export again"):
        Engine(write_export(tmp_path / "senseless", senseless), 1)
    with pytest.raises(GraftError, match=r"make it with `kedro run --pipelines=export`"):
        find_export(tmp_path / "absent")
    models = tmp_path / "models"
    (models / "exported").mkdir(parents=True)
    write_export(models / "exported" / "onnx", files)
    for name in ("champion", "exported", "exported/onnx"):
        assert find_export(models / name) == models / "exported" / "onnx"


def test_a_wrong_setting_is_told_in_one_line_and_a_token_never() -> None:
    with pytest.raises(GraftError, match=r"port: .*; got 99999"):
        ServiceSettings.check(port=99999)
    with pytest.raises(GraftError, match=r"token: .*; got hidden"):
        ServiceSettings.check(token="")
    assert "secret" not in repr(ServiceSettings.check(token="secret"))
