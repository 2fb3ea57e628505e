"""Show which pictures are wrong or nearly so, what the classifier looked at, what it knew."""

from graft.pipelines.explanation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
