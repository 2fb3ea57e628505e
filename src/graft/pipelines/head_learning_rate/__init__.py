"""Find the learning rate to train the head with; on request."""

from graft.pipelines.head_learning_rate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
