"""Which of the pictures without a label a person should look at next."""

from graft.pipelines.label_next.pipeline import create_pipeline

__all__ = ["create_pipeline"]
