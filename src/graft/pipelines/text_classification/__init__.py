"""Classify texts by a recurrent network, beside a linear baseline."""

from graft.pipelines.text_classification.pipeline import create_pipeline

__all__ = ["create_pipeline"]
