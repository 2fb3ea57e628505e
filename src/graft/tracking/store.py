"""MLflow's store of records: opened, and written to."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.errors import GraftError
from graft.tracking.records import Record

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
