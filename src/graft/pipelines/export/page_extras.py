"""What goes with ONNX for the page: what the champion looked at, and what it was trained on."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from graft.classifier.champion import Champion
from graft.classifier.exported import HEAT_MAP
from graft.classifier.nearest import NEAREST, SmallPictures, shrink
from graft.errors import GraftError
from graft.export.heat_map import convert_heat_map
from graft.images.colours import make_reader
from graft.parameters.remembering import FamiliarityParameters
from graft.pipelines.candidates import draw_train

# One of the 256 levels of heat that the explanation of a mistake is kept in.
HEAT_DIFFERENCE = 1 / 255
_CHECKED, _COMPARED = 16, 8


def export_heat_map(
    champion: Champion, pictures: np.ndarray, classes: np.ndarray
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Write Grad-CAM as ONNX, and check it against that of ``explanation``.

    Args:
        champion: Whose.
        pictures: To check it on, (n, H, W, channels), uint8; the first 16 count.
        classes: For which class, int (n,).

    Returns:
        The file by its name, and ``pictures``, ``largest_difference`` (of heat from 0 to 1),
        ``layer``, ``height``, ``width`` and ``megabytes``. Where there is none no file, and
        ``lacking``, why.

    Raises:
        GraftError: If it differs by more than :data:`HEAT_DIFFERENCE`.
    """
    import onnxruntime

    from graft.models.grad_cam import compile_heat_maps, find_last_map

    found = find_last_map(champion.model)
    if found is None:
        return {}, {"lacking": "the network has no feature map"}
    with TemporaryDirectory() as folder:
        file = Path(folder) / HEAT_MAP
        lacking = convert_heat_map(found, file)
        if lacking:
            return {}, {"lacking": f"ONNX has no {', '.join(lacking)}"}
        content = file.read_bytes()
    pictures, classes = pictures[:_CHECKED], classes[:_CHECKED].astype(np.int64)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    expected = compile_heat_maps(found, _CHECKED)(pictures, classes)
    given = [
        session.run(None, {"pictures": pictures[[row]], "classes": classes[[row]]})[0][0]
        for row in range(len(pictures))
    ]
    difference = float(np.abs(np.stack(given) - expected).max())
    if not difference <= HEAT_DIFFERENCE:
        raise GraftError(
            "the exported heat map does not show what Grad-CAM shows; heat from 0 to 1 may differ "
            f"by {HEAT_DIFFERENCE:.4f}; leave it out with export.heat_map=false, what was exported "
            f"before stays; got a difference of {difference:.2g}"
        )
    height, width, _ = found.shape
    return {HEAT_MAP: content}, {
        "pictures": len(pictures), "largest_difference": difference, "layer": found.layer,
        "height": height, "width": width, "megabytes": round(len(content) / 1e6, 3),
    }  # fmt: skip


def export_small_pictures(
    champion: Champion,
    measure: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    splits: pd.DataFrame,
    familiarity: FamiliarityParameters,
) -> dict[str, bytes]:
    """Write the pictures of train that the champion remembers, small.

    Args:
        champion: Which remembers their features alone.
        measure: From pictures (n, H, W, channels) uint8 to features (n, D).
        images: Pixels of all pictures, in the order of ``splits``.
        splits: Who is in train.
        familiarity: By which those that are remembered were drawn.

    Returns:
        The file by its name.

    Raises:
        GraftError: If the champion remembers none, or others.
    """
    if champion.familiarity is None:
        raise GraftError(
            "the nearest pictures are those that the champion remembers, and it knows of none; "
            "leave export.nearest_pictures at 0; got no familiarity in the champion"
        )
    reference = champion.familiarity.reference
    rows = draw_train(splits, familiarity.pictures, familiarity.seed)[: len(reference)]
    read = make_reader(images, champion.model.input_shape[-1])
    some = read(rows[:_COMPARED])
    again = measure(some)
    again = again / np.maximum(np.linalg.norm(again, axis=1, keepdims=True), 1e-12)
    if len(rows) < len(reference) or not np.allclose(again, reference[: len(some)], atol=1e-2):
        raise GraftError(
            "the pictures of train must be those that the champion remembers; make the champion "
            "again with `kedro run`, or leave export.nearest_pictures at 0; got other pictures"
        )
    in_colour = make_reader(images, 3)
    files = [shrink(in_colour(rows[place : place + 1])[0]) for place in range(len(rows))]
    pictures = SmallPictures(splits["label"].iloc[rows].astype(str).tolist(), files)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **pictures.pack())
    return {NEAREST: buffer.getvalue()}
