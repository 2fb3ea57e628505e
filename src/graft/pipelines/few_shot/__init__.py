"""How good is the classifier with very few labels, and is pretraining worth it then?"""

from graft.pipelines.few_shot.pipeline import create_pipeline

__all__ = ["create_pipeline"]
