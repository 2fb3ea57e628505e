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
from graft.pipelines.candidates import STAGES as TRAINING_STAGES
from graft.pipelines.candidates import (
    create_candidate_pipeline,
    list_candidates,
    list_warm_inputs,
)

# The way from pictures to report; each stage reads what the ones before it made.
# Between the two parts stand the candidates of the run, each with a stage of its own.
PREPARING = ("ingestion", "splitting", "decoding", "feature_extraction")
# What `evaluation` goes through: from the classifiers to the report.
JUDGING = (
    "selection",
    "evaluation",
    "calibration",
    "curves",
    "explanation",
    "label_issues",
    "champion",
    "reporting",
)
# Names that pipelines had before.
_RENAMED = {"label_doubts": "label_issues", "training": "from_scratch"}


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
        modules = pkgutil.iter_modules(graft.pipelines.__path__)
        known = sorted(module.name for module in modules if module.ispkg)
        asked = re.search(r"'graft\.pipelines\.([^']+)'", str(error))
        if asked is None or asked[1] in known:
            raise
        if asked[1] in _RENAMED:
            raise GraftError(
                f"the pipeline is called '{_RENAMED[asked[1]]}' now; got '{asked[1]}'"
            ) from error
        raise GraftError(
            f"unknown pipeline; --pipelines takes {', '.join(known)}; got '{asked[1]}'"
        ) from error
    if "evaluation" in pipelines:
        parts = (pipelines.get(name) or create_stage(name) for name in JUDGING)
        pipelines["evaluation"] = sum(parts, start=Pipeline([]))
    if set(list_stages()) <= {*pipelines, *_name_own()}:
        stages = (pipelines.get(name) or create_stage(name) for name in list_stages())
        pipelines["__default__"] = sum(stages, start=Pipeline([]))
    return pipelines


def list_stages() -> list[str]:
    """All stages of a run in order: each reads what the ones before it made.

    Where a candidate learns from pictures without a label, all is there that it takes to say which
    of them a person should look at next.
    """
    candidates = list_candidates()
    asking = ("label_next",) if any(one.learns_unlabelled for one in candidates) else ()
    warm = ("warm_start",) if list_warm_inputs() else ()
    return [*PREPARING, *warm, *(candidate.stage for candidate in candidates), *asking, *JUDGING]


def _name_own() -> set[str]:
    """Stages of candidates that are functions of the user's: they have no folder here."""
    return {one.stage for one in list_candidates()} - {*TRAINING_STAGES.values()}


def add_upstream(pipeline: Pipeline, is_made: Callable[[str], bool]) -> Pipeline:
    """A pipeline with all nodes of the stages before it that make what it reads.

    Args:
        pipeline: Any selection of nodes.
        is_made: Whether a dataset, by its name, is one that a node makes.
    """
    for stage in reversed(list_stages()):
        # The stages are in order: what a stage reads is made by those before it.
        wanted = {name for name in pipeline.inputs() if is_made(name)}
        if not wanted:
            break
        makers = create_stage(stage)
        if wanted & makers.all_outputs():
            pipeline += makers
    return pipeline


def create_stage(stage: str) -> Pipeline:
    """The pipeline of one folder, or of a candidate of the user's."""
    if stage in _name_own():
        own = {candidate.stage: candidate for candidate in list_candidates()}
        return create_candidate_pipeline(own[stage])
    return importlib.import_module(f"graft.pipelines.{stage}").create_pipeline()
