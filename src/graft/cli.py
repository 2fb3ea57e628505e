"""The command line: Kedro's own ``run``, with mistakes told in one line."""

from __future__ import annotations

import re
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.validation.exceptions import ParameterValidationError

from graft.errors import GraftError


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
        cause = cause.__cause__ or cause.__context__
    return None


def _explain_parameters(report: str) -> str:
    """Kedro's report of wrong parameters without its frame: ``stage: what is wrong``."""
    faults = re.findall(r"- Parameter '([^']*)': (?:Failed to [^:]*: )?(.*)", report)
    return "; ".join(f"{stage}: {fault}" for stage, fault in faults) or " ".join(report.split())


@click.group(name="graft")
def cli() -> None:
    """Commands of this project."""


cli.add_command(
    OneLineErrors("run", params=kedro_run.params, callback=kedro_run.callback, help=kedro_run.help)
)
