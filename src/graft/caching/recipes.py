"""Recipes: all that decides what a node's outputs hold, as plain values that can be compared.

A recipe has sections, each a mapping of a name to a short text or a number:

* ``parameter``: parameters as the node gets them, after validation, seeds among them, those left
  out that their model names as mere ``effort``;
* ``file``: SHA-256 of files that parameters name (weights);
* ``input``: content of the inputs: SHA-256 of their files, never a time or a size;
* ``code``: syntax trees of the modules that the node's function, its inputs' and its outputs'
  catalog types are in, of those that parameters or catalog entries name, and of all project
  modules that these import. A module counts as a whole: what a registry or a decorator in it
  does cannot be told from one function;
* ``library``: versions of the third-party libraries that these modules import;
* ``catalog``: the entries of inputs and outputs, their place and their metadata left out;
* ``python``: its version.

Inputs of type :class:`~graft.datasets.PreviousDataset` are in no recipe. Such an input is what
the node itself left last time. Where it saves work (pictures decoded before), the result is the
same without it. Where it steadies a result (pictures keep their side of the split), any result
that it led to is a right one for the same other inputs, and the file written is the record of
which; were it in the recipe, every run would change the recipe of the next, without end. What
is made *from* the result has it as an ordinary input and follows every change of it.
"""

from __future__ import annotations

import inspect
import platform
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, get_type_hints

from kedro.io import AbstractDataset
from kedro.io.core import is_parameter
from kedro.pipeline import Node
from pydantic import BaseModel

from graft.fingerprints import (
    BACKENDS,
    LIBRARY_FOLDERS,
    PACKAGE,
    find_file,
    find_libraries,
    get_backend,
    hash_module,
    hash_parts,
    list_libraries,
    list_modules,
)

Recipe = dict[str, dict[str, Any]]
_SHORT = 16  # hexadecimal digits; enough to tell any two versions of one module apart


def describe_code(
    node: Node,
    datasets: Mapping[str, AbstractDataset],
    entries: Mapping[str, Any],
    named: Iterable[str] = (),
) -> Recipe:
    """The sections of a recipe that come from code: ``code``, ``library`` and ``catalog``.

    Args:
        node: Whose function.
        datasets: Its inputs and outputs, parameters left out.
        entries: The catalog as configuration.
        named: Modules that parameters name.
    """
    function, bound = node.func, []
    while isinstance(function, partial):
        bound.append(repr((function.args, sorted(function.keywords.items()))))
        function = function.func
    modules = {function.__module__, *named}
    catalog = {"function": hash_parts(function.__qualname__, *bound)[:_SHORT]}
    for name, dataset in datasets.items():
        # The atomic wrapper moves what the wrapped type writes.
        modules.add(getattr(dataset, "kind", type(dataset)).__module__)
        modules.update(filter(find_file, getattr(dataset, "imports", ())))
        catalog[name] = hash_parts(repr(_strip_place(entries.get(name))))[:_SHORT]
    code: dict[str, str] = {}
    libraries: dict[str, str] = {}
    for module in sorted(modules):
        own_code, own_libraries = _describe_module(module)
        code |= own_code
        libraries |= own_libraries
    return {"code": code, "library": libraries, "catalog": catalog}


def describe_parameters(
    node: Node, load: Callable[[str], Any], hash_file: Callable[[Path], str]
) -> tuple[Recipe, set[str]]:
    """The sections ``parameter`` and ``file``, and the modules of the user that parameters name.

    Args:
        node: Whose parameters.
        load: Gives the value of a parameter by its name in the catalog.
        hash_file: SHA-256 of a file.
    """
    hints = find_models(node)
    values: dict[str, Any] = {}
    files: dict[str, str] = {}
    modules: set[str] = set()
    for name in sorted(set(filter(is_parameter, node.inputs))):
        value = load(name)
        if name in hints and not isinstance(value, BaseModel):
            # Kedro validates only the parameters of the pipelines that were asked for.
            value = hints[name].model_validate(value)
        values |= _flatten(name.removeprefix("params:"), value)
        for path in getattr(value, "list_files", list)():
            files[Path(path).name] = hash_file(path)
        modules |= {path.rpartition(".")[0] for path in getattr(value, "list_code", list)()}
    return {"parameter": values, "file": files}, set(filter(find_file, modules))


def describe_python() -> Recipe:
    """The section ``python``."""
    return {"python": {"python": platform.python_version()}}


@cache
def _describe_module(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Hashes of a module and of what it imports of its package, and versions of libraries."""
    parts = name.split(".")
    place = find_file(parts[0])
    if place and LIBRARY_FOLDERS & {*place.parts} and parts[0] != PACKAGE:
        # `kedro_datasets.pandas.parquet_dataset` is of one library and for another one.
        return {}, dict(pair for part in parts[:2] for pair in find_libraries(part))
    modules = list_modules(name)
    code = {module: hash_module(module)[:_SHORT] for module in modules}
    for module in modules:
        code |= _hash_templates(module)
    versions = dict(list_libraries(name))
    if "keras" in versions:
        # Keras works through its backend, though no other module may import it.
        for backend in BACKENDS:
            versions.pop(backend, None)
        versions |= find_libraries(get_backend())
    return code, versions


def _hash_templates(module: str) -> dict[str, str]:
    """Templates of pages beside a module are part of its code."""
    place = find_file(module)
    folder = place.parent / "templates" if place else None
    if folder is None or not folder.is_dir():
        return {}
    return {
        f"{module.rpartition('.')[0]}.templates.{path.name}": hash_parts(path.read_bytes())[:_SHORT]
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def find_models(node: Node) -> dict[str, type[BaseModel]]:
    """Parameter models of a node's function, by the names of its inputs."""
    function = node.func
    while isinstance(function, partial):
        function = function.func
    try:
        hints = get_type_hints(function)
        bound = node._inputs
    except (NameError, TypeError, AttributeError):
        return {}
    if isinstance(bound, dict):
        pairs = dict(bound)
    else:
        names = [bound] if isinstance(bound, str) else list(bound or [])
        pairs = dict(zip(inspect.signature(function).parameters, names, strict=False))
    return {
        name: hints[argument]
        for argument, name in pairs.items()
        if isinstance(hints.get(argument), type) and issubclass(hints[argument], BaseModel)
    }


def _flatten(name: str, value: Any) -> dict[str, Any]:
    """Nested values under dotted names, each plain enough for JSON."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude=set(getattr(value, "not_fingerprinted", ())))
    if isinstance(value, dict) and value:
        parts = [_flatten(f"{name}.{key}", part) for key, part in value.items()]
        return {key: part for flat in parts for key, part in flat.items()}
    plain = value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)
    return {name: plain}


def _strip_place(config: Any) -> Any:
    if not isinstance(config, dict):
        return config
    return {
        key: _strip_place(value)
        for key, value in sorted(config.items())
        if key not in {"filepath", "metadata", "images", "labels", "versioned", "credentials"}
    }
