"""The hook that plans a run, shows the plan and keeps other runs away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from graft.caching.ledger import Ledger
from graft.caching.lock import WAITS, RunLock
from graft.caching.plan import NEVER_MADE, Plan, format_plan, name_stage
from graft.caching.runner import FreshCatalog, is_plan_only
from graft.datasets.atomic import AtomicDataset, PreviousDataset, WorkSaver
from graft.errors import GraftError
from graft.progress import warn

logger = logging.getLogger(__name__)


class CachingHook:
    """Plans each run, so that ``--only-missing-outputs`` rebuilds what is stale.

    Args:
        add_upstream: Gives a pipeline with all nodes before it that make what it reads, for these
            datasets decide whether it reads what it should.
    """

    def __init__(
        self,
        add_upstream: Callable[[Pipeline, Callable[[str], bool]], Pipeline],
        at_end: Callable[[], None] | None = None,
    ) -> None:
        self._add_upstream = add_upstream
        self._at_end = at_end
        self._lock: RunLock | None = None
        self._place = Path("data")
        self._dataset = "default"

    @hook_impl(trylast=True)  # once it is known that there is such an environment
    def after_context_created(self, context: KedroContext) -> None:
        """Learn where the project's data is and how the set of pictures is called."""
        self._place = Path(context.project_path) / "data"
        self._dataset = name_dataset(context)

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Lock the outputs, find out what is stale, tell it.

        Raises:
            GraftError: If another run is at work, the runner cannot follow a plan, or an input
                from outside the selection is stale.
        """
        if not isinstance(catalog, FreshCatalog):
            raise GraftError(
                "the outputs of a run in several processes cannot be told fresh from stale; use "
                "--runner=SequentialRunner (the default) or --runner=ThreadRunner; "
                f"got {str(run_params.get('runner')).rpartition('.')[2].partition(' ')[0]}"
            )
        plan_only, force = is_plan_only(run_params), not run_params["only_missing_outputs"]
        self._release()
        if not plan_only:
            self._lock = RunLock(self._place / ".locks")
            self._lock.acquire(_list_folders(pipeline, catalog), WAITS.get())
        try:
            ledger = Ledger(self._place / "02_intermediate" / self._dataset / ".state")
            whole = self._add_upstream(pipeline, lambda name: _is_made(catalog, name))
            plan = Plan(whole, catalog, ledger)
            for line in _show(plan, pipeline, force):
                logger.info(line)
            _mind_stale_inputs(plan, pipeline, warn_only=force or plan_only)
        except BaseException:
            self._release()
            raise
        if force and not plan_only:
            # All is to be made again, and not taken over from what there is.
            for dataset in map(catalog.get, pipeline.inputs()):
                if isinstance(dataset, WorkSaver):
                    dataset.forget()
        catalog.follow(plan)

    @hook_impl(trylast=True)
    def after_pipeline_run(self, catalog: DataCatalog) -> None:
        """Keep what was learnt, close what was read, let other runs in."""
        self._end(catalog)

    @hook_impl
    def on_pipeline_error(self, catalog: DataCatalog) -> None:
        """Keep what was learnt, close what was read, let other runs in."""
        self._end(catalog)

    def _end(self, catalog: DataCatalog) -> None:
        if isinstance(catalog, FreshCatalog) and catalog.plan is not None:
            catalog.plan.close()
        if self._at_end is not None:
            self._at_end()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def name_dataset(context: KedroContext) -> str:
    """How the set of pictures is called: the folder of its outputs in every layer."""
    given = context._runtime_params or {}
    return str(given.get("dataset", _read_globals(context).get("dataset", "default")))


def _read_globals(context: KedroContext) -> dict[str, Any]:
    try:
        return context.config_loader["globals"]
    except KeyError:
        return {}


def _is_made(catalog: DataCatalog, name: str) -> bool:
    dataset = catalog.get(name)
    return isinstance(dataset, AtomicDataset) and not isinstance(dataset, PreviousDataset)


def _list_folders(pipeline: Pipeline, catalog: DataCatalog) -> set[Path]:
    datasets = (catalog.get(name) for name in pipeline.datasets())
    return {dataset.filepath.parent for dataset in datasets if isinstance(dataset, AtomicDataset)}


def _show(plan: Plan, pipeline: Pipeline, force: bool) -> list[str]:
    told = []
    for stage, nodes in _group_by_stage(pipeline).items():
        verdicts = [plan.verdicts[node.name] for node in nodes]
        own = [reason for verdict in verdicts for reason in verdict.reasons]
        waits = [reason for verdict in verdicts for reason in verdict.waits]
        again = f"follows {stage}"
        told.append((stage, own or [reason for reason in waits if reason != again]))
    lines = format_plan(told, force)
    if not force and not any(reasons for _, reasons in told):
        lines.append("  nothing to do; --force makes all again")
    return lines


def _group_by_stage(pipeline: Pipeline) -> dict[str, list[Node]]:
    """Nodes by stage, a stage after those that it reads from."""
    stages: dict[str, list[Node]] = {}
    before: dict[str, set[str]] = {}
    for node in pipeline.nodes:
        stage = name_stage(node)
        stages.setdefault(stage, []).append(node)
        makers = {name_stage(maker) for maker in pipeline.node_dependencies[node]}
        before.setdefault(stage, set()).update(makers - {stage})
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:  # namespaces may interleave
        order = list(stages)
    return {stage: stages[stage] for stage in order}


def _mind_stale_inputs(plan: Plan, pipeline: Pipeline, warn_only: bool) -> None:
    """Never run on what was made otherwise, unless asked to, and then say so."""
    stale = plan.find_stale(pipeline.inputs())
    if not stale:
        return
    name, verdict = next(iter(stale.items()))
    stages = sorted({name_stage(other.node) for other in stale.values()})
    listed = ", ".join([*stale][:3]) + (f" and {len(stale) - 3} more" if len(stale) > 3 else "")
    message = (
        f"{listed} {'are' if len(stale) > 1 else 'is'} stale ({name}: {verdict.all_reasons[0]})"
        if verdict.all_reasons[0] != NEVER_MADE
        else f"{name} was never made"
    )
    if warn_only:
        warn("Stale input", "%s; taken as it is", message)
        return
    raise GraftError(
        f"{message}; run all with `kedro run`, or first --pipelines={','.join(stages)}, or take "
        f"what is there with --force; got {len(stale)} stale input{'s'[: len(stale) > 1]}"
    )
