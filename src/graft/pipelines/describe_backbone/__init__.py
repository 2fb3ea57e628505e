"""What the backbone is made of: its blocks, its layers, a summary and a drawing."""

from graft.pipelines.describe_backbone.pipeline import create_pipeline

__all__ = ["create_pipeline"]
