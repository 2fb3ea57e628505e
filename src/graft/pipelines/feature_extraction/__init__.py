"""Build the backbone and turn every picture into a feature vector, once."""

from graft.pipelines.feature_extraction.pipeline import create_pipeline

__all__ = ["create_pipeline"]
