"""The exported champion at work: its network, and who takes up a new one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.classifier.answers import Answer, Findings
from graft.classifier.exported import CHECKSUMS, Exported, read_exported
from graft.errors import GraftError
from graft.file_hashes import Stamp, stamp
from graft.serving.by_keras import FORMATS, KERAS_FILE, Run, open_champion, open_format
from graft.serving.explaining import Explainer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """A classifier that answers; a request asks one and the same from beginning to end.

    Attributes:
        exported: What is known of it beside its network.
        run: From pictures (n, H, W, channels) uint8 to probabilities and, perhaps, features.
        explainer: Says what it looked at.
    """

    exported: Exported
    run: Run
    explainer: Explainer

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """(H, W, channels) of what it takes."""
        size = self.exported.facts["image_size"]
        return size, size, self.exported.facts["channels"]

    def ask(self, pictures: np.ndarray) -> tuple[Findings, list[Answer]]:
        """Findings and answers for pictures (n, H, W, channels), uint8."""
        findings = self.exported.interpret(self.run(pictures))
        return findings, self.exported.explain(findings)


def find_export(folder: str | Path) -> Path:
    """The folder of the export that a person means: as ONNX if there is one.

    Args:
        folder: That folder, the one around it, or the champion's beside it.

    Raises:
        GraftError: If there is none, and no champion either.
    """
    place = Path(folder).expanduser()
    exports = [place / "onnx", place.parent / "exported" / "onnx"]
    others = [around / name for name in FORMATS for around in (place, place.parent / "exported")]
    champions = [place, place / "champion", place.parent / "champion"]
    for candidate in [place, *exports, *others]:
        if (candidate / CHECKSUMS).is_file():
            return candidate
    for candidate in champions:
        if (candidate / KERAS_FILE).is_file():
            return candidate
    raise GraftError(
        "the service needs an exported champion; make it with `kedro run --pipelines=export` and "
        f"name its folder, such as data/06_models/digits/exported/onnx; got '{place}'"
    )


def load_model(folder: Path, threads: int) -> Model:
    """Check and load a classifier.

    Args:
        folder: As of :func:`find_export`.
        threads: Of the network on ONNX Runtime; 0 lets it choose.

    Raises:
        GraftError: If a file is not as it was saved, or what runs it is not installed.
    """
    if not (folder / CHECKSUMS).is_file():
        exported, run = open_champion(folder)
    else:
        exported = read_exported(folder)
        is_onnx = exported.facts["format"] == "onnx"
        run = _open_onnx(exported, threads) if is_onnx else open_format(exported)
    model = Model(exported, run, Explainer(exported, run))
    # The first call plans the memory: at nobody's expense.
    model.ask(np.zeros((1, *model.picture_shape), np.uint8))
    return model


def _open_onnx(exported: Exported, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # A thread that waits for work by turning round takes the processor from the decoders.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(exported.folder / exported.facts["file"]),
            options,
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:  # ONNX Runtime has a kind of its own for every fault
        raise GraftError(
            "ONNX Runtime must be able to load the network; export again with `kedro run "
            f"--pipelines=export`; got '{exported.folder}': {str(error).splitlines()[0]}"
        ) from error
    name = session.get_inputs()[0].name

    def run(pictures: np.ndarray) -> list[np.ndarray]:
        found: list[np.ndarray] = session.run(None, {name: pictures})
        return found

    return run


class Engine:
    """Holds the model in use, and takes up a new one when its folder has changed.

    Args:
        folder: As of :func:`find_export`.
        threads: Of the network.

    Raises:
        GraftError: If there is no whole model now.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder, self._threads = folder, threads
        self._seen = self._look()
        self.model = load_model(folder, threads)

    def refresh(self) -> bool:
        """Take up a new model if there is one; whether there was. A damaged one is not taken up."""
        now = self._look()
        # While a folder is being replaced there is none for a moment.
        if now is None or now == self._seen:
            return False
        self._seen = now
        try:
            model = load_model(self._folder, self._threads)
        except GraftError as error:
            logger.warning("Model        refused, the one before stays: %s", error)
            return False
        if model.exported.digest == self.model.exported.digest:
            return False
        self.model = model
        logger.info("Model        %s, %s", model.exported.facts["name"], model.exported.digest[:12])
        return True

    def _look(self) -> Stamp | None:
        try:
            is_export = (self._folder / CHECKSUMS).is_file()
            return stamp(self._folder / (CHECKSUMS if is_export else KERAS_FILE))
        except OSError:
            return None
