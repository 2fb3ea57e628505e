"""A champion that lacks an export as ONNX, run by Keras or TensorFlow: slower, but it answers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np

from graft.classifier.exported import Exported, list_checksums
from graft.datasets.receipts import agrees_with_receipt, receipt_path
from graft.errors import GraftError

Run = Callable[[np.ndarray], list[np.ndarray]]
logger = logging.getLogger(__name__)
# Of a champion's folder: the network that Keras opens.
KERAS_FILE = "classifier.keras"
# Of an export's folder, in the order of preference.
FORMATS = ("saved_model", "litert", "litert_int8")


def open_format(exported: Exported) -> Run:
    """The network of an export that TensorFlow runs.

    Raises:
        GraftError: If TensorFlow is not installed.
    """
    format_ = exported.facts["format"]
    _tell("TensorFlow", exported.folder, f"the format {format_}")
    from graft.export.formats import open_format as open_network

    return _take_turns(open_network(format_, exported.folder))


def open_champion(folder: Path) -> tuple[Exported, Run]:
    """A champion as it was saved by its training; no code in its file is executed.

    Raises:
        GraftError: If Keras is not installed, or a file is not as it was saved. A folder that was
            copied from elsewhere has no receipt, by which that could be told.
    """
    _tell("Keras", folder, "a champion that was not exported")
    if receipt_path(folder).exists() and not agrees_with_receipt(folder):
        raise GraftError(
            "every file of a champion must be as it was saved; make it again with `kedro run`; "
            f"got '{folder}'"
        )
    from graft.classifier.champion import load_champion
    from graft.models.inference import compile_forward

    champion = load_champion(folder, ["graft.models.networks"])
    familiarity, count = champion.familiarity, len(champion.class_names)
    dtype = champion.model.inputs[0].dtype
    forward = compile_forward(champion.lead_out() if familiarity else champion.model, 1)

    def run(pictures: np.ndarray) -> list[np.ndarray]:
        # One by one: the same picture gets the same bits, whatever comes with it.
        rows = np.concatenate([forward(picture[np.newaxis].astype(dtype)) for picture in pictures])
        return [rows[:, :count], rows[:, count:]] if familiarity else [rows]

    facts = {
        **champion.facts, "format": "keras", "file": KERAS_FILE,
        "class_names": champion.class_names, "channels": champion.model.input_shape[-1],
    }  # fmt: skip
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    digest = hashlib.sha256(list_checksums(files)).hexdigest()
    return Exported(folder, facts, digest, familiarity), _take_turns(run)


def _tell(what: str, folder: Path, found: str) -> None:
    if not find_spec("tensorflow"):
        raise GraftError(
            "the service runs the format onnx; make it with `kedro run --pipelines=export`, or "
            f"install what trains with `pip install 'graft[train]'`; got {found} in '{folder}'"
        )
    logger.warning(
        "Runs         by %s, slower than as ONNX, for '%s' is %s; make that with `kedro run "
        "--pipelines=export`", what, folder, found,
    )  # fmt: skip


def _take_turns(run: Run) -> Run:
    """One call at a time: TensorFlow shares its threads among calls, LiteRT has one memory."""
    lock = Lock()

    def run_alone(pictures: np.ndarray) -> list[np.ndarray]:
        with lock:
            return run(pictures)

    return run_alone
