"""Put the classifier that is best on dev into a folder, with all that is needed to use it."""

from graft.pipelines.champion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
