"""Train the last blocks of the backbone further, at the speed of these blocks alone."""

from graft.pipelines.fine_tuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
