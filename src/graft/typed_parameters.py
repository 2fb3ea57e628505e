"""What people type after ``--params``: taken apart, merged, and brought to the declared types.

Kedro reads every value as YAML: a folder ``set #2`` would end at its comment, and data sets called
``007``, ``1e3`` or ``yes`` would become numbers and truth values. Here a value becomes what the
configuration declares: text stays as it was typed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from graft.errors import GraftError
from graft.text_values import quote_texts

_NAME = r"[A-Za-z_][\w.\-]*"
# A comma ends a value only before another NAME=: paths may have commas in them.
_BETWEEN = re.compile(rf",(?=\s*{_NAME}\s*=)")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOTHING = {"null", "~", ""}
_UNDECLARED = object()


def repeat_parameters(texts: Iterable[str]) -> str:
    """Options by which the same can be typed again, without what may be a key in an address.

    Args:
        texts: What each ``--params`` was given.

    Examples:
        >>> repeat_parameters(["source=https://ada:secret@example.com/a.zip?key=1,seed=9"])
        " --params 'source=https://…@example.com/a.zip?…,seed=9'"
    """
    return "".join(f" --params {shlex.quote(_hide_keys(text))}" for text in texts)


def _hide_keys(text: str) -> str:
    """What was typed, without user, password and query of an address in it: they may be keys."""
    without_user = re.sub(r"(://)[^/@\s]*@", r"\1…@", text)
    return re.sub(r"(://[^?,\s]*\?)[^,\s]*", r"\1…", without_user)


def split_parameters(texts: Iterable[str]) -> dict[str, str]:
    """Names and values, as typed, of all that was given.

    Args:
        texts: What each ``--params`` was given: ``NAME=VALUE``, several with commas between them.

    Raises:
        GraftError: If something is no such pair, or a name has two values.

    Examples:
        >>> split_parameters(["seed=9,source=a, b", "image_size=16"])
        {'seed': '9', 'source': 'a, b', 'image_size': '16'}
    """
    found: dict[str, str] = {}
    for text in texts:
        for item in _BETWEEN.split(text) if text.strip() else []:
            name, mark, value = item.partition("=")
            name = name.strip()
            if not mark or not re.fullmatch(_NAME, name):
                raise GraftError(
                    "--params takes NAME=VALUE, or several with commas between them; "
                    f"got '{item.strip()}'"
                )
            if found.setdefault(name, value) != value:
                raise GraftError(
                    f"--params gives {name} two values; give one; got '{found[name]}' and '{value}'"
                )
    return found


def convert_parameters(
    typed: Mapping[str, str], parameters: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Typed values as the configuration declares them, nested by the dots in their names.

    Args:
        typed: Of :func:`split_parameters`.
        parameters: As the configuration declares them.
        values: The global values.

    Raises:
        GraftError: If one name stands for a value and for a group of values.
    """
    nested: dict[str, Any] = {}
    for name, text in typed.items():
        declared = _look_up(parameters, name)
        if declared is _UNDECLARED:
            declared = _look_up(values, name)
            is_text = isinstance(declared, str)
        else:
            is_text = False
        *groups, last = name.split(".")
        place = nested
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                raise GraftError(f"--params gives {group} a value and parts; got '{name}={text}'")
        if isinstance(place.get(last), dict):
            raise GraftError(f"--params gives {last} a value and parts; got '{name}={text}'")
        place[last] = escape_interpolation(text) if is_text else _convert(text, declared, last)
    return nested


def escape_interpolation(text: str) -> str:
    r"""A text in which OmegaConf sees no interpolation: ``${x}`` stays ``${x}``.

    Examples:
        >>> escape_interpolation("a ${x}")
        'a \\${x}'
    """
    return re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)


def resolve_path(text: str, here: Path, project: Path) -> str:
    """A path as it was typed in a folder: ``~`` expanded, relative to that folder if it is there.

    Args:
        text: The path.
        here: Where the command was typed.
        project: Folder of the project, to which Kedro takes paths as relative.
    """
    if "://" in text:
        return text
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # no such user
        return text
    if path.is_absolute() or here == project or not (here / path).exists():
        return str(path) if text.startswith("~") else text
    return str(here / path)


def _look_up(tree: Mapping[str, Any], name: str) -> Any:
    found: Any = tree
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _UNDECLARED
        found = found[part]
    return found


def _convert(text: str, declared: Any, name: str) -> Any:
    bare = text.strip()
    if bare in _NOTHING:
        return None
    if isinstance(declared, str) or (declared is None and not bare.startswith(("[", "{"))):
        # Of what is declared as null only the stage's own model knows the type.
        return escape_interpolation(text)
    if _WHOLE.fullmatch(bare):
        return int(bare)
    if _NUMBER.fullmatch(bare):
        return float(bare)
    try:
        names_quoted = quote_texts(f"{name}: {bare}").partition(": ")[2]
        value = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={names_quoted}"]))
    except Exception:  # YAML's and OmegaConf's own kinds: it is no YAML
        return escape_interpolation(text)
    found = value["value"] if isinstance(value, dict) else text
    # YAML takes 12:30 for a number, by sixties, and "a: b" for a mapping.
    is_meant = isinstance(found, bool | None) or bare.startswith(("[", "{"))
    return found if is_meant and not isinstance(found, str) else escape_interpolation(text)
