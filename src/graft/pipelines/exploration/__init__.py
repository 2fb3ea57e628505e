"""What is in the folder, and what in it could fool a classifier."""

from graft.pipelines.exploration.pipeline import create_pipeline

__all__ = ["create_pipeline"]
