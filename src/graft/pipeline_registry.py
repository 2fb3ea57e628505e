"""The pipelines of the project."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

import graft.pipelines
from graft.errors import GraftError

# The way from pictures to report; each stage reads what the ones before it made.
STAGES = (
    "ingestion",
    "splitting",
    "decoding",
    "feature_extraction",
    "head_training",
    "fine_tuning",
    "training",
    "evaluation",
    "calibration",
    "curves",
    "explanation",
    "label_issues",
    "champion",
    "reporting",
)
# What `evaluation` goes through: from the classifiers to the report.
JUDGING = STAGES[STAGES.index("evaluation") :]


def register_pipelines() -> dict[str, Pipeline]:
    """One pipeline a folder of ``graft.pipelines``; ``__default__`` is the whole way.

    ``evaluation`` is all that judges the classifiers, to the report.

    Kedro asks for single ones on ``kedro run --pipelines=…``; then only these are imported.

    Raises:
        GraftError: If a pipeline is asked for that does not exist.
    """
    try:
        pipelines = find_pipelines(raise_errors=True)
    except ImportError as error:
        known = sorted(module.name for module in pkgutil.iter_modules(graft.pipelines.__path__))
        asked = re.search(r"'graft\.pipelines\.([^']+)'", str(error))
        if asked is None or asked[1] in known:
            raise
        raise GraftError(
            f"unknown pipeline; --pipelines takes {', '.join(known)}; got '{asked[1]}'"
        ) from error
    if "evaluation" in pipelines:
        parts = (pipelines.get(name) or create_stage(name) for name in JUDGING)
        pipelines["evaluation"] = sum(parts, start=Pipeline([]))
    stages = [pipelines[name] for name in STAGES if name in pipelines]
    if len(stages) == len(STAGES):
        pipelines["__default__"] = sum(stages, start=Pipeline([]))
    return pipelines


def add_upstream(pipeline: Pipeline, is_made: Callable[[str], bool]) -> Pipeline:
    """A pipeline with all nodes of the stages before it that make what it reads.

    Args:
        pipeline: Any selection of nodes.
        is_made: Whether a dataset, by its name, is one that a node makes.
    """
    for stage in reversed(STAGES):
        # The stages are in order: what a stage reads is made by those before it.
        wanted = {name for name in pipeline.inputs() if is_made(name)}
        if not wanted:
            break
        makers = create_stage(stage)
        if wanted & makers.all_outputs():
            pipeline += makers
    return pipeline


def create_stage(stage: str) -> Pipeline:
    """The pipeline of one folder."""
    return importlib.import_module(f"graft.pipelines.{stage}").create_pipeline()
