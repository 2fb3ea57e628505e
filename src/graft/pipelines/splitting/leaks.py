"""The gate: no picture, and no copy of it, on two sides of the split."""

from __future__ import annotations

import pandas as pd

from graft.errors import GraftError
from graft.images.duplicates import link_groups


def refuse_leaks(pictures: pd.DataFrame, links: pd.DataFrame) -> dict[str, int]:
    """Compare the sides of pairs of pictures that belong together.

    It looks at pairs, not at the clusters by which the pictures were divided.

    Args:
        pictures: Columns ``image_id``, ``split`` and ``group``.
        links: Of :func:`~graft.images.duplicates.find_links` over the same rows.

    Returns:
        ``pairs`` that were looked at (of many pictures that belong together, enough to hold
        them together), and ``leaking``: 0.

    Raises:
        GraftError: Names the first pair that stands on two sides, and why it belongs together.
    """
    pairs = pd.concat([link_groups(pictures), links], ignore_index=True)
    sides = pictures["split"].to_numpy()
    leaking = pairs[sides[pairs["left"]] != sides[pairs["right"]]]
    if not leaking.empty:
        pair = leaking.iloc[0]
        first, second = (pictures.iloc[pair[end]] for end in ("left", "right"))
        raise GraftError(
            f"{len(leaking):,} pairs of pictures that belong together stand on two sides of the "
            f"split; the first is '{first['image_id']}' ({first['split']}) and "
            f"'{second['image_id']}' ({second['split']}): {pair['kind']}"
        )
    return {"pairs": len(pairs), "leaking": 0}
