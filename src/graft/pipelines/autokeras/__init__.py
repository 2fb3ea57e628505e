"""A network that AutoKeras searches for, on the same pictures: the candidate ``autokeras``."""

from graft.pipelines.autokeras.pipeline import create_pipeline

__all__ = ["create_pipeline"]
