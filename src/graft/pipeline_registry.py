"""The pipelines of the project."""

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

# The way from pictures to report; each stage reads what the ones before it made.
STAGES = (
    "ingestion",
    "splitting",
    "decoding",
    "feature_extraction",
    "head_training",
    "evaluation",
)


def register_pipelines() -> dict[str, Pipeline]:
    """One pipeline a folder of ``graft.pipelines``; ``__default__`` is the whole way.

    Kedro asks for single ones on ``kedro run --pipelines=…``; then only these are imported.
    """
    pipelines = find_pipelines(raise_errors=True)
    stages = [pipelines[name] for name in STAGES if name in pipelines]
    if len(stages) == len(STAGES):
        pipelines["__default__"] = sum(stages, start=Pipeline([]))
    return pipelines
