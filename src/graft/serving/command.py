"""``graft serve FOLDER``: the service as a process, without Kedro and without TensorFlow."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec

import click

from graft.errors import GraftError

_NEEDED = ("fastapi", "jinja2", "onnxruntime", "prometheus_client", "python_multipart", "uvicorn")


@click.command("serve", context_settings={"auto_envvar_prefix": "GRAFT"})
@click.argument("folder", envvar="GRAFT_FOLDER")
@click.option("--host", help="Address to listen on; 127.0.0.1: this machine alone.")
@click.option("--port", type=int, help="Port to listen on (8000); 0 takes a free one.")
@click.option("--hosts", help="Names by which it may be called, with commas; * takes any.")
@click.option("--picture-bytes", type=int, help="Most bytes of a picture.")
@click.option("--request-bytes", type=int, help="Most bytes of a request.")
@click.option("--pictures", type=int, help="Most pictures a request.")
@click.option("--pixels", type=int, help="Most width × height of a picture.")
@click.option("--formats", help="Formats that are taken, as Pillow names them, with commas.")
@click.option("--requests-at-once", type=int, help="More are sent away with 429.")
@click.option("--seconds", type=float, help="Longest time of a request.")
@click.option("--seconds-per-picture", type=float, help="Longest time to decode a picture.")
@click.option("--memory-mb", type=int, help="Most memory to decode a picture, MiB.")
@click.option("--decoders", type=int, help="Processes that decode.")
@click.option("--networks", type=int, help="Calls of the network at once; 0: one a processor.")
@click.option("--threads", type=int, help="Threads of a call (1); 0: as ONNX Runtime likes.")
@click.option("--top", type=int, help="Classes listed a picture.")
def serve(folder: str, **options: object) -> None:
    """Serve the exported champion in FOLDER.

    A token that every request must bring is taken from the variable GRAFT_TOKEN. Every option may
    be given as a variable too, such as GRAFT_PORT.
    """
    try:
        _run(folder, options)
    except GraftError as error:
        raise click.ClickException(str(error)) from error


def _run(folder: str, options: dict[str, object]) -> None:
    missing = [name for name in _NEEDED if not find_spec(name)]
    if missing:
        raise GraftError(
            "the service needs the extra 'serve'; install it with `pip install 'graft[serve]'`; "
            f"got no module '{missing[0]}'"
        )
    # NumPy multiplies a vector here and there; its threads would turn round between two requests
    # and take half of the processors from the network. It is read when NumPy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from graft.serving.engine import Engine, find_export
    from graft.serving.server import run_server
    from graft.serving.service_settings import ServiceSettings

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # It would tell of every damaged form, and what is in it.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("hosts", "formats"):
        if name in given:
            given[name] = tuple(str(given[name]).split(","))
    settings = ServiceSettings.check(**given, token=os.environ.get("GRAFT_TOKEN"))
    engine = Engine(find_export(folder), settings.threads)
    exported = engine.model.exported
    log = logging.getLogger("graft.serving")
    log.info("Model        %s, %s", exported.facts["name"], exported.digest[:12])
    run_server(engine, settings)


def main(arguments: Sequence[str]) -> None:
    """Run the command with these arguments."""
    serve.main(args=list(arguments), prog_name="graft serve")
