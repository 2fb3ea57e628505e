"""The command line: Kedro's own ``run``, with mistakes told in one line."""

from __future__ import annotations

import difflib
import errno
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines, settings
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline
from kedro.utils import load_obj
from kedro.validation.exceptions import ParameterValidationError

from graft.caching.lock import WAITS
from graft.configuration import configure_logging, open_configuration
from graft.errors import GraftError
from graft.fingerprints import PACKAGE
from graft.tracking import TRACKS
from graft.typed_parameters import (
    convert_parameters,
    repeat_parameters,
    resolve_path,
    split_parameters,
)

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
        # For the type checker: a method is replaced, for this handler alone.
        handler.handleError = _raise_broken_pipe(handler)  # type: ignore[assignment,method-assign]


def _raise_broken_pipe(handler: logging.Handler) -> Callable[[logging.LogRecord], None]:
    def handle(record: logging.LogRecord) -> None:
        error = sys.exception()
        if isinstance(error, BrokenPipeError):
            raise error
        type(handler).handleError(handler, record)

    return handle


def print_what_can_be_printed() -> None:
    """Let an arrow be a question mark where the output has no arrow (a pipe on Windows, ASCII).

    Logging would print a traceback for every such line instead.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


class ParametersOption(click.Option):
    """``--params``, as often as one likes; a file of ``--config`` gives one text or a mapping."""

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        if isinstance(value, Mapping):
            return value
        return super().type_cast_value(ctx, (value,) if isinstance(value, str) else value)


def read_parameters(options: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """The parameters that were typed, as the configuration declares them.

    Args:
        options: ``params``, ``env`` and ``conf_source`` of the command.
        project: Its folder.

    Raises:
        GraftError: If they are no parameters.
    """
    given = options["params"]
    if isinstance(given, Mapping):  # of a file, where YAML says what is text
        return dict(given)
    typed = split_parameters(given)
    if not typed:
        return {}
    if {"{", "}"} & {*typed.get("dataset", "")}:
        raise GraftError(
            "dataset is the name of the folder of all outputs, without { and }, which the catalog "
            f"takes for a pattern; got '{typed['dataset']}'"
        )
    if "source" in typed:
        typed["source"] = resolve_path(typed["source"], Path.cwd(), project)
    source = options.get("conf_source") or str(project / settings.CONF_SOURCE)
    loader = open_configuration(source, options.get("env"))
    try:
        return convert_parameters(typed, loader["parameters"], loader["globals"])
    except MissingConfigException:  # there is no such environment: a hook will say so
        return dict(typed)


def _find_project() -> Path:
    """Folder of the project that a command was typed in or below; of a package where it was."""
    context = click.get_current_context(silent=True)
    project = getattr(context.find_root().obj, "project_path", None) if context else None
    return Path(project or Path.cwd())


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
    print_what_can_be_printed()
    project = _find_project()
    options["params"] = read_parameters(options, project)
    options["only_missing_outputs"] = not force
    if str(options.get("runner")).rpartition(".")[2] == "ThreadRunner":
        options["runner"] = "graft.caching.runner.TurnTakingRunner"
    _check_runner(options.get("runner"))
    if plan:
        options["runner"] = "graft.caching.runner.PlanRunner"
    source = options.get("conf_source")
    if source is None and project != Path.cwd() and (project / settings.CONF_SOURCE).is_dir():
        # Kedro looks for logging.yml below the folder where the command was typed.
        source = str(project / settings.CONF_SOURCE)
    if source:
        configure_logging(open_configuration(source))
    end_with_the_reader()
    waits, tracks = WAITS.set(wait), TRACKS.set(track and not plan)
    # For the type checker: a click command may have no callback; this one has.
    kedros_run: Callable[..., Any] = kedro_run.callback  # type: ignore[assignment]
    try:
        return kedros_run(**options)
    except ValueError as error:
        if not _is_about_the_selection(error):
            raise
        raise GraftError(_explain_selection(options)) from error
    finally:
        WAITS.reset(waits)
        TRACKS.reset(tracks)


def _check_runner(name: str | None) -> None:
    try:
        load_obj(name or "SequentialRunner", "kedro.runner")
    except (AttributeError, ImportError, ValueError) as error:
        raise GraftError(
            "no such runner; --runner takes SequentialRunner (the default), ThreadRunner or the "
            f"dotted path of a class; got '{name}'"
        ) from error


_SELECTIONS = {
    "tags": "--tags",
    "node_names": "--nodes",
    "from_nodes": "--from-nodes",
    "to_nodes": "--to-nodes",
    "from_inputs": "--from-inputs",
    "to_outputs": "--to-outputs",
    "namespaces": "--namespaces",
}


def _is_about_the_selection(error: ValueError) -> bool:
    """Whether Kedro raised it while it selected nodes; it has no kind of its own for that."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code is Pipeline.filter.__code__ for frame, _ in frames)


def _explain_selection(options: dict[str, Any]) -> str:
    """One line for a selection that leaves no node, with what it could have been."""
    names = options.get("pipelines") or [options.get("pipeline") or "__default__"]
    whole = sum((pipelines[name] for name in names), start=Pipeline([]))
    nodes = {node.name for node in whole.nodes}
    known = {
        "tags": {tag for node in whole.nodes for tag in node.tags},
        "node_names": nodes,
        "from_nodes": nodes,
        "to_nodes": nodes,
        "from_inputs": whole.datasets(),
        "to_outputs": whole.all_outputs(),
        "namespaces": {str(node.namespace) for node in whole.nodes},
    }
    given = {name: list(options[name]) for name in _SELECTIONS if options.get(name)}
    hints = [
        f"{_SELECTIONS[name]} takes {_list_likely(value, known[name])}"
        for name, values in given.items()
        for value in values
        if value not in known[name]
    ] or ["no node is in all that is selected together; select less at once"]
    got = " ".join(f"{_SELECTIONS[name]}={','.join(values)}" for name, values in given.items())
    where = f" of --pipelines={','.join(names)}" if names != ["__default__"] else ""
    return f"no node is left to run: {'; '.join(hints)}; got {got}{where}"


def _list_likely(value: str, known: set[str]) -> str:
    """The names that may be meant: all if there are few, else the likest."""
    if len(known) <= _FEW:
        return ", ".join(sorted(known)) or "no name here, for there is none"
    likest = difflib.get_close_matches(value, known, n=3, cutoff=0.4)
    return ", ".join([*likest, f"… ({len(known)} names, see `kedro registry describe`)"])


_FEW = 20


OPTIONS = [
    ParametersOption(
        ["--params"],
        multiple=True,
        type=click.UNPROCESSED,
        help="Parameters of this run: NAME=VALUE, several with commas between them.",
    ),
    click.Option(["--force"], is_flag=True, help="Run all that is selected, fresh or not."),
    click.Option(["--plan"], is_flag=True, help="Show what is fresh or stale, and run nothing."),
    click.Option(["--track"], is_flag=True, help="Record the run in MLflow (extra: mlflow)."),
    click.Option(["--wait"], is_flag=True, help="Wait for another run on the same outputs."),
]
# Kedro looks for this name where the project is packaged.
run = OneLineErrors(
    "run",
    params=[*(option for option in kedro_run.params if option.name != "params"), *OPTIONS],
    callback=run_what_is_stale,
    help="Run the pipeline: make what is stale, skip what is fresh.",
)
cli.add_command(run)


def serve_export(env: str | None, folder: str | None, options: tuple[str, ...]) -> None:
    """Become the service of an exported champion.

    A process of its own takes the place of this one, for the service needs nothing of Kedro and
    nothing of what it has loaded.

    Raises:
        GraftError: If nothing was exported.
    """
    if folder is None:
        with KedroSession.create(env=env) as session:
            context = cast(KedroSession, session).load_context()
            folder = str(context.catalog["exported"].filepath)
    if not Path(folder).exists():
        where = f" --env={env}" if env else ""
        raise GraftError(
            "the service needs an exported champion; make it with `kedro run "
            f"--pipelines=export{where}`; got no folder '{folder}'"
        )
    source = str(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", PACKAGE, "serve", folder, *options]
    sys.stdout.flush()
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": paths})


cli.add_command(
    OneLineErrors(
        "serve",
        params=[
            click.Option(["--env", "-e"], help="The environment whose champion is served."),
            click.Option(["--folder"], help="Another export than that of the environment."),
            click.Argument(["options"], nargs=-1, type=click.UNPROCESSED),
        ],
        callback=serve_export,
        context_settings={"ignore_unknown_options": True},
        help="Serve the exported champion; OPTIONS are those of `graft serve --help`.",
    )
)


def label_project(
    env: str | None, params: tuple[str, ...], port: int, name: str | None, issues: bool
) -> None:
    """Open the page on which people label the pictures of this project."""
    from graft.label_command import label_pictures

    print_what_can_be_printed()
    project = _find_project()
    given = read_parameters({"params": params, "env": env}, project)
    configure_logging(open_configuration(str(project / settings.CONF_SOURCE)))
    same = (f" --env={env}" if env else "") + repeat_parameters(params)
    with KedroSession.create(project, env=env, runtime_params=given) as session:
        context = cast(KedroSession, session).load_context()
        label_pictures(context, same, port, name, issues=issues)


cli.add_command(
    OneLineErrors(
        "label",
        params=[
            click.Option(["--env", "-e"], help="The environment whose pictures are labelled."),
            OPTIONS[0],
            click.Option(
                ["--port"], type=click.IntRange(0, 65535), default=8400, show_default=True,
                help="Port on this machine; 0 takes a free one.",
            ),
            click.Option(["--name"], help="Who labels; the name of the account unless given."),
            click.Option(["--issues"], is_flag=True, help="Ask about labels that look wrong."),
        ],
        callback=label_project,
        help="Open a page on which people label pictures.",
    )
)  # fmt: skip
