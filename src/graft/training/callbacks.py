"""Callbacks that the parameters declare, by name or by dotted path."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from graft.dotted_paths import load_by_path
from graft.errors import GraftError
from graft.parameters.training import TrainingParameters

_MOST_MISTAKES, _MOST_POINTS = 24, 5000
_PROJECTOR = """embeddings {
  tensor_name: "features of dev"
  tensor_path: "features.tsv"
  metadata_path: "pictures.tsv"
}
"""


def show_dev(
    logs: Path,
    dev: pd.DataFrame,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    read_pictures: Callable[[np.ndarray], np.ndarray],
    features: np.ndarray | None = None,
) -> None:
    """Write what TensorBoard shows of dev beside the losses.

    Args:
        logs: Folder of the logs of a training; its folder ``tensorboard`` is written to.
        dev: ``image_id`` and ``label_index``, a row a picture.
        probabilities: float32 (n, C).
        class_names: Names of the classes.
        read_pictures: From numbers of rows of ``dev`` to pictures, uint8 (k, H, W, 3).
        features: float32 (n, D) for the projector; None leaves it out.
    """
    names = np.asarray(class_names, dtype=object)
    table = pd.DataFrame(
        {
            "image_id": dev["image_id"].to_numpy(),
            "label": names[dev["label_index"].to_numpy()],
            "predicted": names[probabilities.argmax(axis=1)],
            "probability": probabilities.max(axis=1),
        }
    )
    wrong = np.flatnonzero(table["label"] != table["predicted"])
    wrong = wrong[np.argsort(-table["probability"].to_numpy()[wrong], kind="stable")][
        :_MOST_MISTAKES
    ]
    write_mistakes(logs / "tensorboard" / "dev", read_pictures(wrong), table.iloc[wrong])
    if features is not None:
        shown = np.linspace(0, len(dev) - 1, min(len(dev), _MOST_POINTS)).astype(int)
        write_projector(logs / "tensorboard", features[shown], table.iloc[shown])


def write_mistakes(folder: Path, pictures: np.ndarray, mistakes: pd.DataFrame) -> None:
    """Write pictures that were named wrong.

    Args:
        folder: Made anew; what is in it is removed.
        pictures: uint8 (n, H, W, 3), a picture a row of ``mistakes``.
        mistakes: ``image_id``, ``label``, ``predicted`` and ``probability`` (of the latter).
    """
    import tensorflow as tf  # TensorBoard's writer, whatever the backend

    shutil.rmtree(folder, ignore_errors=True)
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=0):
        for place, mistake in enumerate(mistakes.to_dict("records")):
            told = f"{mistake['label']} taken for {mistake['predicted']}"
            text = f"{mistake['image_id']}: {told} ({mistake['probability']:.2f})"
            tf.summary.image(
                f"mistakes/{place + 1:02d} {told}", pictures[place : place + 1], description=text
            )
    writer.close()


def write_projector(folder: Path, features: np.ndarray, pictures: pd.DataFrame) -> None:
    """Write features for TensorBoard's projector, which turns and searches them in space.

    Args:
        folder: Where event files of TensorBoard lie.
        features: float32 (n, D).
        pictures: What is known of each of them, a column each; two or more columns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "features.tsv", features, fmt="%.6g", delimiter="\t")
    # The projector takes every line end for that of a row, quoted or not.
    pictures = pictures.replace(r"[\t\r\n]", " ", regex=True)
    pictures.to_csv(folder / "pictures.tsv", sep="\t", index=False)
    (folder / "projector_config.pbtxt").write_text(_PROJECTOR)


@dataclass(frozen=True)
class Watched:
    """What a callback may look at.

    Attributes:
        model: The model as it will be saved.
        trained: The model that is compiled and trained; the same weights, or their source.
        folder: Where the callback may write.
    """

    model: keras.Model
    trained: keras.Model
    folder: Path


CALLBACK_MAKERS: dict[str, Callable[..., keras.callbacks.Callback]] = {}


def _callback(name: str) -> Callable[..., Any]:
    def register(make: Callable[..., keras.callbacks.Callback]) -> Callable[..., Any]:
        CALLBACK_MAKERS[name] = make
        return make

    return register


def make_callbacks(
    settings: TrainingParameters, logs: Path | None, model: keras.Model, trained: keras.Model
) -> list[keras.callbacks.Callback]:
    """The callbacks of ``settings``, in their order.

    A callback of one's own is called with the arguments beside ``class``; if its constructor
    takes a ``folder`` that is not among them, it gets one to write into. A training that was
    killed goes on with its public attributes as they were, if these are plain data or arrays.

    Args:
        settings: Declares the callbacks.
        logs: Folder that they write to, each into a folder of its own name.
        model: The model as it will be saved.
        trained: The model that is trained.

    Raises:
        GraftError: If a class cannot be found or does not take its arguments.
        ValueError: If there are callbacks but no folder.
    """
    if settings.callbacks and logs is None:
        raise ValueError("callbacks need a folder for their logs")
    made = []
    for number, callback in enumerate(settings.callbacks):
        arguments = {name: value for name, value in callback.items() if name != "class"}
        name = str(callback["class"])
        watched = Watched(model, trained, Path(logs or "") / name.rpartition(".")[2])
        parameter = f"{settings.stage}.callbacks[{number}]"
        made.append(_make(name, arguments, watched, parameter))
    return made


def _make(
    name: str, arguments: dict[str, Any], watched: Watched, parameter: str
) -> keras.callbacks.Callback:
    if name in CALLBACK_MAKERS:
        make, given = CALLBACK_MAKERS[name], {"watched": watched, **arguments}
    else:
        make, given = load_by_path(name, parameter), dict(arguments)
        if "folder" in inspect.signature(make).parameters and "folder" not in given:
            watched.folder.mkdir(parents=True, exist_ok=True)
            given["folder"] = watched.folder
    try:
        callback = make(**given)
    except GraftError:
        raise
    except Exception as error:  # a constructor of the user's may fail in any way
        raise GraftError(
            f"{parameter}: '{name}' cannot be made from its arguments ({type(error).__name__}: "
            f"{' '.join(str(error).split())}); got {arguments}"
        ) from error
    if not isinstance(callback, keras.callbacks.Callback):
        raise GraftError(
            f"{parameter}: a class of keras.callbacks.Callback is needed; got '{name}'"
        )
    return callback


@_callback("csv_logger")
class EpochLog(keras.callbacks.Callback):
    """A CSV with a row an epoch, whole at any moment, also after a resume.

    Keras' ``CSVLogger`` appends: after a kill, epochs stand in it twice or cut short.
    """

    def __init__(self, watched: Watched) -> None:
        super().__init__()
        self._path = watched.folder / "epochs.csv"
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name.replace("val_", "dev_"): float(v) for name, v in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, **values})
        _write_whole(self._path, lambda path: pd.DataFrame(self.rows).to_csv(path, index=False))


@_callback("model_checkpoint")
class Checkpoints(keras.callbacks.Callback):
    """Whole models saved between epochs, without the optimizer.

    Args:
        watched: What is saved, and where.
        keep: ``best`` keeps one file, the epoch with the lowest loss on dev; ``every`` keeps all.
        name: Pattern of the file names: ``epoch``, ``loss``, ``accuracy``, ``dev_loss`` and
            ``dev_accuracy`` can be in it.
    """

    def __init__(self, watched: Watched, keep: str = "best", name: str | None = None) -> None:
        super().__init__()
        if keep not in ("best", "every"):
            raise GraftError(f"model_checkpoint: keep takes 'best' or 'every'; got '{keep}'")
        self._watched = watched
        self._keep = keep
        self._name = name or ("best" if keep == "best" else "{epoch:03d}-{dev_loss:.4f}")
        _format(self._name, dict.fromkeys(["loss", "accuracy", "dev_loss", "dev_accuracy"], 0.5), 1)
        self.best_loss = float("inf")
        self.last_name = ""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name.replace("val_", "dev_"): float(v) for name, v in (logs or {}).items()}
        if self._keep == "best" and values["dev_loss"] >= self.best_loss:
            return
        name = f"{_format(self._name, values, epoch + 1)}.keras"
        self._watched.model.set_weights(self._watched.trained.get_weights())
        _write_whole(self._watched.folder / name, self._watched.model.save)
        if self._keep == "best" and self.last_name not in ("", name):
            (self._watched.folder / self.last_name).unlink(missing_ok=True)
        self.best_loss, self.last_name = values["dev_loss"], name


@_callback("tensorboard")
def make_tensorboard(watched: Watched, **arguments: Any) -> keras.callbacks.Callback:
    """Keras' TensorBoard callback: losses, metrics and the graph; takes all its arguments.

    Raises:
        GraftError: If TensorFlow, which writes for TensorBoard, is not installed.
    """
    if not find_spec("tensorflow"):
        raise GraftError(
            "the callback tensorboard writes with TensorFlow, also where JAX trains; install it "
            "with `pip install -c constraints.txt -e '.[train]'`, or leave it out of callbacks; "
            "got no module 'tensorflow'"
        )
    return keras.callbacks.TensorBoard(log_dir=str(watched.folder), **arguments)


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file beside its place and move it there, so that it is never seen half written."""
    draft = path.with_name(f".draft-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(draft)
        os.replace(draft, path)
    except OSError as error:
        raise GraftError(
            f"a callback cannot write ({error.strerror or error}); free some space or make the "
            f"folder writable, then run again: the training goes on where it was; got '{path}'"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()


def _format(pattern: str, values: dict[str, float], epoch: int) -> str:
    try:
        name = pattern.format(epoch=epoch, **values)
    except (KeyError, IndexError, ValueError) as error:
        raise GraftError(
            "model_checkpoint: name may hold {epoch}, {loss}, {accuracy}, {dev_loss} and "
            f"{{dev_accuracy}}, with a format such as {{epoch:03d}}; got '{pattern}'"
        ) from error
    if Path(name).name != name:
        raise GraftError(f"model_checkpoint: name is a file name, no path; got '{pattern}'")
    return name
