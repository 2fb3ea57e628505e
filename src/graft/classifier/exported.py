"""The folder of an exported champion: a network in some format, and all that is needed to use it.

It is read without Keras, by the service too, and only if every file is as it was written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graft.analysis.familiarity import Familiarity, read_familiarity
from graft.analysis.temperature import apply_temperature
from graft.classifier.answers import Answer, Findings, decide
from graft.errors import GraftError
from graft.images.colours import show_in_rgb
from graft.images.decoding import decode_picture
from graft.images.deep_pictures import parse_range

FACTS, CHECKSUMS = "classifier.json", "checksums.json"
HEAT_MAP = "heat_map.onnx"


@dataclass(frozen=True)
class Exported:
    """What is known of an exported classifier beside its network.

    Attributes:
        folder: Where it lies.
        facts: ``name``, ``model``, ``format``, ``file`` (the network), ``class_names``,
            ``channels``, ``image_size``, ``colour``, ``max_pixels``, ``preprocessing`` in words,
            ``temperature``, ``threshold``, ``versions``; and, where they lie beside it,
            ``heat_map`` (the layer that it is of) and ``nearest_pictures``, how many of
            :mod:`graft.classifier.nearest` may be shown.
        digest: SHA-256 over all files: the name of this very classifier.
        familiarity: What tells pictures unlike those of train; None if it is not known.
    """

    folder: Path
    facts: Mapping[str, Any]
    digest: str
    familiarity: Familiarity | None

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of the probabilities."""
        names: list[str] = self.facts["class_names"]
        return names

    def decode(self, data: bytes, max_pixels: int | None = None) -> np.ndarray:
        """Pixels (H, W, channels), uint8, as the network takes them, of a picture file.

        Args:
            data: The bytes of the file.
            max_pixels: Largest allowed width × height, if it is to be less than in training.

        Raises:
            PictureError: If it cannot be used.
        """
        facts = self.facts
        most = min(facts["max_pixels"], max_pixels or facts["max_pixels"])
        values = parse_range(facts.get("value_range"))
        pixels = decode_picture(
            data, facts["image_size"], most, colour=facts["colour"], value_range=values
        )
        return show_in_rgb(pixels) if facts["channels"] == 3 else pixels

    def interpret(self, outputs: list[np.ndarray]) -> Findings:
        """Calibrated probabilities and distances, from what the network gives."""
        calibrated = apply_temperature(outputs[0], self.facts["temperature"])
        known = self.familiarity is not None and len(outputs) > 1
        distances = self.familiarity.measure(outputs[1]) if known and self.familiarity else None
        return Findings(calibrated.astype(np.float32), distances)

    def explain(self, findings: Findings) -> list[Answer]:
        """The answer for each picture, or why there is none."""
        farthest = self.familiarity.threshold if self.familiarity else float("inf")
        return decide(
            findings.probabilities,
            self.class_names,
            self.facts["threshold"],
            findings.distances,
            farthest,
        )


def list_checksums(files: Mapping[str, bytes]) -> bytes:
    """The file of checksums: SHA-256 of every other file, by name."""
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    return (json.dumps(sums, indent=1, ensure_ascii=False) + "\n").encode()


def read_exported(folder: str | Path) -> Exported:
    """Read an exported classifier, and check that it is what was written.

    Raises:
        GraftError: If it is no such folder, or a file is missing, added or altered.
    """
    place = Path(folder).expanduser()
    try:
        listed = (place / CHECKSUMS).read_bytes()
        sums = json.loads(listed)
        found = {
            file.relative_to(place).as_posix(): _hash(file)
            for file in sorted(place.rglob("*"))
            if file.is_file() and file != place / CHECKSUMS
        }
        facts = json.loads((place / FACTS).read_bytes())
    except (OSError, ValueError) as error:
        raise GraftError(
            f"an exported classifier is a folder with {CHECKSUMS}, {FACTS} and a network; make it "
            f"with `kedro run --pipelines=export`; got '{place}'"
        ) from error
    if found != sums:
        names = sorted({*found, *sums})
        odd = next(name for name in names if found.get(name) != sums.get(name))
        raise GraftError(
            f"every file must be as it was exported, and '{odd}' is not; export again with `kedro "
            f"run --pipelines=export`; got '{place}'"
        )
    return Exported(place, facts, hashlib.sha256(listed).hexdigest(), read_familiarity(place))


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
