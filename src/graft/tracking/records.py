"""A run in MLflow: what is told of it, from its plan and its catalog, and how it is written."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from graft import __version__
from graft.caching.manifest import find_commit
from graft.caching.run_hook import name_dataset
from graft.caching.runner import FreshCatalog, is_plan_only
from graft.datasets.atomic import AtomicDataset
from graft.errors import GraftError

if TYPE_CHECKING:
    from mlflow import MlflowClient


_MEASURED = ("metrics", "cross_validation")  # mappings whose numbers become metrics


@dataclass
class Record:
    """What is told of a run.

    Attributes:
        tags: Name to text.
        parameters: Name to value, of all stages before and in the selection.
        metrics: Name to figure, such as ``frozen/test/accuracy``.
        histories: Name to figures by epoch, such as ``head_history/loss``.
        files: Files and folders, each with the folder that it is told under.
    """

    tags: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    histories: dict[str, dict[int, float]] = field(default_factory=dict)
    files: list[tuple[Path, str]] = field(default_factory=list)


def describe_run(pipeline: Pipeline, catalog: DataCatalog) -> Record:
    """Gather what the outputs of a pipeline hold now, made in this run or before it."""
    record = Record(tags={"graft": __version__})
    commit = find_commit(Path(__file__).parent)
    if commit:
        record.tags |= {"mlflow.source.git.commit": commit["commit"], "dirty": str(commit["dirty"])}
    plan = catalog.plan if isinstance(catalog, FreshCatalog) else None
    if plan is not None:
        for verdict in plan.verdicts.values():
            record.parameters |= verdict.recipe["parameter"]
        record.tags["data"] = str(plan.find_content("raw_images"))
    for name in sorted(pipeline.all_outputs()):
        dataset = catalog.get(name)
        if isinstance(dataset, AtomicDataset) and dataset.filepath.exists():
            _add_output(record, name, dataset)
    return record


def _add_output(record: Record, name: str, dataset: AtomicDataset) -> None:
    layer = ((dataset.metadata or {}).get("kedro-viz") or {}).get("layer")
    if name in _MEASURED:
        record.metrics |= dict(_flatten(dataset.load(), "" if name == "metrics" else name))
        manifest = dataset.filepath.with_name("manifest.json")
        record.files += [(manifest, "reporting")] if manifest.exists() else []
    if name.endswith(("_history", ".history")):
        record.histories |= _read_history(name, dataset.load())
    if layer == "reporting" or name == "champion":
        is_folder = dataset.filepath.is_dir()
        record.files.append((dataset.filepath, name if is_folder else "reporting"))


def _flatten(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """Numbers of nested mappings by path; what is called ``value`` by the path alone."""
    for name, value in values.items():
        path = "/".join(part for part in (prefix, "" if name == "value" else name) if part)
        if isinstance(value, Mapping):
            yield from _flatten(value, path)
        elif isinstance(value, (int, float)) and math.isfinite(value):
            yield path, float(value)


def _read_history(name: str, history: pd.DataFrame) -> dict[str, dict[int, float]]:
    epochs = history["epoch"].astype(int)
    return {
        f"{name}/{column}": dict(zip(epochs, history[column].astype(float), strict=True))
        for column in history.columns.drop("epoch")
    }


# Set by `kedro run --track`.
TRACKS: ContextVar[bool] = ContextVar("TRACKS", default=False)
logger = logging.getLogger(__name__)


class TrackingHook:
    """Records a run in MLflow if ``kedro run --track`` asks for it."""

    def __init__(self) -> None:
        self._client: MlflowClient | None = None
        self._experiment = ""
        self._started = 0

    @hook_impl(trylast=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Open the store: that it cannot be reached must be known before hours of work.

        Raises:
            GraftError: If it cannot be opened.
        """
        self._client = None
        if TRACKS.get():
            self._started = int(1000 * time.time())
            place = Path(context.project_path)
            self._client, self._experiment = open_store(place, name_dataset(context))

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Write the record.

        Raises:
            GraftError: If MLflow fails; the results of the run are safe.
        """
        if self._client is None or is_plan_only(run_params):
            return
        title = ",".join(sorted(run_params["pipeline_names"] or ["__default__"]))
        record = describe_run(pipeline, catalog)
        record.tags |= {"pipelines": title, "env": run_params["env"] or "base"}
        log_record(self._client, self._experiment, title, self._started, record)
        logger.info("\nTracked      in MLflow; see docs/tracking.md for how to look at it")


_PARAMETERS_A_CALL, _METRICS_A_CALL, _LONGEST_VALUE = 100, 1000, 6000  # limits of MLflow


def open_store(project: Path, experiment: str) -> tuple[MlflowClient, str]:
    """Connect to ``MLFLOW_TRACKING_URI``, or to ``mlflow.db`` in the project.

    Args:
        project: Folder of the project.
        experiment: Its name; it is made if there is none.

    Returns:
        The client, and the identifier of the experiment.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    place = os.environ.get("MLFLOW_TRACKING_URI")
    artifacts = None if place else (project / "mlruns" / experiment).as_uri()
    uri = place or f"sqlite:///{project / 'mlflow.db'}"
    with _one_line(f"the store '{place or 'mlflow.db'}' cannot be used; mend MLFLOW_TRACKING_URI"):
        client = mlflow.MlflowClient(uri)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return client, client.create_experiment(experiment, artifacts)
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return client, found.experiment_id


def log_record(
    client: MlflowClient, experiment: str, title: str, started: int, record: Record
) -> str:
    """Write a record as a run of MLflow; the identifier of the run.

    Args:
        client: Of the store.
        experiment: Identifier of the experiment.
        title: Name of the run.
        started: When the run began, in milliseconds since 1970.
        record: What is told.
    """
    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    parameters = [
        Param(re.sub(r"[^\w./ -]", "_", name), str(value)[:_LONGEST_VALUE])
        for name, value in sorted(record.parameters.items())
    ]
    metrics = [Metric(name, value, now, 0) for name, value in record.metrics.items()]
    for name, values in record.histories.items():
        metrics += [Metric(name, value, now, epoch) for epoch, value in values.items()]
    with _one_line("the run is done and its results are safe, but MLflow did not take the record"):
        run_id = client.create_run(experiment, started, record.tags, title).info.run_id
        status = "FAILED"
        try:
            for part in _divide(parameters, _PARAMETERS_A_CALL):
                client.log_batch(run_id, params=part)
            for part in _divide(metrics, _METRICS_A_CALL):
                client.log_batch(run_id, metrics=part)
            for path, folder in record.files:
                log = client.log_artifacts if path.is_dir() else client.log_artifact
                log(run_id, str(path), folder)
            status = "FINISHED"
        finally:
            client.set_terminated(run_id, status)
    return run_id


def _divide(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Tell what fails in MLflow in one line; its own errors and those of its database."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise GraftError(f"{what}, or run without --track; got {reason}") from error
