"""Digests of code: whether what was made yesterday would be made the same way today.

The code of a function is its module and all project modules that this one imports, read as
syntax trees: comments, layout and docstrings do not count. Of libraries the version counts.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_OTHER_NAMES = {"PIL": "pillow", "sklearn": "scikit-learn"}


def hash_parts(*parts: bytes | str | float | None) -> str:
    """SHA-256 of some values, in hexadecimal; no two lists of values are taken for one another.

    Examples:
        >>> hash_parts("a", "bc") == hash_parts("ab", "c")
        False
    """
    digest = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(f"{type(part).__name__} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def fingerprint_code(function: Callable[..., Any]) -> str:
    """Digest of the code that a function runs, and of the versions of the libraries in it.

    The whole module counts, not the function alone: a helper beside it may decide the result.

    Args:
        function: Defined in a module of a package.

    Returns:
        SHA-256 in hexadecimal.
    """
    return _fingerprint_module(function.__module__)


@cache
def list_modules(name: str) -> tuple[str, ...]:
    """A module and every module of its package that it imports, directly or not, in order.

    Examples:
        >>> list_modules("graft.images.crops")
        ('graft.errors', 'graft.images.crops')
    """
    found: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            package = module.partition(".")[0]
            waiting += [other for other in _list_imports(module) if _is_within(package, other)]
    return tuple(sorted(found))


@cache
def list_libraries(name: str) -> dict[str, str]:
    """Versions of the libraries that a module and the modules of :func:`list_modules` import.

    Examples:
        >>> list(list_libraries("graft.images.decoding"))
        ['numpy', 'pillow']
    """
    modules = list_modules(name)
    imported = {other.partition(".")[0] for part in modules for other in _list_imports(part)}
    packages = imported - sys.stdlib_module_names - {name.partition(".")[0]}
    found = {library: number for name in packages for library, number in find_libraries(name)}
    return dict(sorted(found.items()))


@cache
def find_libraries(package: str) -> tuple[tuple[str, str], ...]:
    """Names and versions of the libraries that a package to import comes with.

    Examples:
        >>> [name for name, _ in find_libraries("sklearn")]
        ['scikit-learn']
    """
    if package in sys.stdlib_module_names:
        return ()
    likely = _OTHER_NAMES.get(package, package.replace("_", "-"))
    try:
        # Asking for a name is a hundred times quicker than reading what all libraries hold.
        return ((likely, version(likely)),)
    except PackageNotFoundError:
        owners = _list_owners().get(package, [])
        return tuple((owner, version(owner)) for owner in sorted(set(owners)))


@cache
def hash_module(name: str) -> str:
    """SHA-256 of a module's syntax tree without docstrings."""
    tree = _read_tree(name)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            # A body may not be empty, and one that is nothing but a docstring does nothing.
            # Not every node has a body; that this one has was just seen.
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return hash_parts(ast.dump(tree))


@cache
def _fingerprint_module(name: str) -> str:
    modules = [part for module in list_modules(name) for part in (module, hash_module(module))]
    libraries = [part for pair in list_libraries(name).items() for part in pair]
    return hash_parts(*modules, *libraries)


@cache
def _list_owners() -> dict[str, list[str]]:
    return dict(packages_distributions())


@cache
def _list_imports(name: str) -> tuple[str, ...]:
    return tuple(sorted(set(_walk_imports(name))))


def _walk_imports(name: str) -> Iterator[str]:
    for node in ast.walk(_read_tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            # What is imported may be a module itself.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_within(package: str, name: str) -> bool:
    return name.partition(".")[0] == package and find_file(name) is not None


@cache
def find_file(name: str) -> Path | None:
    """Where a module's text lies; None if there is none.

    It is not imported: that may take TensorFlow's seconds.
    """
    top, *rest = name.split(".")
    spec = find_spec(top)
    if spec is not None and spec.has_location and not rest:
        origin = Path(str(spec.origin))
        return origin if origin.suffix == ".py" else None
    for folder in (spec and spec.submodule_search_locations) or ():
        place = Path(folder, *rest)
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def _read_tree(name: str) -> ast.Module:
    path = find_file(name)
    if path is None:
        raise ValueError(f"no file of the module '{name}'")
    return ast.parse(path.read_text(encoding="utf-8"))


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
