"""Choose among the candidates by what they do on dev."""

from graft.pipelines.selection.pipeline import create_pipeline

__all__ = ["create_pipeline"]
