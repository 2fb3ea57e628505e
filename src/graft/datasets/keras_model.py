"""Catalog types for Keras models, and for the champion among them.

Making a network from its file takes a second, and a run needs some of them a dozen times. So a
node that has ended leaves the networks that it was given to the nodes after it. It may have done
with them what it liked: trained them, frozen layers, joined one to another. So before one is handed
out again, all that would be saved of it is compared with what it was when it came from its file:
layers, settings, what is trainable, weights, states of random layers.

Nobody else shares: whoever loads a network outside of a run, or twice in one node, gets one of
their own, and a network in use by one thread is never seen by another.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from kedro.framework.hooks import hook_impl

from graft.classifier.champion import Champion, load_champion, save_champion
from graft.classifier.model_file import read_model, write_model
from graft.datasets.atomic import LocalDataset, UserFileDataset
from graft.datasets.receipts import agrees_with_receipt, receipt_path
from graft.errors import GraftError

if TYPE_CHECKING:
    import keras

_KEPT = 3


class _Shelf(threading.local):
    """Networks of one thread with their states, by the content of their files.

    By that alone: where a run keeps the head as it is, the frozen, the fine-tuned and the chosen
    classifier are three files of the same bytes.

    Attributes:
        is_loading: Whether a node of a run is being given its inputs.
        lent: Those of the node at work.
        kept: Those of the nodes before it, the latest last.
    """

    def __init__(self) -> None:
        self.empty()

    def empty(self) -> None:
        """Be as it was in the beginning."""
        self.is_loading = False
        self.lent: list[tuple[str, keras.Model, str]] = []
        self.kept: OrderedDict[str, tuple[keras.Model, str]] = OrderedDict()


_shelf = _Shelf()


def share_model(file: Path, read: Callable[[], keras.Model]) -> keras.Model:
    """The network of a file; in a run, one that a node before left as it was in the file.

    Args:
        file: What it is known by: its content, never a name or a time.
        read: Makes the network from the file.
    """
    if not _shelf.is_loading:
        return read()
    with file.open("rb") as content:
        known = hashlib.file_digest(content, "sha256").hexdigest()
    model, state = _shelf.kept.pop(known, (None, ""))
    if model is None or describe_state(model) != state:
        model = read()
        state = describe_state(model)
    _shelf.lent.append((known, model, state))
    return model


class SharedModelsHook:
    """Tells the nodes of a run from everybody else who loads a network."""

    @hook_impl
    def before_dataset_loaded(self) -> None:
        """A node is about to be given an input."""
        _shelf.is_loading = True

    @hook_impl
    def after_dataset_loaded(self) -> None:
        """It was given."""
        _shelf.is_loading = False

    @hook_impl
    def after_node_run(self) -> None:
        """The node needs its inputs no more: a few of its networks are kept for the next."""
        for known, model, state in _shelf.lent:
            _shelf.kept[known] = model, state
            _shelf.kept.move_to_end(known)
        _shelf.lent.clear()
        while len(_shelf.kept) > _KEPT:
            _shelf.kept.popitem(last=False)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Nothing outlives the run."""
        _shelf.empty()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Nothing outlives the run, however it ended."""
        _shelf.empty()


def describe_state(model: keras.Model) -> str:
    """SHA-256 of layers, settings, weights and states of random layers."""
    digest = hashlib.sha256(model.to_json().encode())
    for variable in model.variables:
        digest.update(f"{variable.path} {variable.dtype} {variable.trainable} ".encode())
        digest.update(np.ascontiguousarray(variable).data)
    return digest.hexdigest()


class KerasModelDataset(LocalDataset["keras.Model", "keras.Model"]):
    """A ``.keras`` file.

    kedro-datasets' ``tensorflow.TensorFlowModelDataset`` does the same but imports TensorFlow
    where it is declared; this one imports it where a model is loaded or saved, so that the
    catalog can be listed and drawn in a second. Code inside the file is never executed
    (``safe_mode``). The same model is the same file: neither times nor addresses in
    memory are stored in it.

    Two loads give two networks, of which one may be trained and the other not. Only nodes that
    follow one another in a run are given the same object, as long as it is as it was in the file
    (:mod:`graft.datasets.keras_model`).

    Args:
        filepath: The file.
        imports: Modules that register classes of the model that are not of Keras itself.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        imports: Sequence[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._imports = imports

    def load(self) -> keras.Model:
        return share_model(self._filepath, lambda: read_model(self._filepath, self._imports))

    def save(self, data: keras.Model) -> None:
        write_model(data, self._filepath)


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
        save_champion(data, self._filepath, self._imports)


class ChampionInUseDataset(UserFileDataset):
    """A champion's folder, as it stands: nobody asks whether what it was trained on has changed.

    It loads as a function that loads the champion: whoever asks another classifier need not wait
    for it, nor have one. None if there is none.

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

    def load(self) -> Callable[[], Champion] | None:
        return self._load_checked if self.list_files() else None

    def _load_checked(self) -> Champion:
        place = Path(self._filepath).expanduser()
        # A folder that was copied from elsewhere has no receipt beside it.
        if receipt_path(place).exists() and not agrees_with_receipt(place):
            raise GraftError(
                "the champion was cut short or altered since it was saved; make it again with "
                f"`kedro run`; got '{place}'"
            )
        return load_champion(place, self._imports)

    def _exists(self) -> bool:
        return True
