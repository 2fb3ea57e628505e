"""Which backbone, at which size? Several by a frozen probe, cost beside accuracy."""

from graft.pipelines.bake_off.pipeline import create_pipeline

__all__ = ["create_pipeline"]
