"""What the user wrote in Python and named in a parameter."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from graft.errors import GraftError


def load_by_path(path: str, parameter: str) -> Callable[..., Any]:
    """Import a function or class by its dotted path.

    Args:
        path: Module and name, such as ``"my_package.schedules.halve"``.
        parameter: Name of the parameter that holds it, for messages.

    Raises:
        GraftError: If the module cannot be imported, or has no such callable.

    Examples:
        >>> load_by_path("math.sqrt", "head_training.schedule")(9.0)
        3.0
    """
    module_name, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module_name), name)
    except Exception as error:  # a module of the user may fail in any way while it is imported
        reason = " ".join(str(error).split())
        raise GraftError(
            f"{parameter}: cannot import '{name}' from '{module_name}' ({type(error).__name__}: "
            f"{reason}); it must be on the Python path, for instance in src; got '{path}'"
        ) from error
    if not callable(found):
        raise GraftError(
            f"{parameter}: a function or class is needed, this is a {type(found).__name__}; "
            f"got '{path}'"
        )
    return found
