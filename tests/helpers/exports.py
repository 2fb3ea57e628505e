"""Exported champions for the service, made without TensorFlow: they go by the mean colour."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from graft.analysis.familiarity import FAMILIARITY, fit_familiarity
from graft.classifier.exported import CHECKSUMS, FACTS, HEAT_MAP, list_checksums
from graft.classifier.nearest import NEAREST, SmallPictures, shrink
from graft.datasets.file_trees import FileTreeDataset

SIZE = 8


def make_network(weights: np.ndarray) -> bytes:
    """ONNX: from pictures to the softmax of ``mean colour (3) @ weights (3, C)``, and the mean."""
    nodes = [
        helper.make_node("Cast", ["pictures"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "places"], ["features"], keepdims=0),
        helper.make_node("MatMul", ["features", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    shape = ["N", SIZE, SIZE, 3]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size])
            for name, size in (("probabilities", weights.shape[1]), ("features", 3))
        ],
        [
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.array([1, 2], np.int64), "places"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model.SerializeToString()


def make_heat_network() -> bytes:
    """ONNX: how red the four quarters of a picture are, whatever the class."""
    nodes = [
        helper.make_node("Cast", ["pictures"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["floats", "red"], ["plane"], axis=3),
        helper.make_node("Unsqueeze", ["plane", "front"], ["planes"]),
        helper.make_node(
            "AveragePool", ["planes"], ["quarters"], kernel_shape=[SIZE // 2] * 2,
            strides=[SIZE // 2] * 2,
        ),
        helper.make_node("Squeeze", ["quarters", "front"], ["map"]),
        helper.make_node("Div", ["map", "most"], ["heat"]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "redness",
        [
            helper.make_tensor_value_info("pictures", TensorProto.UINT8, [1, SIZE, SIZE, 3]),
            helper.make_tensor_value_info("classes", TensorProto.INT64, [1]),
        ],
        [helper.make_tensor_value_info("heat", TensorProto.FLOAT, [1, 2, 2])],
        [
            numpy_helper.from_array(np.array(0, np.int64), "red"),
            numpy_helper.from_array(np.array([1], np.int64), "front"),
            numpy_helper.from_array(np.array(255, np.float32), "most"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model.SerializeToString()


def make_export(
    class_names: list[str],
    flip: bool = False,
    is_familiar: bool = False,
    explains: bool = False,
    **changes: Any,
) -> dict[str, bytes]:
    """Files of an export: the second class is red, the first is not; flipped, the other way.

    One that explains has a heat map and, of the three pictures that it remembers, two to show.
    """
    if explains:
        changes = {"heat_map": "map", "nearest_pictures": 2, **changes}
    weights = np.zeros((3, len(class_names)))
    weights[:2, :2] = np.array([[-0.05, 0.05], [0.05, -0.05]]) * (-1 if flip else 1)
    facts = {
        "name": "colours", "model": "frozen", "format": "onnx", "file": "model.onnx",
        "channels": 3, "image_size": SIZE, "colour": "rgb", "max_pixels": 80_000_000,
        "class_names": class_names, "preprocessing": [], "temperature": 2.0, "threshold": None,
        "versions": {}, **changes,
    }  # fmt: skip
    files = {
        "model.onnx": make_network(weights),
        FACTS: json.dumps(facts, ensure_ascii=False).encode(),
    }
    # Red and green were seen, in every shade; blue was not.
    seen = np.array([[200.0, 20.0, 20.0], [20.0, 200.0, 20.0], [190.0, 10.0, 30.0]])
    if is_familiar:
        files[FAMILIARITY] = _pack(fit_familiarity(seen, seen + 5, 1, 0.05).pack())
    if explains:
        drawn = [np.full((20, 30, 3), colour, np.uint8) for colour in seen]
        labels = [class_names[1], class_names[0], class_names[1]]
        files[HEAT_MAP] = make_heat_network()
        files[NEAREST] = _pack(SmallPictures(labels, [shrink(one) for one in drawn]).pack())
    files[CHECKSUMS] = list_checksums(files)
    return files


def _pack(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def write_export(folder: Path, files: dict[str, bytes]) -> Path:
    """Put an export in its place in one step, as the catalog does."""
    draft = folder.with_name(f".{folder.name}.draft")
    FileTreeDataset(filepath=str(draft)).save(files)
    aside = folder.with_name(f".{folder.name}.aside")
    if folder.exists():
        folder.rename(aside)
    draft.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
    return folder
