"""Catalog validators: what must be true of a table before it is saved."""

from __future__ import annotations

import pandas as pd

from graft.errors import GraftError


def refuse_leaking_splits(splits: pd.DataFrame) -> pd.DataFrame:
    """Let ``splits`` pass only if no picture, group or cluster stands on two sides.

    Raises:
        GraftError: Names the first that does.
    """
    repeated = splits.loc[splits["image_id"].duplicated(), "image_id"]
    if not repeated.empty:
        raise GraftError(
            f"{len(repeated)} pictures stand in splits more than once; each may be in one split "
            f"only; the first is '{repeated.iloc[0]}'"
        )
    for unit in ("group", "cluster"):
        sides = splits.dropna(subset=unit).groupby(unit)["split"].nunique()
        leaking = sides[sides > 1]
        if not leaking.empty:
            raise GraftError(
                f"{len(leaking)} {unit}s have pictures in two splits; a {unit} may be in one "
                f"only; the first is '{leaking.index[0]}'"
            )
    return splits
