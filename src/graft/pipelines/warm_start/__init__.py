"""Take the last champion as the start of a training with a few pictures more."""

from graft.pipelines.warm_start.pipeline import create_pipeline

__all__ = ["create_pipeline"]
