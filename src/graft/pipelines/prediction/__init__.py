"""Ask a classifier, or a layer of it, about pictures that nobody has labelled."""

from graft.pipelines.prediction.pipeline import create_pipeline

__all__ = ["create_pipeline"]
