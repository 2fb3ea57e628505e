"""What can be asked of ``conf/`` besides its values, through Kedro's loader wherever it lies.

``--conf-source`` names another folder, or an archive such as ``kedro package`` makes. Everything
here goes through the file system of the loader, so both are read alike.
"""

from __future__ import annotations

import difflib
import os
import re
import tarfile
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import LOGGING, settings

from graft.errors import GraftError

_NOTHING = (
    "no configuration there; --conf-source takes a folder like conf, or the archive "
    "conf-graft.tar.gz that `kedro package` makes of it; got '{}'"
)


def open_configuration(source: str, environment: str | None = None) -> OmegaConfigLoader:
    """Kedro's loader for a folder or an archive, without anything from the command line.

    From now on ``${globals:…}`` means in this process what it means to this loader: Kedro keeps
    that in one place for all of them.

    Raises:
        GraftError: If there is no configuration.
    """
    path = Path(source)
    if "://" not in source and not path.is_dir() and not _is_archive(path):
        raise GraftError(_NOTHING.format(source))
    loader: OmegaConfigLoader = settings.CONFIG_LOADER_CLASS(
        conf_source=source, env=environment, **settings.CONFIG_LOADER_ARGS
    )
    return loader


def list_environments(loader: OmegaConfigLoader) -> list[str]:
    """Names of the environments, in order.

    Raises:
        GraftError: If there is none, or ``base`` is not among them.
    """
    root = _find_root(loader)
    if not loader._fs.isdir(root):
        raise GraftError(_NOTHING.format(loader.conf_source))
    found = sorted(
        PurePosixPath(entry["name"]).name
        for entry in loader._fs.ls(root, detail=True)
        if entry["type"] == "directory"
    )
    if "base" not in found:
        raise GraftError(
            "no environment 'base' in this configuration; --conf-source takes a folder like conf, "
            f"or an archive of it; got '{loader.conf_source}'"
        )
    return found


def find_environments_with(loader: OmegaConfigLoader, name: str) -> list[str]:
    """The environments that declare a global value of this name.

    Their files are read as they are: one more loader for each would change what
    ``${globals:…}`` means in this process, which Kedro keeps in one place for all loaders.
    """
    return [
        environment
        for environment in list_environments(loader)
        if name in _read(loader, f"{environment}/globals.yml")
    ]


def configure_logging(loader: OmegaConfigLoader) -> None:
    """Follow the ``logging.yml`` of a configuration that is not the project's own.

    Kedro reads ``conf/logging.yml`` of the working folder when it is imported, before it knows
    of another source. ``KEDRO_LOGGING_CONFIG`` has the last word, as ever.
    """
    if "KEDRO_LOGGING_CONFIG" not in os.environ and (values := _read(loader, "logging.yml")):
        LOGGING.configure(values)


def check_environment(loader: OmegaConfigLoader, environment: str) -> None:
    """Refuse what an environment says and nothing reads: it would be ignored without a word.

    Raises:
        GraftError: Names the file, what is in it, and the name that may be meant.
    """
    if environment == loader.base_env:
        return
    base, own = (_read_all(loader, name) for name in (loader.base_env, environment))
    kinds = {kind: [_pick(files, loader, kind) for files in (base, own)]
             for kind in ("parameters", "catalog", "globals")}  # fmt: skip
    known_files = {name for kind in loader.config_patterns for name in _pick(own, loader, kind)}
    for name in sorted(own.keys() - known_files):
        usual = {*base, "catalog.yml", "parameters.yml", "globals.yml", "credentials.yml"}
        raise GraftError(
            f"a file of conf/{environment} is read by nothing; {_hint(name, usual)}"
            "Kedro reads catalog*.yml, parameters*.yml, globals.yml and credentials*.yml; "
            f"got '{name}'"
        )
    for kind, what in (("parameters", "no stage has parameters"), ("catalog", "no stage has data")):
        declared, given = (_list_keys(files) for files in kinds[kind])
        patterns = [re.sub(r"\\\{\w+\\\}", ".+", re.escape(name)) for name in declared]
        for key, file in given.items():
            if key.startswith("_") or any(re.fullmatch(pattern, key) for pattern in patterns):
                continue
            raise GraftError(
                f"{what} of this name; {_hint(key, declared)}correct it in "
                f"conf/{environment}/{file}, or declare it in conf/{loader.base_env} too; "
                f"got '{key}'"
            )
    _check_globals(loader, environment, base, own)


def _check_globals(
    loader: OmegaConfigLoader, environment: str, base: dict[str, str], own: dict[str, str]
) -> None:
    declared, given = (_list_keys(_pick(files, loader, "globals")) for files in (base, own))
    named = {
        *re.findall(r"(?:globals|runtime_params):(\w+)", "".join([*base.values(), *own.values()]))
    }
    catalog = _list_keys(_pick(own, loader, "catalog"))
    brings = any(name.startswith("raw_") for name in catalog)
    if not brings and ({"source", "dataset"} & given.keys()) and environment != "local":
        raise GraftError(
            f"conf/{environment} names a set of pictures and does not say how they are laid out: "
            "declare raw_images there, for example as conf/own_pictures/catalog_ingestion.yml "
            f"does; got {', '.join(sorted({'source', 'dataset'} & given.keys()))} in globals.yml"
        )
    for key, file in given.items():
        if key not in {*declared, *named} and not key.startswith("_"):
            raise GraftError(
                f"nothing reads this global value; {_hint(key, {*declared, *named})}correct it in "
                f"conf/{environment}/{file}; got '{key}'"
            )


def list_unread_files(loader: OmegaConfigLoader, environment: str | None) -> list[str]:
    """Files of ``conf/local`` that Kedro does not read, for an environment was named beside it."""
    if environment in (None, loader.default_run_env):
        return []
    files = _read_all(loader, loader.default_run_env)
    return sorted(
        name for kind in ("catalog", "parameters", "globals") for name in _pick(files, loader, kind)
    )


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'? " if close else ""


def _read_all(loader: OmegaConfigLoader, environment: str) -> dict[str, str]:
    """The files of configuration of an environment: name below its folder to text."""
    folder = f"{_find_root(loader)}/{environment}"
    if not loader._fs.isdir(folder):
        return {}
    texts = {}
    for place in loader._fs.find(folder):
        path = PurePosixPath(place)
        name = path.as_posix().rpartition(f"{environment}/")[2]
        is_hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
        if path.suffix in {".yml", ".yaml", ".json"} and not is_hidden:
            with loader._fs.open(place) as file:
                texts[name] = file.read().decode(errors="replace")
    return texts


def _pick(files: dict[str, str], loader: OmegaConfigLoader, kind: str) -> dict[str, str]:
    """Those that Kedro reads for a kind of configuration."""
    patterns = [pattern.removeprefix("**/") for pattern in loader.config_patterns[kind]]
    return {
        name: text
        for name, text in files.items()
        if any(fnmatch(name, one) or fnmatch(PurePosixPath(name).name, one) for one in patterns)
    }


def _list_keys(files: dict[str, str]) -> dict[str, str]:
    """Names at the top of some files, each with its file; what is no YAML Kedro will tell of."""
    found: dict[str, str] = {}
    for file, text in files.items():
        with suppress(yaml.YAMLError):
            content = yaml.load(text, _Loader)
            found |= {str(key): file for key in content} if isinstance(content, dict) else {}
    return found


# The quick one, where PyYAML was built with it; both read plain data alone.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _read(loader: OmegaConfigLoader, name: str) -> dict[str, Any]:
    """A file below the root as it is; empty if it is not there."""
    place = f"{_find_root(loader)}/{name}"
    if not loader._fs.isfile(place):
        return {}
    with loader._fs.open(place) as file:
        return yaml.safe_load(file) or {}


def _is_archive(path: Path) -> bool:
    return path.is_file() and (tarfile.is_tarfile(path) or zipfile.is_zipfile(path))


def _find_root(loader: OmegaConfigLoader) -> str:
    """The folder of the environments, as the loader's file system calls it."""
    return PurePosixPath(loader._get_conf_env_path("")).as_posix()
