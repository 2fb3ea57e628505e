"""Catalog type for the champion: the chosen classifier, with all that is needed to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.datasets.atomic import LocalDataset
from graft.datasets.keras_model import KerasModelDataset
from graft.errors import GraftError, PictureError
from graft.images.colours import show_in_rgb
from graft.images.decoding import decode_picture

if TYPE_CHECKING:
    import keras

CLASSIFIER = "classifier.keras"
CARD = "model_card.md"


@dataclass(frozen=True)
class Champion:
    """The classifier that was chosen on dev, ready for use.

    Attributes:
        model: From pictures (N, H, W, channels) uint8 to probabilities (N, C), as trained.
        class_names: Names of the C classes, in the order of the probabilities.
        facts: What ``classifier.json`` says: ``model`` (``frozen``, ``fine_tuned`` or
            ``from_scratch``), ``image_size``, ``colour``, ``max_pixels``, ``preprocessing``,
            ``temperature``, ``threshold``, ``data``, ``versions``, ``parameters``.
        metrics: Split to ``n`` and figures with their intervals.
        card: The model card, Markdown.
    """

    model: keras.Model
    class_names: list[str]
    facts: Mapping[str, Any]
    metrics: Mapping[str, Any]
    card: str

    def read_picture(self, path: str | Path) -> np.ndarray:
        """Decode a picture file as the pictures to train on were.

        Returns:
            Pixels (H, W, channels), uint8, as :attr:`model` takes them.

        Raises:
            GraftError: If it cannot be read, or is no picture.
        """
        try:
            pixels = decode_picture(
                Path(path).read_bytes(),
                self.facts["image_size"],
                self.facts["max_pixels"],
                colour=self.facts["colour"],
            )
        except (OSError, PictureError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise GraftError(
                f"a picture must be a file that Pillow can read ({reason}); got '{path}'"
            ) from error
        return show_in_rgb(pixels) if self.model.input_shape[-1] == 3 else pixels

    def predict(self, pixels: np.ndarray, batch_size: int = 32) -> np.ndarray:
        """Calibrated probabilities (N, C), float32, of pictures; rows sum to 1.

        Args:
            pixels: (N, H, W, channels), uint8, as of :meth:`read_picture`.
            batch_size: Pictures a pass.
        """
        raw = self.model.predict(pixels, batch_size=batch_size, verbose=0)
        return apply_temperature(raw, self.facts["temperature"])

    def decide(self, probabilities: np.ndarray) -> list[str | None]:
        """The answer for each picture, by the threshold that was chosen on dev.

        Args:
            probabilities: (N, C), as of :meth:`predict`.

        Returns:
            Names of classes: the most probable one if there is no threshold; None where the
            classifier is not sure enough to answer.
        """
        names, threshold = np.array(self.class_names), self.facts["threshold"]
        likeliest = names[probabilities.argmax(axis=1)].tolist()
        if threshold is None:
            return likeliest
        if threshold["kind"] == "abstain":
            sure = probabilities.max(axis=1) >= threshold["value"]
            return [name if yes else None for name, yes in zip(likeliest, sure, strict=True)]
        positive = self.class_names.index(threshold["positive_class"])
        says_yes = probabilities[:, positive] >= threshold["value"]
        return [self.class_names[positive if yes else 1 - positive] for yes in says_yes]


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the scores before the softmax by a temperature (Guo et al., ICML 2017).

    It is what the calibration stage measures, for use without that stage.

    Args:
        probabilities: (N, C).
        temperature: Above 1 makes them less sure, below 1 more; the order stays.

    Returns:
        Probabilities (N, C), float32.

    Examples:
        >>> apply_temperature(np.array([[0.2, 0.8]]), 2.0).round(2)
        array([[0.33, 0.67]], dtype=float32)
    """
    if temperature == 1:
        return probabilities.astype(np.float32)
    floor = np.finfo(np.float64).eps
    scores = np.log(np.maximum(probabilities.astype(np.float64), floor)) / temperature
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def load_champion(folder: str | Path, imports: Sequence[str] = ()) -> Champion:
    """Load the champion from its folder.

    Args:
        folder: Such as ``data/06_models/digits/champion``.
        imports: Modules that register classes of a network of your own, beside those that are
            known from its training.

    Raises:
        GraftError: If it is not there.
    """
    place = Path(folder)
    try:
        facts, class_names, metrics = (
            json.loads((place / name).read_text(encoding="utf-8"))
            for name in ("classifier.json", "class_names.json", "metrics.json")
        )
        card = (place / CARD).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise GraftError(
            "a champion is a folder with classifier.json, class_names.json, metrics.json, "
            f"{CARD} and {CLASSIFIER}; make it with `kedro run`; got '{place}'"
        ) from error
    modules = [*dict.fromkeys([*facts["imports"], *imports])]
    model = KerasModelDataset(filepath=str(place / CLASSIFIER), imports=modules).load()
    return Champion(model, class_names, facts, metrics, card)


class ChampionDataset(LocalDataset[Champion, Champion]):
    """A folder: ``classifier.keras``, ``classifier.json``, class names, metrics, model card.

    Args:
        filepath: The folder.
        imports: Modules that register classes of the model that are not of Keras itself.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self, *, filepath: str, imports: Sequence[str] = (), metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._imports = list(imports)

    def load(self) -> Champion:
        return load_champion(self._filepath, self._imports)

    def save(self, data: Champion) -> None:
        self._filepath.mkdir(parents=True)
        KerasModelDataset(filepath=str(self._filepath / CLASSIFIER)).save(data.model)
        contents = {
            "classifier.json": {**data.facts, "imports": self._imports},
            "class_names.json": data.class_names,
            "metrics.json": data.metrics,
        }
        for name, content in contents.items():
            text = json.dumps(content, indent=1, ensure_ascii=False)
            (self._filepath / name).write_text(text + "\n", encoding="utf-8")
        (self._filepath / CARD).write_text(data.card, encoding="utf-8")
