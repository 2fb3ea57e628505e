"""Train a network of one's own from scratch, on the same pictures."""

from graft.pipelines.from_scratch.pipeline import create_pipeline

__all__ = ["create_pipeline"]
