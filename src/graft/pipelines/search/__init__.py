"""Are there better parameters than the default ones, beyond doubt?"""

from graft.pipelines.search.pipeline import create_pipeline

__all__ = ["create_pipeline"]
