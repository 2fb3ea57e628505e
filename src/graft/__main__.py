"""The packaged project as a command: ``graft --env=…``, ``graft serve FOLDER``."""

from __future__ import annotations

import logging
import os
import sys
from importlib.util import find_spec
from typing import Any

from graft.fingerprints import PACKAGE


def main(*arguments: Any, **options: Any) -> Any:
    """What ``kedro run`` does, where there is no project around: Kedro's entry point of a package.

    Args:
        arguments: Of the command, as one list; those of the command line if none is given.
        options: Of :meth:`click.Command.main`.
    """
    given = list(arguments[0]) if arguments else sys.argv[1:]
    if given[:1] == ["serve"]:
        # The service needs neither Kedro nor TensorFlow, and may be installed without.
        from graft.serving.command import main as serve

        return serve(given[1:])
    if not find_spec("kedro"):
        # What is installed already is kept by pip: this adds to it, and takes no other graft.
        sys.exit(
            "Error: training needs the extra 'train'; install it with `pip install "
            "'graft[train]'`, or serve an exported champion with `graft serve FOLDER`; got no "
            "module 'kedro'"
        )
    # In the project its file .telemetry says so; a package has none beside it.
    os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
    # While it is imported, Kedro tells of a logging.yml that is not the one of --conf-source.
    logging.disable(logging.INFO)
    from kedro.framework.project import configure_project

    configure_project(PACKAGE)
    from graft.cli import run

    logging.disable(logging.NOTSET)
    options.setdefault("standalone_mode", not hasattr(sys, "ps1"))
    return run(*arguments, **options)


if __name__ == "__main__":
    main()
