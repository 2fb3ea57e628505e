"""What can be asked of ``conf/`` besides its values, through Kedro's loader wherever it lies.

``--conf-source`` names another folder, or an archive such as ``kedro package`` makes. Everything
here goes through the file system of the loader, so both are read alike.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
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
