"""How large train, dev and test are, by the number of pictures."""

from __future__ import annotations

import math

from graft.pipelines.splitting.parameters import SplittingParameters


def choose_fractions(count: int, parameters: SplittingParameters) -> dict[str, float]:
    """Shares of train, dev and test for so many pictures.

    A dev set must be large enough to tell two models apart, which is a number of pictures, not
    a share of them (A. Ng, "Machine Learning Yearning", 2018, chapter 7). So the shares hold up
    to ``few`` pictures and then fall with a power of their number, to ``held_out_of_many``.

    Examples:
        With 60/20/20 up to 10,000 pictures and 98/1/1 from 1,000,000, 100,000 pictures are
        divided 91/4.5/4.5.
    """
    progress = (math.log(max(count, 1)) - math.log(parameters.few)) / (
        math.log(parameters.many) - math.log(parameters.few)
    )
    progress = min(max(progress, 0.0), 1.0)
    dev, test = (
        share * (min(parameters.held_out_of_many, share) / share) ** progress
        for share in (parameters.dev, parameters.test)
    )
    return {"train": 1 - dev - test, "dev": dev, "test": test}
