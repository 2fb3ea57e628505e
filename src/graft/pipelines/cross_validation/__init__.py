"""How much does the result depend on which pictures were trained on?"""

from graft.pipelines.cross_validation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
