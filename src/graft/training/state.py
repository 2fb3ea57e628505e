"""The whole state of a training as arrays and plain data, and its name.

Keras' ``BackupAndRestore`` keeps neither the seeds of dropout nor the state of the callbacks,
so a resumed training goes another way. Here everything that the next step depends on is kept:
weights, optimizer, seeds and the callbacks; the order of the data depends on the seed and the
number of the epoch alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from graft.backends.backend import load_backend
from graft.fingerprints import fingerprint_module
from graft.parameters.training import TrainingParameters
from graft.training.shuffling import BatchSource

Arrays = dict[str, np.ndarray]
_KERAS_OWN = {"model", "params", "validation_data"}
_PLAIN = (bool, int, float, str, type(None))


def capture_variables(model: keras.Model) -> Arrays:
    """Copies of all that changes in a step: weights, seeds and, once compiled, the optimizer."""
    return {name: np.array(variable) for name, variable in _name_variables(model)}


def restore_variables(model: keras.Model, arrays: Arrays) -> None:
    """Put back what :func:`capture_variables` copied."""
    for name, variable in _name_variables(model):
        variable.assign(arrays[name])


def capture_callback(callback: keras.callbacks.Callback, number: int) -> tuple[dict, Arrays]:
    """The state of a callback: its public attributes that are plain data or arrays.

    Returns:
        Plain values by name, and arrays by the number of the callback, name and place.
    """
    plain: dict[str, Any] = {}
    arrays: Arrays = {}
    for name, value in vars(callback).items():
        if name.startswith("_") or name in _KERAS_OWN:
            continue
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, _PLAIN):
            plain[name] = value
        elif isinstance(value, list) and value and all(isinstance(v, np.ndarray) for v in value):
            arrays |= {f"callback{number}.{name}.{place:05d}": v for place, v in enumerate(value)}
        elif _is_plain(value):
            plain[name] = json.loads(json.dumps(value))
    return plain, arrays


def restore_callback(
    callback: keras.callbacks.Callback, number: int, plain: dict[str, Any], arrays: Arrays
) -> None:
    """Put back what :func:`capture_callback` copied."""
    lists: dict[str, list[np.ndarray]] = {}
    for key in sorted(arrays):
        owner, _, rest = key.partition(".")
        if owner == f"callback{number}":
            lists.setdefault(rest.rpartition(".")[0], []).append(arrays[key])
    vars(callback).update(plain | lists)


def fingerprint_training(
    model: keras.Model,
    sources: Sequence[BatchSource],
    settings: TrainingParameters,
    rate_factors: Iterable[tuple[str, float]],
    code: str,
) -> str:
    """SHA-256 of all that decides how a training goes: equal only if it is the very same.

    Settings, data, layers, first weights, what is trainable, the code and the versions of its
    libraries, the number of devices, and the user's own modules.

    Args:
        model: To be trained.
        sources: Of train and dev.
        settings: How it is trained.
        rate_factors: Layers and factors of their learning rates.
        code: Digest of the code that trains.
    """
    facts = [
        code,
        settings.model_dump(mode="json"),
        [source.fingerprint() for source in sources],
        sorted(rate_factors),
        [_describe_layer(layer) for layer in model.layers],
        [(list(v.shape), str(v.dtype), bool(v.trainable)) for v in model.variables],
        load_backend().count_replicas(model),
        [_describe_own_code(path) for path in settings.list_code()],
    ]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for variable in model.variables:
        digest.update(np.ascontiguousarray(variable).tobytes())
    return digest.hexdigest()


def _name_variables(model: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    trained = {id(v) for layer in model.layers if layer.trainable for v in layer.variables}
    variables = [variable for layer in model.layers for variable in layer.variables]
    for number, variable in enumerate(variables):
        # A frozen dropout layer keeps its weights, of which it has none, but draws on.
        if id(variable) in trained or not keras.backend.is_float_dtype(variable.dtype):
            yield f"model{number:05d}", variable
    if model.compiled:
        for number, variable in enumerate(model.optimizer.variables):
            yield f"optimizer{number:05d}", variable


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return isinstance(value, _PLAIN)


def _describe_layer(layer: keras.Layer) -> Any:
    """Kind and settings of a layer without its name, which may count the models before it."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key != "name"}
        return [strip(item) for item in value] if isinstance(value, list | tuple) else value

    return type(layer).__name__, strip(layer.get_config())


def _describe_own_code(path: str) -> str:
    try:
        # By the module that is named: where a callable says it comes from may be a library.
        return fingerprint_module(path.rpartition(".")[0])
    except ValueError:  # what is built into Python has no text
        return path
