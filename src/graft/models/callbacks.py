"""Callbacks that the parameters declare, by name or by dotted path."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from graft.errors import GraftError
from graft.models.dotted_paths import load_by_path
from graft.training_parameters import TrainingParameters


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
    """Keras' TensorBoard callback: losses, metrics and the graph; takes all its arguments."""
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
