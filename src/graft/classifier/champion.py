"""The champion: the chosen classifier with all that is needed to use it, in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.analysis.familiarity import FAMILIARITY, Familiarity, read_familiarity
from graft.analysis.temperature import apply_temperature
from graft.classifier.answers import Answer, Findings, decide
from graft.classifier.model_file import read_model, write_model
from graft.errors import GraftError, PictureError
from graft.images.colours import show_in_rgb
from graft.images.decoding import decode_picture
from graft.images.deep_pictures import parse_range

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
            ``value_range`` (if pictures of more than 8 bits were among them), ``temperature``,
            ``threshold``, ``data``, ``versions``, ``parameters``.
        metrics: Split to ``n`` and figures with their intervals.
        card: The model card, Markdown.
        familiarity: What tells pictures unlike those of train; None if it is not known.
    """

    model: keras.Model
    class_names: list[str]
    facts: Mapping[str, Any]
    metrics: Mapping[str, Any]
    card: str
    familiarity: Familiarity | None = None

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
                value_range=parse_range(self.facts.get("value_range")),
            )
        except (OSError, PictureError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise GraftError(
                f"a picture must be a file that Pillow can read ({reason}); got '{path}'"
            ) from error
        return show_in_rgb(pixels) if self.model.input_shape[-1] == 3 else pixels

    def compile_asking(self, batch_size: int = 32) -> Callable[[np.ndarray], Findings]:
        """Compile what asks the classifier, once, for a stream of batches.

        Args:
            batch_size: Pictures a pass. It is the same for every batch, so that a picture's
                probabilities do not depend on what else is asked.

        Returns:
            Function from pixels (n, H, W, channels), n at most ``batch_size``, to findings.

        Raises:
            GraftError: If the model has no features, and its folder says that it has.
        """
        from graft.models.inference import compile_forward

        dtype = self.model.inputs[0].dtype
        asked = compile_forward(self.find_asked(), batch_size)
        return lambda pixels: self.judge(asked(pixels.astype(dtype, copy=False)))

    def judge(self, outputs: np.ndarray) -> Findings:
        """What the outputs of :meth:`find_asked` for a batch of pictures say.

        Args:
            outputs: (n, C), or with features behind (n, C + D), float32.
        """
        count, familiarity = len(self.class_names), self.familiarity
        calibrated = apply_temperature(outputs[:, :count], self.facts["temperature"])
        distances = familiarity.measure(outputs[:, count:]) if familiarity else None
        return Findings(calibrated.astype(np.float32), distances)

    def find_asked(self) -> keras.Model:
        """The network that answers: with its features, if pictures unlike train are told.

        Raises:
            GraftError: If it has none, and the folder says that it has.
        """
        return self.lead_out() if self.familiarity else self.model

    def lead_out(self) -> keras.Model:
        """The model with its features behind its probabilities, (N, C + D), float32.

        Raises:
            GraftError: If it has none.
        """
        import keras

        from graft.models.led_out import lead_out_features

        led_out = lead_out_features(self.model)
        if led_out is None:
            raise GraftError(
                f"the model gives no features to compare pictures by; delete {FAMILIARITY} from "
                f"the champion's folder; got '{self.model.name}'"
            )
        joined_name = "probabilities_and_features"
        joined = keras.layers.Concatenate(name=joined_name)(led_out.outputs)
        # By what a network is called its outputs are known again.
        return keras.Model(led_out.input, joined, name=joined_name)

    def predict(self, pixels: np.ndarray, batch_size: int = 32) -> np.ndarray:
        """Calibrated probabilities (N, C), float32, of pictures; rows sum to 1.

        Args:
            pixels: (N, H, W, channels), uint8, as of :meth:`read_picture`.
            batch_size: Pictures a pass.
        """
        return self.ask(pixels, batch_size).probabilities

    def ask(self, pixels: np.ndarray, batch_size: int = 32) -> Findings:
        """Probabilities of pictures, and how far they are from those of train.

        Args:
            pixels: (N, H, W, channels), uint8, as of :meth:`read_picture`.
            batch_size: Pictures a pass.
        """
        ask = self.compile_asking(batch_size)
        starts = range(0, len(pixels), batch_size)
        found = [ask(pixels[start : start + batch_size]) for start in starts]
        nothing = np.empty((0, len(self.class_names)), np.float32)
        probabilities = np.concatenate([nothing, *(some.probabilities for some in found)])
        if self.familiarity is None:
            return Findings(probabilities, None)
        distances = [some.distances for some in found if some.distances is not None]
        return Findings(probabilities, np.concatenate([np.empty(0, np.float32), *distances]))

    def decide(
        self, probabilities: np.ndarray, distances: np.ndarray | None = None
    ) -> list[str | None]:
        """The answer for each picture, by the thresholds that were chosen on dev.

        Args:
            probabilities: (N, C), as of :meth:`predict`.
            distances: (N,), as of :meth:`ask`; None answers for what is unlike anything in
                training too.

        Returns:
            Names of classes: the most probable one if there is no threshold; None where the
            classifier is not sure enough to answer.
        """
        return [answer.name for answer in self.explain(Findings(probabilities, distances))]

    def explain(self, findings: Findings) -> list[Answer]:
        """The answer for each picture, or why there is none."""
        threshold, familiarity = self.facts["threshold"], self.familiarity
        if findings.distances is None or familiarity is None:
            return decide(findings.probabilities, self.class_names, threshold)
        return decide(
            findings.probabilities, self.class_names, threshold,
            findings.distances, familiarity.threshold,
        )  # fmt: skip


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
    model = read_model(place / CLASSIFIER, modules)
    return Champion(model, class_names, facts, metrics, card, read_familiarity(place))


def save_champion(
    champion: Champion,
    folder: Path,
    imports: Sequence[str] = (),
    write: Callable[[keras.Model, Path], None] = write_model,
) -> None:
    """Write a champion into a new folder.

    Args:
        champion: What to write.
        folder: Must not be there yet.
        imports: Modules that register classes of the model that are not of Keras itself.
        write: Writes the network into a file.
    """
    folder.mkdir(parents=True)
    write(champion.model, folder / CLASSIFIER)
    contents = {
        "classifier.json": {**champion.facts, "imports": list(imports)},
        "class_names.json": champion.class_names,
        "metrics.json": champion.metrics,
    }
    for name, content in contents.items():
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    (folder / CARD).write_text(champion.card, encoding="utf-8")
    if champion.familiarity is not None:
        np.savez(folder / FAMILIARITY, allow_pickle=False, **champion.familiarity.pack())
