"""What all parameter models of the stages have in common."""

from pydantic import BaseModel, ConfigDict


class StageParameters(BaseModel):
    """Base of every stage's parameters: unknown names are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
