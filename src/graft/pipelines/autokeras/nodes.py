"""Nodes of the search by AutoKeras: its network, from our pictures and as our classifiers are.

AutoKeras 3.0.0 is kept up and no longer developed (its issue 1939, 2024). Its head hands NumPy's
integers to Keras, which 3.13 and later refuse; a subclass of it turns them into Python's. Its
tuner has no limit of time; one is set from outside, by telling it that all trials have been had.
"""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from graft.compute.streams import copy_rows
from graft.errors import GraftError
from graft.pipelines.autokeras.parameters import AutoKerasParameters
from graft.progress import tell
from graft.training.backup import TrainingBackup
from graft.types import KerasModel

_BATCH = 64
_COLUMNS = {
    "loss": "loss", "accuracy": "accuracy", "val_loss": "dev_loss", "val_accuracy": "dev_accuracy",
}  # fmt: skip


def search_with_autokeras(
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    parameters: AutoKerasParameters,
) -> tuple[KerasModel, pd.DataFrame]:
    """Let AutoKeras search for a network: train to learn from, dev to choose by, test unseen.

    A search that was killed starts anew. One that is limited by minutes finds what the machine
    has time for.

    Returns:
        ``autokeras.classifier``: from pictures (N, H, W, channels) uint8 to probabilities
        (N, C). ``autokeras.history``: a row an epoch of the last training of the network that is
        kept; without a rate, which AutoKeras does not tell.

    Raises:
        GraftError: If AutoKeras is missing, or no network could be trained.
    """
    autokeras = import_autokeras()
    from graft.models.inference import predict_rows
    from graft.training.devices import seed_everything

    seed_everything(parameters.seed)
    small = _make_smaller(images.shape[1:], parameters)
    labels = splits["label_index"].to_numpy(np.int64)

    def read(name: str) -> tuple[np.ndarray, np.ndarray]:
        rows = np.flatnonzero(splits["split"] == name)
        return predict_rows(small, partial(copy_rows, images), rows, _BATCH), labels[rows]

    train, dev = read("train"), read("dev")
    with backup.hold():
        folder = backup.folder / "trials"
        network, history, count = _search(
            autokeras, folder, train, dev, len(class_names), parameters
        )
        classifier = _join(small, network, len(class_names))
        shutil.rmtree(folder)
    table = _tabulate(history, network, dev, parameters)
    tell(
        "AutoKeras", "%d networks tried; %s parameters, dev accuracy %.3f",
        count, f"{classifier.count_params():,}", table["dev_accuracy"].max(),
    )  # fmt: skip
    return classifier, table


def import_autokeras() -> Any:
    """AutoKeras.

    Raises:
        GraftError: If it is not installed.
    """
    try:
        import autokeras
    except ImportError as error:
        raise GraftError(
            "the candidate autokeras needs AutoKeras; install the extra: "
            "pip install -c constraints.txt -e '.[autokeras]'; got an environment without it"
        ) from error
    return autokeras


def _make_smaller(shape: tuple[int, ...], parameters: AutoKerasParameters) -> KerasModel:
    """From pictures as they are stored to what AutoKeras gets: float32, 0 to 255."""
    import keras

    pictures = keras.Input(shape, dtype="uint8", name="pixels")
    pixels = keras.layers.Rescaling(1.0, name="rescaling")(pictures)
    if parameters.grey and shape[-1] == 3:
        pixels = keras.ops.image.rgb_to_grayscale(pixels)
    size = parameters.image_size
    if shape[:2] != (size, size):
        pixels = keras.layers.Resizing(size, size, antialias=True, name="resizing")(pixels)
    return keras.Model(pictures, pixels, name="smaller")


def _search(
    autokeras: Any,
    folder: Path,
    train: tuple[np.ndarray, np.ndarray],
    dev: tuple[np.ndarray, np.ndarray],
    class_count: int,
    parameters: AutoKerasParameters,
) -> tuple[KerasModel, dict[str, list[float]], int]:
    import keras

    class IntegerHead(autokeras.ClassificationHead):
        """A head whose shape Keras takes."""

        shape: Any

        def build(self, hp: Any, inputs: Any = None) -> Any:
            self.shape = [int(number) for number in self.shape]
            return super().build(hp, inputs)

    class PlainBlock(autokeras.ImageBlock):
        """Its networks, which it would start from downloaded weights whenever it tries that."""

        def _build_block(self, hp: Any, node: Any, kind: str) -> Any:
            if kind == "vanilla":
                return autokeras.ConvBlock().build(hp, node)
            blocks = {
                "resnet": autokeras.ResNetBlock,
                "xception": autokeras.XceptionBlock,
                "efficient": autokeras.EfficientNetBlock,
            }
            return blocks[kind](pretrained=parameters.pretrained).build(hp, node)

    class Deadline(keras.callbacks.Callback):
        """Ends a training, and with it the search, when the time is over."""

        def __deepcopy__(self, _: Any) -> Deadline:
            return self  # the tuner gives a copy to every trial

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if time.monotonic() > end:
                self.model.stop_training = True
                tuner.oracle.max_trials = len(tuner.oracle.trials)

    kind = None if parameters.block == "any" else parameters.block
    pictures = autokeras.ImageInput()
    answers = IntegerHead()(PlainBlock(block_type=kind)(pictures))
    searched = autokeras.AutoModel(
        pictures, answers, project_name="search", directory=folder, overwrite=True,
        max_trials=parameters.trials, seed=parameters.seed, objective="val_accuracy",
    )  # fmt: skip
    tuner = searched.tuner
    end = float("inf")
    if parameters.minutes is not None:
        end = time.monotonic() + 60 * parameters.minutes
    names = np.array([f"{number:05d}" for number in range(class_count)])  # in their order
    stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    try:
        history = searched.fit(
            train[0], names[train[1]], validation_data=(dev[0], names[dev[1]]),
            epochs=parameters.epochs, batch_size=parameters.batch_size, verbose=0,
            callbacks=[Deadline(), stop],
        )  # fmt: skip
        found = searched.export_model()
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise GraftError(
            "AutoKeras could train no network; try autokeras.block=vanilla or more "
            f"autokeras.minutes; got {reason}"
        ) from error
    # It has a list of one input and one of one output.
    network = keras.Model(found.inputs[0], found.outputs[0], name="network")
    return network, getattr(history, "history", None) or {}, len(tuner.oracle.trials)


def _join(small: KerasModel, network: KerasModel, class_count: int) -> KerasModel:
    """One model of Keras' own layers, with a probability a class."""
    import keras

    def replace(layer: keras.Layer) -> keras.Layer:
        # Its own layer does on floats nothing that this does not; a file with it opens only where
        # AutoKeras is.
        if type(layer).__name__ == "CastToFloat32":
            return keras.layers.Rescaling(1.0, name=layer.name)
        return type(layer).from_config(layer.get_config())

    plain = keras.models.clone_model(network, clone_function=replace)
    plain.set_weights(network.get_weights())
    answers = plain(small.output)
    if class_count == 2 and answers.shape[-1] == 1:
        answers = keras.layers.Concatenate(name="probabilities")([1.0 - answers, answers])
    return keras.Model(small.input, answers, name="classifier")


def _tabulate(
    history: dict[str, list[float]],
    network: KerasModel,
    dev: tuple[np.ndarray, np.ndarray],
    parameters: AutoKerasParameters,
) -> pd.DataFrame:
    """The history as that of every training; of one that AutoKeras does not tell, its end."""
    columns = {ours: history[theirs] for theirs, ours in _COLUMNS.items() if theirs in history}
    if len(columns) < len(_COLUMNS):
        answers = network.predict(dev[0], batch_size=parameters.batch_size, verbose=0)
        two = np.hstack([1 - answers, answers]) if answers.shape[-1] == 1 else answers
        right = float((two.argmax(axis=1) == dev[1]).mean())
        chances = np.clip(two[np.arange(len(two)), dev[1]], 1e-7, 1)
        columns = {
            "loss": [np.nan], "accuracy": [np.nan],
            "dev_loss": [float(-np.log(chances).mean())], "dev_accuracy": [right],
        }  # fmt: skip
    table = pd.DataFrame(columns)
    table.insert(0, "epoch", np.arange(1, len(table) + 1))
    return table.assign(learning_rate=np.nan)
