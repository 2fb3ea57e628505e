"""Train a head on the stored features and join it to the backbone."""

from graft.pipelines.head_training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
