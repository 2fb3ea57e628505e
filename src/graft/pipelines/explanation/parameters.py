"""Parameters of the explanation stage."""

from pydantic import NonNegativeInt, PositiveInt

from graft.parameters.base import StageParameters


class ExplanationParameters(StageParameters):
    """How many pictures are explained.

    Attributes:
        gallery_size: At most so many of the most confident mistakes.
        close_hits: At most so many of the least confident hits.
        pairs: At most so many pairs of classes that are confused.
        pair_examples: At most so many pictures a pair.
        neighbours: Nearest pictures of train beside each.
    """

    gallery_size: PositiveInt
    close_hits: NonNegativeInt
    pairs: NonNegativeInt
    pair_examples: PositiveInt
    neighbours: NonNegativeInt
