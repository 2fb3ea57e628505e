"""Nodes of the export pipeline."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.familiarity import FAMILIARITY
from graft.analysis.intervals import wilson_interval
from graft.classifier.champion import Champion
from graft.classifier.exported import CHECKSUMS, FACTS, list_checksums
from graft.datasets.file_trees import FileTree
from graft.errors import GraftError
from graft.export.formats import (
    FILES,
    FLOATS,
    Run,
    convert,
    open_format,
    refuse_missing_libraries,
)
from graft.images.colours import make_reader
from graft.parameters.remembering import FamiliarityParameters
from graft.pipelines.candidates import draw_train
from graft.pipelines.export.page_extras import export_heat_map, export_small_pictures
from graft.pipelines.export.parameters import ExportParameters
from graft.progress import tell

_BATCH, _COVERAGE = 16, 0.95


def export_champion(
    champion: Champion,
    images: np.ndarray,
    splits: pd.DataFrame,
    parameters: ExportParameters,
    familiarity: FamiliarityParameters,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Write the champion in every format, and check each on the same pictures of dev.

    With ONNX go its heat map and, if they are asked for, small pictures of train.

    Returns:
        ``exported``: content of every file by its name, a folder a format, each with all that is
        needed to use it: see :class:`graft.classifier.exported.Exported`.
        ``export_check``: ``pictures``, ``champion`` (``accuracy`` with its interval) and of every
        format ``largest_difference`` (of a probability), ``same_answers`` (share), ``accuracy``
        with its interval, ``megabytes`` and ``usable``: whether it may stand in for the champion;
        of ``heat_map`` ``pictures``, ``largest_difference`` and ``layer``, or ``lacking``.

    Raises:
        GraftError: If a library is missing, dev has no picture, or a format in floats or the heat
            map gives something else than the champion. What was exported before stays.
    """
    refuse_missing_libraries(list(parameters.formats))
    rows = np.flatnonzero(splits["split"] == "dev")[: parameters.checked_pictures]
    if not len(rows):
        raise GraftError(
            "every format is checked on pictures of dev, and there is none; give dev a share with "
            "splitting.dev_share; got 0 pictures"
        )
    network = _lead_out(champion)
    read = make_reader(images, network.input_shape[-1])
    drawn = draw_train(splits, parameters.calibration_pictures, parameters.seed)
    calibration = read(np.sort(drawn))
    names = {name: number for number, name in enumerate(champion.class_names)}
    labels = splits["label"].iloc[rows].map(names).to_numpy()
    expected = _predict(_compile_keras(network), read, rows)
    check: dict[str, Any] = {
        "pictures": len(rows),
        "champion": {"accuracy": _measure_accuracy(labels, expected)},
    }
    files: dict[str, bytes] = {}
    for format_ in parameters.formats:
        with TemporaryDirectory() as place:
            folder = Path(place)
            convert(network, format_, folder, calibration)
            given = _predict(open_format(format_, folder), read, rows)
            content = FileTree(folder).read()
        found = _compare(format_, given, expected, labels, parameters.largest_difference)
        check[format_] = {
            **found, "megabytes": round(sum(map(len, content.values())) / 1e6, 3)
        }  # fmt: skip
        facts: dict[str, Any] = {}
        if format_ == "onnx" and parameters.heat_map:
            some = rows[:_BATCH]
            heat, check["heat_map"] = export_heat_map(
                champion, read(some), expected[: len(some)].argmax(axis=1)
            )
            content |= heat
            if heat:
                facts["heat_map"] = check["heat_map"]["layer"]
        if format_ == "onnx" and parameters.nearest_pictures:
            content |= export_small_pictures(
                champion, lambda pictures: np.asarray(network(pictures)[1]), images, splits,
                familiarity,
            )  # fmt: skip
            facts["nearest_pictures"] = parameters.nearest_pictures
        content |= _describe(champion, format_, facts)
        content[CHECKSUMS] = list_checksums(content)
        files |= {f"{format_}/{name}": data for name, data in content.items()}
    _tell(check, parameters)
    return files, check


def measure_latencies(
    champion: Champion, exported: FileTree, images: np.ndarray, parameters: ExportParameters
) -> dict[str, Any]:
    """Milliseconds a call, the median of some, at one and at 16 pictures; they differ every time.

    Returns:
        ``export_latency``: of ``champion`` (a compiled function, not ``model.predict``) and every
        format ``1`` and ``16``.
    """
    network = _lead_out(champion)
    read = make_reader(images, network.input_shape[-1])
    pictures = read(np.arange(_BATCH) % len(images))
    runs: dict[str, Run] = {
        format_: open_format(format_, exported.folder / format_) for format_ in parameters.formats
    }
    found = {}
    for name in ("champion", *runs):
        found[name] = {
            str(count): _time(
                runs.get(name) or _compile_keras(network, count),
                pictures[:count],
                parameters.repeats,
            )
            for count in (1, _BATCH)
        }
        tell(
            "Latency", "%-12s %8.1f ms for 1 picture, %8.1f ms for %d",
            name, found[name]["1"], found[name][str(_BATCH)], _BATCH,
        )  # fmt: skip
    return found


def _lead_out(champion: Champion) -> Any:
    """The network with its features as a second output, if the champion has a use for them."""
    import keras

    from graft.models.led_out import lead_out_features

    led_out = lead_out_features(champion.model) if champion.familiarity else None
    return led_out or keras.Model(champion.model.input, [champion.model.output])


def _compile_keras(network: Any, batch_size: int = _BATCH) -> Callable[..., list[np.ndarray]]:
    import keras

    from graft.models.inference import compile_forward

    forward = compile_forward(keras.Model(network.input, network.outputs[0]), batch_size)
    return lambda pictures: [forward(pictures)]


def _predict(
    run: Callable[[np.ndarray], list[np.ndarray]],
    read: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
) -> np.ndarray:
    starts = range(0, len(rows), _BATCH)
    return np.concatenate([run(read(rows[start : start + _BATCH]))[0] for start in starts])


def _compare(
    format_: str, given: np.ndarray, expected: np.ndarray, labels: np.ndarray, allowed: float
) -> dict[str, Any]:
    difference = float(np.abs(given - expected).max())
    if format_ in FLOATS and not difference <= allowed:
        raise GraftError(
            f"the format {format_} does not give what the champion gives; probabilities may differ "
            f"by export.largest_difference, {allowed:g}; leave the format out of export.formats, "
            f"what was exported before stays; got a difference of {difference:.2g}"
        )
    accuracy = _measure_accuracy(labels, given)
    lowest = _measure_accuracy(labels, expected)["low"]
    return {
        "largest_difference": difference,
        "same_answers": float((given.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        "accuracy": accuracy,
        "usable": format_ in FLOATS or accuracy["value"] >= lowest,
    }


def _measure_accuracy(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    hits, count = int((probabilities.argmax(axis=1) == labels).sum()), len(labels)
    low, high = wilson_interval(hits, count, _COVERAGE)
    return {"value": hits / count, "low": low, "high": high}


def _describe(champion: Champion, format_: str, more: Mapping[str, Any]) -> dict[str, bytes]:
    """The files beside the network: all that is needed to use it, with ``more`` facts of it."""
    known = ("name", "model", "image_size", "colour", "max_pixels", "preprocessing", "temperature",
             "threshold", "versions")  # fmt: skip
    facts = {
        **{name: champion.facts[name] for name in known},
        **{name: champion.facts[name] for name in ("value_range",) if name in champion.facts},
        "format": format_,
        "file": FILES[format_],
        "channels": champion.model.input_shape[-1],
        "class_names": champion.class_names,
        **more,
    }
    files = {FACTS: (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode()}
    if champion.familiarity is not None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **champion.familiarity.pack())
        files[FAMILIARITY] = buffer.getvalue()
    return files


def _time(run: Callable[..., Any], pictures: np.ndarray, repeats: int) -> float:
    run(pictures)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run(pictures)
        seconds.append(time.perf_counter() - start)
    return round(1000 * float(np.median(seconds)), 2)


def _tell(check: Mapping[str, Any], parameters: ExportParameters) -> None:
    tell("Checked", "on %s pictures of dev, against the champion:", check["pictures"])
    for format_ in parameters.formats:
        found = check[format_]
        tell(
            "", "%-12s differs by %.1e at most; answers equal %5.1f %%; %.1f MB%s",
            format_, found["largest_difference"], 100 * found["same_answers"], found["megabytes"],
            "" if found["usable"] else "; LESS ACCURATE",
        )  # fmt: skip
    heat = check.get("heat_map", {})
    if "lacking" in heat:
        tell("", "heat_map     none: %s", heat["lacking"])
    elif heat:
        tell(
            "", "heat_map     differs by %.1e at most, on %d of them; %.1f MB",
            heat["largest_difference"], heat["pictures"], heat["megabytes"],
        )  # fmt: skip
