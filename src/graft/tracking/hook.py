"""The hook that records a run in MLflow when it is done."""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from graft.caching.run_hook import name_dataset
from graft.caching.runner import is_plan_only
from graft.tracking.records import describe_run
from graft.tracking.store import log_record, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
