"""Networks that the nodes of a run hand on to one another.

Making a network from its file takes a second, and so does writing it; a run needs some of them a
dozen times. So a node that has ended leaves the networks that it was given, and those that it has
made, to the nodes after it. It may have done with them what it liked: trained them, frozen layers,
joined one to another. So before one is handed out again, all that would be saved of it is compared
with what it was when it came from its file or went there: layers, settings, what is trainable,
weights, states of random layers. And two networks of one node have no weight in common.

Nobody else shares: whoever loads a network outside of a run, or twice in one node, gets one of
their own, and a network in use by one thread is never seen by another.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from kedro.framework.hooks import hook_impl

from graft.classifier.model_file import write_model

if TYPE_CHECKING:
    import keras

_KEPT = 3


@dataclass(frozen=True)
class _Known:
    """A network that is, or was, as it is in a file.

    Attributes:
        model: The network.
        state: What of it would be saved, see :func:`describe_state`, when it was as in the file.
        content: SHA-256 of the file.
        file: Where that lay.
    """

    model: keras.Model
    state: str
    content: str
    file: Path

    def is_unchanged(self) -> bool:
        """Whether it still is as in the file."""
        return describe_state(self.model) == self.state


class _Shelf(threading.local):
    """Networks of one thread, by the content of their files.

    By that alone: where a run keeps the head as it is, the frozen, the fine-tuned and the chosen
    classifier are three files of the same bytes.

    Attributes:
        is_loading: Whether a node of a run is being given its inputs.
        is_saving: Whether its outputs are being saved.
        lent: Those of the node at work.
        kept: Those of the nodes before it, the latest last.
    """

    def __init__(self) -> None:
        self.empty()

    def empty(self) -> None:
        """Be as it was in the beginning."""
        self.is_loading = self.is_saving = False
        self.lent: list[_Known] = []
        self.kept: OrderedDict[str, _Known] = OrderedDict()

    def keep(self, networks: Iterable[_Known]) -> None:
        """Keep networks for the next node, and of all of them the last few."""
        for known in networks:
            self.kept[known.content] = known
            self.kept.move_to_end(known.content)
        while len(self.kept) > _KEPT:
            self.kept.popitem(last=False)


_shelf = _Shelf()


def share_model(file: Path, read: Callable[[], keras.Model]) -> keras.Model:
    """The network of a file; in a run, one that a node before left as it was in the file.

    Args:
        file: What it is known by: its content, never a name or a time.
        read: Makes the network from the file.
    """
    if not _shelf.is_loading:
        return read()
    content = _hash(file)
    known = _shelf.kept.pop(content, None)
    if known and known.is_unchanged() and _has_own_weights(known.model):
        known = _Known(known.model, known.state, content, file)
    else:
        model = read()
        known = _Known(model, describe_state(model), content, file)
    _shelf.lent.append(known)
    return known.model


def write_shared(model: keras.Model, file: Path) -> None:
    """Write a ``.keras`` file; that of a network which is as it came from a file is copied.

    Args:
        model: The network.
        file: Where to.
    """
    for known in (*_shelf.lent, *_shelf.kept.values()):
        if known.model is model and known.is_unchanged() and _holds(known.file, known.content):
            shutil.copyfile(known.file, file)
            return
    write_model(model, file)
    if _shelf.is_saving:
        _shelf.keep([_Known(model, describe_state(model), _hash(file), file)])


class SharedModelsHook:
    """Tells the nodes of a run from everybody else who loads or saves a network."""

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
        _shelf.keep(_shelf.lent)
        _shelf.lent.clear()

    @hook_impl
    def before_dataset_saved(self) -> None:
        """An output of a node is about to be saved."""
        _shelf.is_saving = True

    @hook_impl
    def after_dataset_saved(self) -> None:
        """It was saved."""
        _shelf.is_saving = False

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


def _has_own_weights(model: keras.Model) -> bool:
    """Whether no network that the node was given before has a weight of this one."""
    own = {id(variable) for variable in model.variables}
    return not any(
        id(variable) in own for known in _shelf.lent for variable in known.model.variables
    )


def _holds(file: Path, content: str) -> bool:
    return file.exists() and _hash(file) == content


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
