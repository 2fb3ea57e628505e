"""How many examples of a property are drawn: by `make test-slow` ten times what `make test` has."""

from __future__ import annotations

import os

from hypothesis import settings

FACTOR = int(os.environ.get("GRAFT_EXAMPLES", "1"))


def draw_examples(count: int) -> settings:
    """Settings of a property whose examples take long.

    Args:
        count: Of examples in `make test`.
    """
    return settings(max_examples=count * FACTOR, deadline=None)
