"""Train on pictures without a label as well: the candidate ``self_trained``."""

from graft.pipelines.self_training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
