"""Train the small backbone on printed letters that it renders itself."""

from graft.pipelines.pretraining.pipeline import create_pipeline

__all__ = ["create_pipeline"]
