"""What is asked of a classifier about a picture, and the row that comes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from graft.classifier.answers import decide, rank_classes
from graft.classifier.champion import Champion
from graft.compute.workers import Failure
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.decoding import decode_picture

# What tells rows of a picture apart from those of another, and is for the program alone.
TRACES = ["sha256", "origin"]


@dataclass(frozen=True)
class Asking:
    """How pictures are asked about.

    Attributes:
        classifier: Whom.
        columns: Of what is said of a picture.
        recipe: Digest of all that a row is made of, but the picture.
    """

    classifier: Champion
    columns: list[str]
    recipe: str

    def answer(self, batch: list[np.ndarray | Failure]) -> list[dict[str, Any]]:
        """Rows of a batch of pictures.

        Args:
            batch: What the network gives for each, or why there is nothing.
        """
        rows = [self._make_row(result) for result in batch]
        good = {n: result for n, result in enumerate(batch) if not isinstance(result, Failure)}
        if not good:
            return rows
        findings = self.classifier.judge(np.stack([*good.values()]))
        probabilities, distances = findings
        names, answers = self.classifier.class_names, self.classifier.explain(findings)
        ranked = rank_classes(probabilities, len(self.columns[4:]) // 2)
        for number, answer, classes, values in zip(
            good, answers, ranked, probabilities, strict=True
        ):
            listed = [part for index in classes for part in (names[index], float(values[index]))]
            said = [answer.name, answer.name is not None, answer.reason]
            rows[number] = dict(zip(self.columns, [*said, None, *listed], strict=True))
        if distances is not None:
            for number, distance in zip(good, distances.tolist(), strict=True):
                rows[number]["distance"] = distance
        return rows

    def _make_row(self, result: np.ndarray | Failure) -> dict[str, Any]:
        reason = result.reason if isinstance(result, Failure) else ""
        row = dict.fromkeys(self.columns)
        return {**row, "answered": False, "reason": reason}


def prepare_asking(classifier: Champion, identity: str, top: int) -> Asking:
    """Make ready to ask.

    Args:
        classifier: Whom.
        identity: Digest of all that the outputs of its network are made of, but the pixels.
        top: Classes that are listed a picture.
    """
    names = classifier.class_names
    places = range(1, min(top, len(names)) + 1)
    listed = [f"{part}_{place}" for place in places for part in ("class", "probability")]
    familiarity = classifier.familiarity
    packed = familiarity.pack() if familiarity else {}
    facts = classifier.facts
    ways = [facts[name] for name in ("image_size", "max_pixels", "colour", "temperature")]
    recipe = hash_parts(
        identity,
        fingerprint_code(decode_picture),
        fingerprint_code(decide),
        *ways,
        *([values] if (values := facts.get("value_range")) else []),
        json.dumps([facts["threshold"], names]),
        len(places),
        *(array.tobytes() for array in packed.values()),
    )
    columns = ["answer", "answered", "reason", "distance", *listed]
    return Asking(classifier, columns, recipe)


def list_known(previous: pd.DataFrame | None, columns: list[str]) -> pd.DataFrame:
    """What the last run found, if it was asked for the same columns."""
    wanted = [*columns, *TRACES]
    if previous is None or list(previous.columns) != ["file", *wanted]:
        return set_types(pd.DataFrame(columns=wanted))
    return set_types(previous[wanted])


def set_types(table: pd.DataFrame) -> pd.DataFrame:
    """Stated types: a column of nothing but missing values would have none."""
    kinds = {name: "float32" for name in table.columns if name.startswith("probability_")}
    kinds |= {"answered": "bool", "distance": "float32"}
    return table.astype({name: kinds.get(name, "str") for name in table.columns})
