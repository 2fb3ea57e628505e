"""Digests of code: whether what was made yesterday would be made the same way today.

The code of a function is its module and all modules that this one imports, read as syntax
trees: comments, layout and docstrings do not count. Of libraries the version counts.

Followed is every import that stands in the text, wherever it stands: absolute or relative, of a
module or of a name in it, in a function, by :func:`importlib.import_module` with a literal. The
packages around a user's module count too, for importing it runs their ``__init__``. What is put
together while the program runs (a computed name, ``exec``, an entry point, a file that the code
reads) cannot be seen, nor can what has no text, such as a compiled extension.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

PACKAGE = __name__.partition(".")[0]
LIBRARY_FOLDERS = {"site-packages", "dist-packages"}
# Libraries that Keras works through, one at a time.
BACKENDS = ("tensorflow", "jax")
# What of a statement holds other statements.
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
# Without one of these names in its text a module calls nothing that imports.
_CALLED = re.compile("import_module|__import__")
_OTHER_NAMES = {"PIL": "pillow", "sklearn": "scikit-learn"}


def hash_parts(*parts: bytes | str | float | None) -> str:
    """SHA-256 of some values, in hexadecimal; no two lists of values are taken for one another.

    Examples:
        >>> hash_parts("a", "bc") == hash_parts("ab", "c")
        False
    """
    return hashlib.sha256(b"".join(map(frame_part, parts))).hexdigest()


def frame_part(part: bytes | str | float | None) -> bytes:
    """A value as :func:`hash_parts` takes it in: with its type and length before it."""
    content = part if isinstance(part, bytes) else repr(part).encode()
    return f"{type(part).__name__} {len(content)} ".encode() + content


def fingerprint_code(function: Callable[..., Any]) -> str:
    """Digest of the code that a function runs, and of the versions of the libraries in it.

    The whole module counts, not the function alone: a helper beside it may decide the result.

    Args:
        function: Defined in a module of a package.

    Returns:
        SHA-256 in hexadecimal.
    """
    return fingerprint_module(function.__module__)


@cache
def fingerprint_module(name: str) -> str:
    """Digest of a module, of what it imports and of the versions of its libraries.

    Raises:
        ValueError: If it has no text.
    """
    modules = [part for module in list_modules(name) for part in (module, hash_module(module))]
    libraries = [part for pair in list_libraries(name).items() for part in pair]
    return hash_parts(*modules, *libraries)


@cache
def list_modules(name: str) -> tuple[str, ...]:
    """A module and every module of no library that it imports, directly or not, in order.

    Of a library are modules among the installed packages, unless the first one is of the same
    package.

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
            imported = (*_list_imports(module), *_list_packages(module))
            waiting += [other for other in imported if _is_own(other, name)]
    return tuple(sorted(found))


@cache
def list_libraries(name: str) -> dict[str, str]:
    """Versions of the libraries that a module and the modules of :func:`list_modules` import.

    Examples:
        >>> list(list_libraries("graft.analysis.clusters"))
        ['numpy', 'scikit-learn']
    """
    modules = list_modules(name)
    imported = {other.partition(".")[0] for part in modules for other in _list_imports(part)}
    packages = imported - sys.stdlib_module_names - {part.partition(".")[0] for part in modules}
    # A backend that is installed and not at work has no say.
    packages -= set(BACKENDS) - {get_backend()}
    found = {library: number for name in packages for library, number in find_libraries(name)}
    return dict(sorted(found.items()))


def get_backend() -> str:
    """Name of the library that Keras works through; known without importing either."""
    return os.environ.get("KERAS_BACKEND", BACKENDS[0])


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


def hash_module(name: str) -> str:
    """SHA-256 of a module's syntax tree without docstrings."""
    return _read_module(name)[0]


@cache
def _read_module(name: str) -> tuple[str, tuple[str, ...]]:
    """Digest of a module, and the names that it imports."""
    path = find_file(name)
    if path is None:
        raise ValueError(f"no file of the module '{name}'")
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return describe_text(path.read_text(encoding="utf-8"), name, package)


def describe_text(text: str, name: str, package: str) -> tuple[str, tuple[str, ...]]:
    """SHA-256 of the syntax tree of a module without docstrings, and the names that it imports.

    Args:
        text: Of the module.
        name: Of the module.
        package: That a relative import in it starts from.
    """
    tree = ast.parse(text)
    # Most modules import by statements alone: their expressions, nine nodes of ten, are left.
    nodes = ast.walk(tree) if _CALLED.search(text) else _walk_statements(tree)
    imports = tuple(sorted(set(_find_imports(tree, nodes, name, package))))
    for node in _walk_statements(tree):
        body = getattr(node, "body", None)
        if body and _is_text(body[0]):
            # A body may not be empty, and one that is nothing but a docstring does nothing.
            # For the type checker: not every node has a body; that this one has was just seen.
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return hash_parts(ast.dump(tree)), imports


@cache
def _list_owners() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _list_imports(name: str) -> tuple[str, ...]:
    return _read_module(name)[1]


def _find_imports(
    tree: ast.Module, nodes: Iterable[ast.AST], name: str, package: str
) -> Iterator[str]:
    """Names that a module imports; of ``from a import b`` both, for ``a.b`` may be a module."""
    importers = _find_importers(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _resolve("." * node.level + (node.module or ""), package)
            if base is not None:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _spell(node.func) in importers:
            named = _read_import_call(node, name, package)
            if named is not None:
                yield named


def _find_importers(tree: ast.Module) -> set[str]:
    """How a module calls what imports by name: ``importlib.import_module`` and its aliases."""
    importers = {"__import__"}
    for node in _walk_statements(tree):
        if isinstance(node, ast.Import):
            # `import importlib.util` binds importlib.
            importers |= {
                f"{alias.asname or 'importlib'}.import_module"
                for alias in node.names
                if alias.name == "importlib"
                or (alias.name.startswith("importlib.") and not alias.asname)
            }
        elif isinstance(node, ast.ImportFrom) and node.module == "importlib":
            importers |= {
                alias.asname or alias.name for alias in node.names if alias.name == "import_module"
            }
    return importers


def _read_import_call(call: ast.Call, name: str, package: str) -> str | None:
    """The module that ``import_module("…", package)`` names; None if it is not a literal."""
    given = dict(zip(("name", "package"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    target, start = given.get("name"), given.get("package")
    if not isinstance(target, ast.Constant) or not isinstance(target.value, str):
        return None
    if isinstance(start, ast.Constant):
        return _resolve(target.value, str(start.value))
    around = {"__package__": package, "__name__": name}
    return _resolve(target.value, around.get(_spell(start), ""))


def _spell(node: ast.expr | None) -> str:
    """A name, or a name and an attribute, as in the text; empty for all else."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _resolve(name: str, package: str) -> str | None:
    """A name that may begin with dots, in full; None if it leads out of all packages."""
    try:
        return resolve_name(name, package)
    except ImportError:
        return None


def _list_packages(name: str) -> list[str]:
    """The packages around a module, whose ``__init__`` runs before it.

    Not those of this project: theirs only gather names and load Keras, and a change of one
    dataset must not count for all.
    """
    top, *rest = name.split(".")
    return [] if top == PACKAGE else [".".join([top, *rest[:end]]) for end in range(len(rest))]


def _is_own(name: str, first: str) -> bool:
    """Whether a module has text, and is of no library or of the package of the first one."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or (path := find_file(name)) is None:
        return False
    return top in (PACKAGE, first.partition(".")[0]) or not LIBRARY_FOLDERS & {*path.parts}


@cache
def find_file(name: str) -> Path | None:
    """Where a module's text lies; None if there is none.

    It is not imported: that may take TensorFlow's seconds.
    """
    top, *rest = name.split(".")
    spec = find_spec(top) if top != "__main__" else None
    if spec is not None and spec.has_location and not rest:
        origin = Path(str(spec.origin))
        return origin if origin.suffix == ".py" else None
    for folder in (spec and spec.submodule_search_locations) or ():
        place = Path(folder, *rest)
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def _walk_statements(tree: ast.Module) -> Iterator[ast.AST]:
    """A module and all statements in it, with the handlers and cases that hold some of them."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for block in _BLOCKS:
            inner = getattr(node, block, ())
            # The body of a lambda or of a condition within an expression is no list.
            waiting += inner if isinstance(inner, list) else ()


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
