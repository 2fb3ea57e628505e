"""The Open Inference Protocol, asked by a client that others have written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton

from graft.serving.engine import Engine
from helpers.exports import SIZE, make_export, write_export
from helpers.services import serve

NAMES = ["dark", "red"]
PICTURES = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("x") / "onnx", make_export(NAMES))


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[triton.InferenceServerClient]:
    with serve(folder) as address:
        client = triton.InferenceServerClient(address.removeprefix("http://"))
        yield client
        client.close()


def make_input(pictures: np.ndarray, as_bytes: bool, name: str = "pictures") -> triton.InferInput:
    tensor = triton.InferInput(name, list(pictures.shape), "UINT8")
    tensor.set_data_from_numpy(pictures, binary_data=as_bytes)
    return tensor


def test_a_client_of_triton_finds_server_and_model(client, folder) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("colours")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    told = client.get_model_metadata("colours")
    assert told["inputs"] == [{"name": "pictures", "datatype": "UINT8", "shape": [-1, 8, 8, 3]}]
    assert told["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}]
    assert told["versions"] == [Engine(folder, 1).model.exported.digest]


@pytest.mark.parametrize("sends_bytes", [True, False], ids=["sends bytes", "sends JSON"])
@pytest.mark.parametrize("wants_bytes", [True, False, None], ids=["bytes", "JSON", "as it likes"])
def test_it_gets_the_probabilities_of_the_model(client, folder, sends_bytes, wants_bytes) -> None:
    outputs = None
    if wants_bytes is not None:
        outputs = [triton.InferRequestedOutput("probabilities", binary_data=wants_bytes)]
    inputs = [make_input(PICTURES, sends_bytes)]
    said = client.infer("colours", inputs, outputs=outputs, request_id="7")
    expected = Engine(folder, 1).model.ask(PICTURES)[0].probabilities
    np.testing.assert_allclose(said.as_numpy("probabilities"), expected, atol=1e-6)
    assert said.get_response()["id"] == "7"


def test_it_is_told_in_one_line_what_is_wrong(client) -> None:
    wrong = {
        "the output is 'probabilities'": {"outputs": [triton.InferRequestedOutput("logits")]},
        r"the input is 'pictures', UINT8, of shape \[1 to 16, 8, 8, 3\]": {
            "inputs": [make_input(PICTURES[:, :4], as_bytes=True)]
        },
        "a request has one of 'inputs'": {"inputs": [make_input(PICTURES, as_bytes=True)] * 2},
    }
    for reason, changes in wrong.items():
        given = {"inputs": [make_input(PICTURES, as_bytes=True)], **changes}
        with pytest.raises(triton.InferenceServerException, match=reason):
            client.infer("colours", **given)
