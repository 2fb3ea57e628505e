"""Splits that the pictures were given: kept, checked like our own, and what is missing named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from graft.errors import GraftError
from graft.images.duplicates import SAME_GROUP
from graft.pipelines.splitting.parameters import SplittingParameters
from graft.progress import tell
from graft.sources.split_folders import find_split

_RANK = {"train": 0, "dev": 1, "test": 2}
THROUGH_OTHERS = "through others"
LEAK_COLUMNS = ["image_id", "split", "other_id", "other_split", "kind"]


@dataclass(frozen=True)
class GivenSplits:
    """Pictures with the splits that they were given.

    Attributes:
        pictures: Those that remain, with the column ``given``: the side of each; ``train`` of
            those that were given none.
        missing: Sides that were not given: they are dealt from train.
        leaks: ``LEAK_COLUMNS``, a row for each picture of train or dev that belongs together with
            one of a later side.
        facts: How many pictures were given each side, by what words, and what was done with
            those that leak; for ``split_check``.
    """

    pictures: pd.DataFrame
    missing: tuple[str, ...]
    leaks: pd.DataFrame
    facts: dict[str, Any]


def keep_given_splits(
    pictures: pd.DataFrame, image_links: pd.DataFrame, parameters: SplittingParameters
) -> GivenSplits | None:
    """Take the splits that the pictures were given, if there are any and they are to be kept.

    A picture that was given none counts as one of train. Whatever belongs together (copies,
    look-alikes, groups) and stands on two sides leaks: of a cluster only what is of its last side
    (test before dev before train) remains, unless ``given_leaks`` says otherwise. Test is never
    touched.

    Args:
        pictures: Usable, labelled pictures: columns ``image_id``, ``label``, ``group``, ``cluster``
            and ``given_split``.
        image_links: Pairs of copies and look-alikes, closest first, by their names.
        parameters: What to do.

    Raises:
        GraftError: If nothing was given to train, or there are leaks and they are refused.
    """
    words = pictures["given_split"] if "given_split" in pictures else pd.Series(dtype="str")
    sides = words.dropna().map(find_split)
    if sides.empty or {*sides} == {"train"}:
        return None
    counts = {side: int((sides == side).sum()) for side in _RANK if (sides == side).any()}
    told = {side: sorted({*words[sides[sides == side].index].str.lower()}) for side in counts}
    if parameters.given == "redraw":
        tell("Given", "%s: all are divided anew (splitting.given: redraw)", _list(counts, told))
        return None
    pictures = pictures.assign(given=sides.reindex(pictures.index).fillna("train"))
    if not (pictures["given"] == "train").any():
        raise GraftError(
            "the given splits leave nothing to learn from; to divide all pictures anew, add "
            f"--params splitting.given=redraw; got {_list(counts, told)}"
        )
    leaks = _find_leaks(pictures, image_links)
    if len(leaks) and parameters.given_leaks == "refuse":
        raise GraftError(
            f"{len(leaks):,} pictures belong together with pictures of another given split; drop "
            "them with splitting.given_leaks=drop (nothing of test) or keep them; "
            f"got {_name_leak(leaks)}"
        )
    missing = tuple(side for side in ("dev", "test") if side not in counts)
    _tell(counts, told, missing, leaks, parameters.given_leaks)
    if parameters.given_leaks == "drop":
        pictures = pictures[~pictures["image_id"].isin(leaks["image_id"])].reset_index(drop=True)
    facts = {
        "pictures": counts,
        "words": told,
        "dealt": list(missing),
        "leaks": len(leaks),
        "leaks_policy": parameters.given_leaks,
        "leaking": leaks.to_dict("records"),
        # What of dev and test is no surprise to the classifier, where leaks are kept.
        "touched": _list_touched(pictures) if parameters.given_leaks == "keep" else [],
    }
    return GivenSplits(pictures, missing, leaks, facts)


def _find_leaks(pictures: pd.DataFrame, image_links: pd.DataFrame) -> pd.DataFrame:
    """Every picture in whose cluster is one of a later side, and the closest that is known."""
    rank = pictures["given"].map(_RANK)
    last = rank.groupby(pictures["cluster"]).transform("max")
    torn = pictures[rank.groupby(pictures["cluster"]).transform("min") < last]
    leaking = torn[rank[torn.index] < last[torn.index]]
    side_of = dict(zip(torn["image_id"], torn["given"], strict=True))
    partner: dict[str, tuple[str, str]] = {}
    ends = image_links[["image_id", "other_id", "kind"]].itertuples(index=False)
    for one, other, kind in ends:
        for here, there in ((one, other), (other, one)):
            if _RANK[side_of.get(here, "test")] < _RANK[side_of.get(there, "train")]:
                partner.setdefault(here, (there, kind))
    held = torn[rank[torn.index] == last[torn.index]]
    of_group = held.dropna(subset="group").drop_duplicates("group").set_index("group")["image_id"]
    of_cluster = held.drop_duplicates("cluster").set_index("cluster")["image_id"]
    rows = []
    for row in leaking.itertuples(index=False):
        found = partner.get(row.image_id)
        if found is None and row.group in of_group.index:
            found = of_group[row.group], SAME_GROUP
        other, kind = found or (of_cluster[row.cluster], THROUGH_OTHERS)
        rows.append((row.image_id, row.given, other, side_of[other], kind))
    return pd.DataFrame(rows, columns=LEAK_COLUMNS, dtype="str")


def _list_touched(pictures: pd.DataFrame) -> list[str]:
    """Pictures of dev and test in whose clusters are pictures of an earlier side."""
    rank = pictures["given"].map(_RANK)
    first = rank.groupby(pictures["cluster"]).transform("min")
    return pictures.loc[rank > first, "image_id"].tolist()


def _tell(
    counts: dict[str, int],
    words: dict[str, list[str]],
    missing: Iterable[str],
    leaks: pd.DataFrame,
    policy: str,
) -> None:
    dealt = " and ".join(missing)
    end = f"; {dealt} dealt from train by cluster" if dealt else ""
    tell("Given", "%s%s", _list(counts, words), end)
    if leaks.empty:
        return
    from_ = " and ".join(side for side in ("train", "dev") if (leaks["split"] == side).any())
    done = {"drop": f"dropped from {from_}", "keep": "kept (splitting.given_leaks: keep)"}[policy]
    tell(
        "Leaks", "%s pictures belong together with ones of another given split: %s; first %s",
        f"{len(leaks):,}", done, _name_leak(leaks),
    )  # fmt: skip


def _name_leak(leaks: pd.DataFrame) -> str:
    leak = leaks.iloc[0]
    return (
        f"'{leak['image_id']}' ({leak['split']}) and '{leak['other_id']}' "
        f"({leak['other_split']}): {leak['kind']}"
    )


def _list(counts: dict[str, int], words: dict[str, list[str]]) -> str:
    """``train 244, dev 153 (val)``: the words where they are not the sides' own names."""
    parts = []
    for side, count in counts.items():
        called = f" ({', '.join(words[side])})" if words[side] != [side] else ""
        parts.append(f"{side} {count:,}{called}")
    return ", ".join(parts)
