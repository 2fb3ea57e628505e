"""What a classifier has seen: pictures it learnt from, and those that its weights were chosen by.

A classifier that is trained further still knows what it was trained on before. So what it has
seen is written down with it, and whoever goes on from it asks whether any of that is held out now.
Pictures are known by the SHA-256 of their files, under whatever names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

COLUMNS = ["sha256", "label", "split", "is_former"]


def list_seen(splits: pd.DataFrame, former: Mapping[str, str] | None = None) -> pd.DataFrame:
    """What a classifier has seen that was trained on these splits, and its ancestors before it.

    Args:
        splits: Columns ``sha256``, ``label`` and ``split``.
        former: SHA-256 to ``train`` or ``dev``, of pictures that an ancestor has seen and that
            are there no more.

    Returns:
        ``sha256``, ``label``, ``split`` and ``is_former``; the pictures of all splits, so that
        :func:`hash_data` of those that are not former says which data it is about.
    """
    now = splits[COLUMNS[:3]].assign(is_former=False)
    rows = [(sha256, "", split, True) for sha256, split in sorted((former or {}).items())]
    before = pd.DataFrame(rows, columns=COLUMNS)
    table = pd.concat([now, before], ignore_index=True) if rows else now.reset_index(drop=True)
    return table.astype({"sha256": "str", "label": "str", "split": "str", "is_former": "bool"})


def find_former(seen: pd.DataFrame, splits: pd.DataFrame) -> dict[str, str]:
    """What was seen and is in these splits no more: SHA-256 to ``train`` or ``dev``.

    Examples:
        >>> seen = pd.DataFrame({"sha256": ["a", "b", "c"], "split": ["train", "dev", "train"]})
        >>> find_former(seen, pd.DataFrame({"sha256": ["a", "d"]}))
        {'b': 'dev', 'c': 'train'}
    """
    gone = seen[seen["split"].isin(["train", "dev"]) & ~seen["sha256"].isin(splits["sha256"])]
    # Of two files with the same bytes the one of train says more.
    ordered = gone.sort_values("split", kind="stable")
    return dict(zip(ordered["sha256"], ordered["split"], strict=True))


def find_moved(seen: pd.DataFrame, splits: pd.DataFrame) -> list[str]:
    """Names of pictures that can no longer judge what goes on from a classifier that saw them.

    What was learnt from must not be held out, and what weights were chosen by must be in train or
    dev. New pictures, and held-out ones that are now in train, do no harm.

    Args:
        seen: Columns ``sha256`` and ``split``, where a picture was when it was seen.
        splits: Columns ``image_id``, ``sha256`` and ``split``, of today.

    Examples:
        >>> seen = pd.DataFrame({"sha256": ["a", "b", "c"], "split": ["train", "dev", "dev"]})
        >>> now = pd.DataFrame({"image_id": ["1", "2", "3"], "sha256": ["a", "b", "c"]})
        >>> find_moved(seen, now.assign(split=["dev", "train", "elsewhere"]))
        ['1', '3']
    """
    learnt, asked = (set(seen.loc[seen["split"] == side, "sha256"]) for side in ("train", "dev"))
    is_held_out = splits["split"] != "train"
    is_elsewhere = is_held_out & (splits["split"] != "dev")
    moved = splits["sha256"].isin(learnt) & is_held_out
    moved |= splits["sha256"].isin(asked) & is_elsewhere
    return splits.loc[moved, "image_id"].tolist()


def hash_data(splits: pd.DataFrame) -> str:
    """SHA-256 over the content, label and split of all pictures, in whatever order they are."""
    return hash_lines(splits["sha256"] + " " + splits["label"] + " " + splits["split"])


def hash_lines(lines: Iterable[Any]) -> str:
    """SHA-256 over sorted lines.

    Examples:
        >>> hash_lines(["a", "b"]) == hash_lines(["b", "a"])
        True
    """
    return hashlib.sha256("\n".join(sorted(map(str, lines))).encode()).hexdigest()
