"""The command line: Kedro's own ``run``, with mistakes told in one line."""

from __future__ import annotations

import errno
import logging
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.validation.exceptions import ParameterValidationError

from graft.caching.lock import WAITS
from graft.errors import GraftError
from graft.tracking import TRACKS

_FULL = "the disk is full; make room and run again: what was finished before is kept"
_DENIED = "no permission to read or write here; change the permissions and run again"
_NO_WRITING = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _DENIED,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
}


class OneLineErrors(click.Command):
    """A command that prints a mistake of its user without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what the user can mend into one line and exit code 1."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            message = explain(error)
            if message is None:
                raise
            raise click.ClickException(message) from error


def explain(error: BaseException) -> str | None:
    """The one line for a mistake of the user; None if the error is a defect of the program."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GraftError):
            return str(cause)
        if isinstance(cause, ParameterValidationError):
            return _explain_parameters(str(cause))
        if isinstance(cause, OSError) and cause.errno in _NO_WRITING:
            place = f" '{cause.filename}'" if cause.filename else ""
            return f"{_NO_WRITING[cause.errno]}; got {cause.strerror or cause}{place}"
        # Not the context: what goes wrong while a mistake is being dealt with is a defect.
        cause = cause.__cause__
    return None


def _explain_parameters(report: str) -> str:
    """Kedro's report of wrong parameters without its frame: ``stage: what is wrong``."""
    faults = re.findall(r"- Parameter '([^']*)': (?:Failed to [^:]*: )?(.*)", report)
    return "; ".join(f"{stage}: {fault}" for stage, fault in faults) or " ".join(report.split())


@click.group(name="graft")
def cli() -> None:
    """Commands of this project."""


def end_with_the_reader() -> None:
    """End the run when nobody reads its lines any more (``kedro run | head``), as Unix tools do.

    Logging would print a traceback for every line instead and go on. Click ends a command on
    the error that is raised now, without a word.
    """
    for handler in logging.getLogger().handlers:
        # mypy takes any assignment to a method for a mistake; here it is meant.
        handler.handleError = _raise_broken_pipe(handler)  # type: ignore[assignment,method-assign]


def _raise_broken_pipe(handler: logging.Handler) -> Callable[[logging.LogRecord], None]:
    def handle(record: logging.LogRecord) -> None:
        error = sys.exception()
        if isinstance(error, BrokenPipeError):
            raise error
        type(handler).handleError(handler, record)

    return handle


def run_what_is_stale(force: bool, plan: bool, wait: bool, track: bool, **options: Any) -> Any:
    """Kedro's own ``run``, which makes what is stale and skips what is fresh.

    Raises:
        GraftError: If the run is to be tracked and MLflow is not installed.
    """
    if track and not find_spec("mlflow"):
        raise GraftError(
            "--track needs MLflow; install it with `pip install -c constraints.txt -e "
            "'.[mlflow]'`, or run without --track; got no module 'mlflow'"
        )
    options["only_missing_outputs"] = not force
    if str(options.get("runner")).rpartition(".")[2] == "ThreadRunner":
        options["runner"] = "graft.caching.runner.TurnTakingRunner"
    if plan:
        options["runner"] = "graft.caching.runner.PlanRunner"
    end_with_the_reader()
    waits, tracks = WAITS.set(wait), TRACKS.set(track and not plan)
    # A click command may have no callback; this one has.
    run: Callable[..., Any] = kedro_run.callback  # type: ignore[assignment]
    try:
        return run(**options)
    finally:
        WAITS.reset(waits)
        TRACKS.reset(tracks)


OPTIONS = [
    click.Option(["--force"], is_flag=True, help="Run all that is selected, fresh or not."),
    click.Option(["--plan"], is_flag=True, help="Show what is fresh or stale, and run nothing."),
    click.Option(["--track"], is_flag=True, help="Record the run in MLflow (extra: mlflow)."),
    click.Option(["--wait"], is_flag=True, help="Wait for another run on the same outputs."),
]
cli.add_command(
    OneLineErrors(
        "run",
        params=[*kedro_run.params, *OPTIONS],
        callback=run_what_is_stale,
        help="Run the pipeline: make what is stale, skip what is fresh.",
    )
)
