"""The champion in formats that run without Keras, each checked against it."""

from graft.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
