"""Hooks: what the command line checks before a run and tells after it."""

from __future__ import annotations

import difflib
import logging
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import click
from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import AbstractDataset, DataCatalog
from kedro.pipeline import Pipeline

from graft.caching.plan import name_stage
from graft.caching.runner import is_plan_only
from graft.configuration import (
    check_environment,
    find_environments_with,
    list_environments,
    list_unread_files,
    open_configuration,
)
from graft.datasets.atomic import AtomicDataset
from graft.datasets.environments import Basis, choose_basis
from graft.errors import GraftError
from graft.fingerprints import PACKAGE
from graft.pipelines.candidates import choose_candidates
from graft.pipelines.prediction.pipeline import choose_prediction
from graft.progress import tell
from graft.search.spaces import choose_space
from graft.typed_parameters import repeat_parameters

logger = logging.getLogger(__name__)


class CommandCheckHook:
    """Refuses an environment or a parameter that does not exist, before anything else happens.

    Kedro takes any name in ``--params``; a typo must not train for an hour. Names below the
    first dot are checked by each stage's own parameter model.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Compare the names given with those that the configuration declares."""
        loader = cast(OmegaConfigLoader, context.config_loader)  # as the settings say
        environments = list_environments(loader)
        if context.env is not None and context.env not in environments:
            raise GraftError(
                f"unknown environment; --env takes {', '.join(environments)}; got '{context.env}'"
            )
        check_environment(loader, context.env or loader.default_run_env)
        if unread := list_unread_files(loader, context.env):
            logger.warning(
                "conf/%s is not read with --env=%s: what %s say belongs into conf/%s",
                loader.default_run_env, context.env, " and ".join(unread), context.env,
            )  # fmt: skip
        given = list(context._runtime_params or {})
        if given:
            # The context's own loader has the names that were given among its parameters.
            declared = open_configuration(str(loader.conf_source), context.env)
            known = sorted({*declared["parameters"], *declared["globals"]})
            for name in given:
                if name not in known:
                    raise GraftError(
                        _explain_unknown(name, known, find_environments_with(loader, name))
                    )
        # Before the pipelines are built, which have a stage a candidate.
        choose_candidates(context.config_loader["parameters"])
        choose_prediction(context.config_loader["parameters"])
        choose_space(context.config_loader["parameters"])
        choose_basis(_find_basis(context, loader))


def _find_basis(context: KedroContext, loader: OmegaConfigLoader) -> Basis:
    """Where an environment that is found in this run begins."""
    folder = Path(str(loader.conf_source)) / (context.env or str(loader.default_run_env))
    declared = frozenset(loader["globals"]) - {"search_environment"}
    return Basis(folder if folder.is_dir() else None, context._runtime_params or {}, declared)


# Names that parameters had before.
_RENAMED = {"label_doubts": "label_issues", "training": "from_scratch"}


def _explain_unknown(name: str, known: list[str], elsewhere: list[str]) -> str:
    if name in _RENAMED:
        return f"'{name}' is called '{_RENAMED[name]}' now; got --params '{name}'"
    if elsewhere:
        return (
            f"'{name}' has no meaning in this environment; it has with --env="
            f"{' or --env='.join(elsewhere)}; got --params '{name}'"
        )
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"unknown parameter; {hint}--params takes {', '.join(known)}; got '{name}'"


class RunSummaryHook:
    """Tells what a run is about before it, and what came of it and what to do next after it."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Say which pipelines run in which environment."""
        # Kedro hands them over in any order.
        order = [name_stage(node) for node in pipeline.nodes]
        names = sorted(
            run_params["pipeline_names"] or ["from pictures to report"],
            key=lambda name: (order.index(name) if name in order else len(order), name),
        )
        tell("Graft", f"{', '.join(names)} (environment {run_params['env'] or 'base'})")

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Print the result table and the commands that make sense now."""
        if is_plan_only(run_params):
            return
        made = pipeline.all_outputs()
        if {"metrics", "comparison", "error_breakdown"} <= made:
            chosen = catalog.load("comparison")["chosen"]
            baseline = catalog.load("error_breakdown")["models"][chosen]["baseline"]
            for line in format_result(catalog.load("metrics"), chosen, baseline):
                logger.info(line)
        if "quarantined_images" in made and len(quarantined := catalog.load("quarantined_images")):
            _tell_place(f"\n{len(quarantined):,} quarantined in ", catalog, "quarantined_images")
        for name in ("report", "exploration_report", "few_shot_report", "search_page"):
            if name in made:
                _tell_place("\nReport       ", catalog, name)
        if "search_environment" in made:
            _tell_place("Environment  ", catalog, "search_environment")
            _tell_environment(catalog["search_environment"])
        if "champion" in made:
            _tell_place("Champion     ", catalog, "champion")
        written = ("predicted_pictures_list", "layer_features", "layer_features_array", "exported")
        for name in written:
            if name in made:
                _tell_place("Written      ", catalog, name)
        for line in suggest_next(made, run_params["env"], _list_typed_parameters()):
            logger.info(line)


def _tell_environment(dataset: AbstractDataset[Any, Any]) -> None:
    if isinstance(dataset, AtomicDataset):
        logger.info("\nNext\n  a run with what was found")
        logger.info("    %s --env=%s", _find_commands()[0], dataset.filepath.name)


def _tell_place(title: str, catalog: DataCatalog, name: str) -> None:
    dataset = catalog[name]
    if isinstance(dataset, AtomicDataset):
        logger.info("%s%s", title, _relative(dataset.filepath))


def format_result(metrics: dict[str, Any], chosen: str, baseline: dict[str, Any]) -> list[str]:
    r"""The result table as lines of at most 80 columns, of the chosen model and a trivial one.

    Args:
        metrics: Model → split → figures; others than the chosen one have ``test`` only on request.
        chosen: The model that was chosen on dev.
        baseline: How it compares with saying one class always, see
            :func:`graft.analysis.error_breakdown.compare_with_baseline`.

    Examples:
        >>> figure = {"value": 0.98, "low": 0.96, "high": 0.99}
        >>> metrics = {"frozen": {"test": {"n": 360, "accuracy": figure}}}
        >>> gain = {"value": 0.005, "low": -0.01, "high": 0.02}
        >>> baseline = {"accuracy": figure, "gain": gain, "verdict": "no evidence of a difference"}
        >>> print("\n".join(format_result(metrics, "frozen", baseline)))
        <BLANKLINE>
        On 360 pictures of test          value   95 % interval
          accuracy                       0.980   0.960 – 0.990
          of saying one class always     0.980   0.960 – 0.990
        NOT SHOWN TO BE BETTER than that: accuracy +0.5 points (-1.0 to +2.0)
    """
    test = metrics[chosen]["test"]
    figures = {name: figure for name, figure in test.items() if isinstance(figure, dict)}
    count = f"On {test['n']:,} pictures of test"
    lines = ["", f"{count:<33}value   95 % interval"]
    lines += [_format_figure(name.replace("_", " "), figure) for name, figure in figures.items()]
    lines.insert(3, _format_figure("of saying one class always", baseline["accuracy"]))
    if baseline["verdict"] != "better":
        gain = (100 * baseline["gain"][name] for name in ("value", "low", "high"))
        verdict = "WORSE" if baseline["verdict"] == "worse" else "NOT SHOWN TO BE BETTER"
        told = "accuracy {:+.1f} points ({:+.1f} to {:+.1f})".format(*gain)
        lines.append(f"{verdict} than that: {told}")
    if len(metrics) > 1:
        lines.append(f"of the {chosen.replace('_', '-')} classifier, best on dev")
    shown = [model for model in metrics if model != chosen and "test" in metrics[model]]
    if shown:
        lines[-1] += "; accuracy of"
    for model in shown:
        lines.append(_format_figure(model.replace("_", "-"), metrics[model]["test"]["accuracy"]))
    return lines


def _format_figure(title: str, figure: dict[str, float]) -> str:
    return f"  {title:<30} {figure['value']:.3f}   {figure['low']:.3f} – {figure['high']:.3f}"


def suggest_next(made: set[str], env: str | None, typed: Sequence[str] = ()) -> list[str]:
    """Two or three commands that make sense after a run, as lines.

    Args:
        made: Names of what the run has made.
        env: Its environment.
        typed: What each of its ``--params`` was given.
    """
    if "report" not in made:
        return []
    where = f" --env={env}" if env else ""
    same = repeat_parameters(typed)
    run, kedro = _find_commands()
    steps = {
        "what is in the pictures, and what could fool a classifier": (
            f"{run} --pipelines=exploration{where}{same}"
        ),
    }
    if env in _WITHOUT_PICTURES and not any("source=" in text for text in typed):
        own = f"{run} --env=own_pictures --params source=FOLDER"
        steps["your own pictures, a folder a class"] = own
    if kedro is not None:
        show = f"{kedro} viz run{where}{same}" if find_spec("kedro_viz") else "make viz"
        steps["the pipeline in a browser, with previews"] = show
    if env is None:
        steps["how far 1 to 20 labels a class go"] = f"{run} --pipelines=few_shot{same}"
    return ["\nNext"] + [
        line for why, what in steps.items() for line in (f"  {why}", f"    {what}")
    ]


# Environments of pictures that nobody has brought: None is base.
_WITHOUT_PICTURES = {None, "base", "test"}


def _list_typed_parameters() -> list[str]:
    """What each ``--params`` of the running command was given."""
    context = click.get_current_context(silent=True)
    given = context.params.get("params") if context else None
    return [str(text) for text in given] if isinstance(given, tuple | list) else []


def _find_commands() -> tuple[str, str | None]:
    """Commands as this person has to type them: to run, and ``kedro`` if there is a project.

    ``kedro``, or its path if it is not on PATH; of a package ``graft`` or ``python -m graft``.
    """
    context = click.get_current_context(silent=True)
    source = context.params.get("conf_source") if context else None
    options = f" --conf-source={_relative(Path(source))}" if source else ""
    called = Path(sys.argv[0])
    if called.name == PACKAGE:
        return f"{PACKAGE}{options}", None
    if called == Path(__file__).with_name("__main__.py"):
        return f"python -m {PACKAGE}{options}", None
    found = shutil.which("kedro")
    is_found = found and Path(found).resolve() == called.resolve()
    kedro = "kedro" if called.name != "kedro" or is_found else _relative(called)
    return f"{kedro} run{options}", kedro


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
